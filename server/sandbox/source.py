"""Where sandboxes come from: the pool, and around it whoever lends folders to them. Each asks the next and adds its own."""

from typing import Protocol

from server.sandbox.egress_link import AllowEntry
from server.sandbox.sandbox import Sandbox, SandboxSpec


class Source(Protocol):
    """`allow` is what the gate lets the sandbox reach."""

    async def claim(self, spec: SandboxSpec, allow: tuple[AllowEntry, ...], *, alone: bool = False) -> Sandbox:
        """One that nobody has used. Raises SandboxFailed. alone: whoever claims it is the only one who waits."""

    async def adopt(self, spec: SandboxSpec, sandbox_id: str, key: str, allow: tuple[AllowEntry, ...]) -> Sandbox:
        """One that a server which is gone has left. Raises SandboxLost."""

    async def release(self, sandbox: Sandbox) -> None:
        """It is destroyed, never handed out again."""

    def bind(self, sandbox: Sandbox, allow: tuple[AllowEntry, ...]) -> None:
        """Another list, in force from its next request on."""

    def calls(self, sandbox: Sandbox, decisions: tuple[str, ...]) -> None:
        """Which decisions' commands run in it now: what leaves it is recorded with them."""
