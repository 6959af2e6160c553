"""Sandboxes ahead of demand: warm ones of each kind in use, checked before they are handed out, never used twice."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Literal, Protocol

import anyio
import anyio.abc

from server.sandbox.demand import Demand
from server.sandbox.egress_link import AllowEntry
from server.sandbox.sandbox import FileRefused, Sandbox, SandboxFailed, SandboxLost, SandboxSpec

HEALTH_PATIENCE_S = 2.0

log = logging.getLogger("sandgate")

type Timed = Callable[[Literal["claim_warm", "claim_cold", "refill"]], AbstractContextManager[None]]


class Makes(Protocol):
    async def create(self, spec: SandboxSpec) -> Sandbox: ...

    async def adopt(self, spec: SandboxSpec, sandbox_id: str, key: str) -> Sandbox: ...


class Gate(Protocol):
    """The egress gate as the pool sees it: a listener for each sandbox, a list bound to it at the claim."""

    def expect(self) -> None: ...

    async def attach(
        self, sandbox_id: str, allow: tuple[AllowEntry, ...] | None, lent_as: str = "", secrets: tuple[str, ...] = ()
    ) -> None: ...

    def bind(self, sandbox_id: str, allow: tuple[AllowEntry, ...]) -> None: ...

    def calls(self, sandbox_id: str, decisions: tuple[str, ...]) -> None: ...

    async def detach(self, sandbox_id: str) -> None: ...


class Pool:
    """Keeps as many warm per spec as `demand` says, once that spec was asked for; a server nobody calls makes none."""

    def __init__(
        self,
        maker: Makes,
        gate: Gate,
        tasks: anyio.abc.TaskGroup,
        demand: Demand,
        note: Callable[[str, Sandbox], None],
        at_once: int = 4,
        timed: Timed = lambda _: nullcontext(),
    ) -> None:
        """`at_once`: how many are made at the same time, whoever wants them; more would only make each one slower."""
        self._timed = timed
        self._maker, self._gate, self._tasks, self._demand, self._note = maker, gate, tasks, demand, note
        self._making = anyio.Semaphore(at_once)
        self._warm: dict[SandboxSpec, list[Sandbox]] = {}
        self._filling: set[SandboxSpec] = set()
        self._quiet = anyio.Event()
        self._stirred = anyio.Event()
        self._closed = False

    async def claim(self, spec: SandboxSpec, allow: tuple[AllowEntry, ...], *, alone: bool = False) -> Sandbox:
        """A sandbox nobody has had before, with this list bound at the gate. Raises SandboxFailed.

        alone: nobody else is likely to want such a one, so none is made ahead for the next.
        """
        if not alone:
            self._demand.claimed(spec)
        sandbox = await self._claim_warm(spec, allow) or await self._claim_cold(spec, allow)
        try:
            self._note("sandbox.claimed", sandbox)
        except BaseException:
            await self._undo(sandbox)
            raise
        if not alone:
            self._refill(spec)
        return sandbox

    async def adopt(self, spec: SandboxSpec, sandbox_id: str, key: str, allow: tuple[AllowEntry, ...]) -> Sandbox:
        """A session's own, which waits because its server died. Raises SandboxLost."""
        sandbox = await self._maker.adopt(spec, sandbox_id, key)
        await self._attached(sandbox, allow, "sandbox.adopted")
        return sandbox

    async def _claim_warm(self, spec: SandboxSpec, allow: tuple[AllowEntry, ...]) -> Sandbox | None:
        if not self._warm.get(spec):
            return None
        with self._timed("claim_warm"):
            sandbox = await self._take_warm(spec)
            if sandbox is not None:
                self._gate.bind(sandbox.id, allow)
        return sandbox

    async def _claim_cold(self, spec: SandboxSpec, allow: tuple[AllowEntry, ...]) -> Sandbox:
        with self._timed("claim_cold"):
            return await self._make(spec, allow)

    async def _take_warm(self, spec: SandboxSpec) -> Sandbox | None:
        while warm := self._warm.get(spec):
            sandbox, answers = warm.pop(), False
            try:
                answers = await _answers(sandbox)
            finally:
                if not answers:  # or whoever wanted it has gone meanwhile
                    with anyio.CancelScope(shield=True):
                        await self.release(sandbox)
            if answers:
                return sandbox
        return None

    async def _make(self, spec: SandboxSpec, allow: tuple[AllowEntry, ...] | None) -> Sandbox:
        self._gate.expect()
        async with self._making:
            sandbox = await self._maker.create(spec)
        await self._attached(sandbox, allow, "sandbox.created")
        return sandbox

    async def _attached(self, sandbox: Sandbox, allow: tuple[AllowEntry, ...] | None, kind: str) -> None:
        """And recorded; where one of the two cannot be, nothing of it is left."""
        try:
            await self._gate.attach(sandbox.id, allow, sandbox.spec.lent_as, sandbox.spec.secrets)
            self._note(kind, sandbox)
        except BaseException as exc:
            await self._undo(sandbox)
            if isinstance(exc, OSError):
                raise SandboxFailed(
                    f"what a sandbox is told about the gate cannot be written ({exc.strerror or exc}): make room where the "
                    "sockets lie, or set SANDGATE_RUNTIME_DIR to another folder"
                ) from exc
            raise

    async def _undo(self, sandbox: Sandbox) -> None:
        """What became of it cannot be recorded, so nothing of it is left."""
        with anyio.CancelScope(shield=True):
            await self._gate.detach(sandbox.id)
            await sandbox.close()

    def _refill(self, spec: SandboxSpec) -> None:
        self._stirred.set()
        if spec not in self._filling and not self._closed:
            self._filling.add(spec)
            self._tasks.start_soon(self._fill, spec)

    async def _fill(self, spec: SandboxSpec) -> None:
        try:
            while not self._closed and len(self._warm.get(spec, [])) < self._demand.wanted(spec):
                with self._timed("refill"):
                    sandbox = await self._make(spec, None)
                if self._closed:
                    await self.release(sandbox)
                else:
                    self._warm.setdefault(spec, []).append(sandbox)
        except Exception as exc:  # noqa: BLE001 - an engine that is away, a record that cannot be written: no end of the server
            log.warning("no sandbox is made ahead: %s", exc)  # the next claim meets it where somebody can read it
        finally:
            self._filling.discard(spec)
            self._quiet.set()

    async def keep(self) -> None:
        """For as long as the server lives: the warm ones follow a demand that falls, and one that died is replaced."""
        while True:
            await self._stirred.wait()
            await anyio.sleep(self._demand.recent_s)
            if not any(self._warm.values()):
                self._stirred = anyio.Event()
            for spec in list(self._warm):
                try:
                    await self._tend(spec)
                except Exception as exc:  # noqa: BLE001 - as in `_fill`
                    log.warning("sandboxes that wait are not looked after: %s", exc)

    async def _tend(self, spec: SandboxSpec) -> None:
        warm = self._warm[spec]
        for sandbox in warm[self._demand.wanted(spec) :] + [box for box in warm if not box.alive]:
            if sandbox in warm:  # else it was claimed, or let go, while another one ended
                warm.remove(sandbox)
                await self.release(sandbox)
        if len(warm) < self._demand.wanted(spec):
            self._refill(spec)
        if not warm and not self._demand.wanted(spec):
            self._warm.pop(spec, None)

    async def release(self, sandbox: Sandbox) -> None:
        """Destroy it; a sandbox is never handed out again."""
        await self._gate.detach(sandbox.id)
        await sandbox.close()
        self._note("sandbox.destroyed", sandbox)

    def bind(self, sandbox: Sandbox, allow: tuple[AllowEntry, ...]) -> None:
        self._gate.bind(sandbox.id, allow)

    def calls(self, sandbox: Sandbox, decisions: tuple[str, ...]) -> None:
        self._gate.calls(sandbox.id, decisions)

    @property
    def warm(self) -> Mapping[str, int]:
        """How many wait to be claimed, by environment."""
        counted = Counter[str]()
        for spec, boxes in self._warm.items():
            counted[spec.environment] += len(boxes)
        return counted

    async def close(self) -> None:
        """Destroy what is warm and what is still being made."""
        self._closed = True
        while self._filling:
            self._quiet = anyio.Event()
            await self._quiet.wait()
        async with anyio.create_task_group() as tasks:
            for warm in self._warm.values():
                while warm:
                    tasks.start_soon(self.release, warm.pop())

    def __repr__(self) -> str:
        return f"<pool {', '.join(f'{spec.environment}: {len(warm)} warm' for spec, warm in self._warm.items())}>"


async def _answers(sandbox: Sandbox) -> bool:
    try:
        with anyio.fail_after(HEALTH_PATIENCE_S):
            await sandbox.ping()
    except (SandboxLost, FileRefused, TimeoutError):
        return False
    return True
