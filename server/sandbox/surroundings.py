"""The environment that every command in a sandbox finds: the image's, ours, and what stands there in place of secrets."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from server.sandbox.gate import added
from server.sandbox.placeholders import Placeholders
from server.sandbox.sandbox import SandboxSpec


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every command finds in its environment, beside the image's own PATH."""

    variables: Mapping[str, str] = field(default_factory=dict)
    placeholders: Placeholders = field(default_factory=Placeholders)

    def of(self, spec: SandboxSpec, sandbox_id: str, image_env: Mapping[str, str], shell: str) -> dict[str, str]:
        ours = {
            "HOME": spec.home,
            "USER": "agent",
            "LOGNAME": "agent",
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "SHELL": shell,
        }
        lent = self.placeholders.variables(spec.lent_as or sandbox_id, spec.secrets)
        return {**added(image_env, {**ours, **self.variables}), **lent}
