"""The server's end of the gate: keeps one egress process running and tells it what each sandbox may reach.

The process starts in the background at the first use. Where it dies, it is started again and told everything anew;
until then the sandboxes have no network, and nothing else breaks. One that somebody else runs, in another container, is
called instead, and handed the sockets that it listens on: it sees no folder of the server's.
"""

import logging
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL, PIPE  # noqa: TID251  two constants for anyio.open_process
from types import TracebackType
from typing import Any, Literal, Self

import anyio
from anyio.abc import ByteReceiveStream, Process, TaskGroup

import server
from server.sandbox.egress_wire import EgressWire, Event, GateDown, GateRefused
from server.sandbox.handing_over import called, listening

log = logging.getLogger("sandgate.egress")

READY_S = 15.0
GRACE_S = 3.0
LOOK_EVERY_S = 10.0
MOST_LINES_A_SECOND = 20
FIRST_BACKOFF_S = 0.1
LONGEST_BACKOFF_S = 5.0
LONGEST_LINE = 64 * 1024
_PACKAGES = Path(str(server.__file__)).parent.parent  # the egress that ships beside this server, never a namesake

type AllowEntry = str | Mapping[str, Any]
type Secrets = Callable[[], Awaitable[Sequence[Mapping[str, Any]]]]


@dataclass(slots=True)
class _Wanted:
    """What the gate has to know of one session."""

    socket: Path
    allow: tuple[AllowEntry, ...] | None = None
    placeholders: Mapping[str, str] = field(default_factory=dict)
    decisions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Settings:
    ca_dir: Path
    environment: Mapping[str, str]
    configure: Mapping[str, Any]
    at: Path | None


class EgressLink:
    """See the module. An async context manager; leaving it ends the process.

    proxy: `host:port` of what reaches the world beyond. networks: CIDR texts a sandbox may reach although they are private. resolve: host to address, asked before DNS.
    on_event: called with each `flow` and `refused` event, in order. Where it raises, traffic that cannot be recorded
    must not flow: the process is ended and started again. limits: of each session. secrets: asked at each start of the process for
    `{name, host, headers, paths, value | lack}` of each; the values are nowhere else than in its memory. at: where a process
    that somebody else runs waits for us, instead of one of ours; it keeps the authority in `ca_dir` as well.
    """

    def __init__(
        self,
        *,
        ca_dir: Path,
        on_event: Callable[[Event], None],
        upstream_ca: Path | None = None,
        proxy: str = "",
        networks: Sequence[str] = (),
        resolve: Mapping[str, str] | None = None,
        mode: Literal["enforce", "learn"] = "enforce",
        environment: Mapping[str, str] | None = None,
        limits: Mapping[str, float] | None = None,
        secrets: Secrets | None = None,
        at: Path | None = None,
    ) -> None:
        configure = {
            "op": "configure",
            "upstream_ca": str(upstream_ca) if upstream_ca else None,
            "proxy": proxy,
            "networks": list(networks),
            "resolve": dict(resolve or {}),
            "mode": mode,
            "limits": dict(limits or {}),
        }
        self._settings = _Settings(ca_dir.absolute(), environment or {}, configure, at)
        self._on_event, self._secrets = on_event, secrets
        self._newest: Sequence[Mapping[str, Any]] = ()  # what the secrets are now
        self._wanted: dict[str, _Wanted] = {}
        self._running: EgressWire | None = None
        self._process: Process | None = None
        self._up = anyio.Event()
        self._asked_for = anyio.Event()
        self._ca_cert: Path | None = None
        self._trusted = anyio.Event()
        self._last_words = ""
        self._group: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        self._group.start_soon(self._keep_running)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if self._group is None:
            raise RuntimeError("left without having been entered")
        self._group.cancel_scope.cancel()  # the process is ended on the way out, shielded and bounded
        return await self._group.__aexit__(kind, error, trace)

    def start(self) -> None:
        """Start the process in the background now, so that the first `open` need not wait for it."""
        self._asked_for.set()

    async def trusted(self) -> Path:
        """The certificate that a sandbox must trust, in PEM, once it is on the disk: long before the process listens.

        Raises GateDown where that takes more than 15 s.
        """
        self.start()
        with anyio.move_on_after(READY_S):
            await self._trusted.wait()
        return self.ca_cert

    @property
    def ca_cert(self) -> Path:
        """As `trusted`; GateDown where no process has said so yet."""
        if self._ca_cert is None:
            raise GateDown("The egress process has not been ready yet.")
        return self._ca_cert

    @property
    def pid(self) -> int:
        """Of the process that runs now; GateDown where none does."""
        if self._process is None:
            raise GateDown("The egress process is not running.")
        return self._process.pid

    async def open(
        self,
        session: str,
        socket_path: Path,
        allow: Sequence[AllowEntry] | None = None,
        placeholders: Mapping[str, str] | None = None,
        decisions: tuple[str, ...] = (),
    ) -> None:
        """Listen for a session; without a list, whatever it asks is refused until it is bound. Waits up to 15 s.

        placeholders: names of secrets, and what the session's sandbox has in their place. decisions: of the calls that
        run in it already.
        """
        listed = None if allow is None else tuple(allow)
        wanted = self._wanted[session] = _Wanted(socket_path, listed, placeholders or {}, decisions)
        try:
            await self._ask(session, wanted, lambda: self._opening(session, wanted), opens=True)
        except BaseException:
            self._wanted.pop(session, None)
            raise

    async def bind(self, session: str, allow: Sequence[AllowEntry]) -> None:
        """Set or replace what a session may reach; it holds from the next request on, on open connections too."""
        wanted = self._known(session)
        before, wanted.allow = wanted.allow, tuple(allow)
        try:
            await self._ask(session, wanted, lambda: {"op": "bind", "session": session, "allow": list(allow)})
        except GateRefused:
            wanted.allow = before
            raise

    def _known(self, session: str) -> _Wanted:
        try:
            return self._wanted[session]
        except KeyError:
            raise GateRefused(f"There is no session {session}.") from None

    async def keep(self, secrets: Sequence[Mapping[str, Any]]) -> None:
        """Secrets have new values. Where the process is down, the next one asks for them by itself; one that is on its way up
        is told these last."""
        self._newest = secrets
        if self._running is not None and self._up.is_set():
            with suppress(GateDown):
                await _tell_secrets(self._running, secrets)

    def calls(self, session: str, decisions: Sequence[str]) -> None:
        """The decision ids of the calls that run in a session now; they go into its refusals and events."""
        if wanted := self._wanted.get(session):
            wanted.decisions = tuple(decisions)
            if self._running is not None:
                self._running.tell({"op": "calls", "session": session, "decisions": list(decisions)})

    def answer(self, question: str, answer: Mapping[str, Any]) -> None:
        """What is said to an `ask` event: let (once, alike, host, or "" for no), rule, reason, approval.

        One whose process has died since needs no answer: its connection is gone too.
        """
        if self._running is not None:
            self._running.tell({"op": "answer", "ask": question, **answer})

    def cut(self, session: str, host: str, port: int) -> None:
        """A yes to that host is good no longer, on open connections too."""
        if self._running is not None:
            self._running.tell({"op": "cut", "session": session, "host": host, "port": port})

    async def close(self, session: str) -> None:
        """Close a session's listener and connections. Where the process is down they are closed already."""
        if (wanted := self._wanted.pop(session, None)) and self._settings.at:
            wanted.socket.unlink(missing_ok=True)
        if self._running is not None and self._running.ready.is_set():  # until then it has opened nothing
            with suppress(GateDown):
                await self._running.ask({"op": "close", "session": session})

    async def _ask(self, session: str, wanted: _Wanted, request: Callable[[], Event], *, opens: bool = False) -> None:
        """Ask whichever process is up; where it dies before it answers, ask the next one. All requests may repeat.

        request: made when it is sent, which may be a while after it was wanted; of a session that was closed meanwhile it
        is not sent at all.
        """
        self.start()
        with anyio.move_on_after(READY_S):
            while True:
                await self._up.wait()
                running = self._running
                if running is None:
                    raise GateDown("The egress process is up and is not, which cannot be.")
                if self._known(session) is not wanted:
                    raise GateRefused(f"The session {session} was closed.")
                with suppress(GateDown):  # it died; the next one was told all that is wanted, and is asked again
                    return await running.ask(request(), self._listener(wanted) if opens else None)
                await running.buried.wait()
        raise GateDown(f"The egress process is not running. {self._last_words}".rstrip())

    def _opening(self, session: str, wanted: _Wanted) -> Event:
        """The request for a listener, with its list where one is known and with the calls that run by now: so it is never
        there without them."""
        request: Event = {"op": "open", "session": session, "decisions": list(wanted.decisions)}
        if self._settings.at is None:
            request["socket"] = str(wanted.socket)
        if wanted.placeholders:
            request["placeholders"] = dict(wanted.placeholders)
        return request if wanted.allow is None else {**request, "allow": list(wanted.allow)}

    def _listener(self, wanted: _Wanted) -> socket.socket | None:
        """What a process of somebody else's listens on for a session; ours makes it itself, and takes it along when it ends."""
        try:
            return listening(wanted.socket) if self._settings.at else None
        except OSError as exc:  # its folder is gone: that is this session's trouble, not the gate's
            raise GateRefused(f"{wanted.socket} cannot be listened at: {exc.strerror}.") from exc

    # --- the process -------------------------------------------------------------------------------------------------

    async def _keep_running(self) -> None:
        await self._asked_for.wait()
        backoff, said = FIRST_BACKOFF_S, None
        while True:
            began = anyio.current_time()
            try:
                await self._live()
            except* (OSError, GateDown, GateRefused) as errors:
                self._last_words = "; ".join(str(error) for error in errors.exceptions)
            except* Exception:
                log.exception("What the egress process told could not be taken in; it is started again.")
            lived = anyio.current_time() - began
            if self._last_words != said or lived > LONGEST_BACKOFF_S:  # else it is the same again, and again
                log.warning(
                    "The egress process ended; sandboxes have no network until it is back. %s", self._last_words
                )
            said = self._last_words
            backoff = FIRST_BACKOFF_S if lived > LONGEST_BACKOFF_S else min(backoff * 2, LONGEST_BACKOFF_S)
            await anyio.sleep(backoff)

    async def _live(self) -> None:
        """One life of the process. Returns, or raises a group, when it is over; the process is gone then."""
        ours, process = await self._start_process()
        self._process = process
        running = self._running = EgressWire(ours, self._on_event)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(running.write)
                tasks.start_soon(self._listen_to, process.stderr if process else None)
                tasks.start_soon(self._introduce, running)
                tasks.start_soon(_watch, running)
                await running.read()
                tasks.cancel_scope.cancel()
        finally:
            self._running = self._process = None
            if self._up.is_set():  # else somebody may be waiting for this very one
                self._up = anyio.Event()
            running.buried.set()
            ours.close()
            if process is not None:
                await _end(process)

    async def _start_process(self) -> tuple[socket.socket, Process | None]:
        """The line to it, and it itself where it is ours. Raises OSError, also where nobody waits for us."""
        if self._settings.at is not None:
            return called(self._settings.at), None
        ours, theirs = socket.socketpair()
        argv = [sys.executable, "-P", "-m", "egress"]
        argv += ["--control-fd", str(theirs.fileno()), "--ca-dir", str(self._settings.ca_dir)]
        environment = {**self._settings.environment, "PYTHONPATH": str(_PACKAGES)}
        with ExitStack() as given_up, theirs:
            given_up.callback(ours.close)
            process = await anyio.open_process(
                argv,
                stdin=DEVNULL,
                stdout=DEVNULL,
                stderr=PIPE,
                cwd="/",
                env=environment,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # a Ctrl-C at the terminal is for the server, which then ends the gate
            )
            ours.setblocking(False)
            given_up.pop_all()
        return ours, process

    async def _introduce(self, running: EgressWire) -> None:
        """Wait for the process to be ready, tell it everything, and only then let others ask it."""
        with anyio.fail_after(READY_S):
            await running.trusted.wait()
            self._ca_cert = running.ca_cert
            self._trusted.set()
            await running.ready.wait()
            self._newest = await self._secrets() if self._secrets else ()
        await running.ask(self._settings.configure)
        await _tell_secrets(running, told := self._newest)
        for session in list(self._wanted):
            await self._restore(running, session)
        while told is not self._newest:  # one was rotated since they were asked for
            await _tell_secrets(running, told := self._newest)
        self._last_words = ""
        self._up.set()

    async def _restore(self, running: EgressWire, session: str) -> None:
        wanted = self._wanted.get(session)
        if wanted is None:
            return
        try:
            await running.ask(self._opening(session, wanted), self._listener(wanted))
        except GateRefused as error:
            log.warning("The session %s stays without a network: %s", session, error)

    async def _listen_to(self, stderr: ByteReceiveStream | None) -> None:
        """Its log becomes ours; the last line says why it ended."""
        if stderr is None:
            return
        rest, second, said = b"", 0, 0
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
            while True:
                *lines, rest = (rest + await stderr.receive()).split(b"\n")
                if int(anyio.current_time()) != second:
                    second, said = int(anyio.current_time()), 0
                for line in lines:
                    before, self._last_words = self._last_words, line.decode(errors="replace")[:500]
                    said += 1
                    # A sandbox can make the gate complain, and one that cannot start complains each time: not into a disk.
                    if said <= MOST_LINES_A_SECOND and self._last_words != before:
                        log.warning("%s", self._last_words)
                rest = rest[-LONGEST_LINE:]


async def _tell_secrets(running: EgressWire, secrets: Sequence[Mapping[str, Any]]) -> None:
    """One that the gate cannot mean costs the secrets, which it then refuses to swap, and not everybody's network."""
    try:
        await running.ask({"op": "secrets", "secrets": list(secrets)})
    except GateRefused as error:
        log.warning("The gate does not take the secrets, so none is swapped: %s", error)


async def _watch(running: EgressWire) -> None:
    """A process that is there but does not answer (stopped, swapped out, in a loop) is as good as dead, and ended."""
    await running.ready.wait()
    while True:
        await anyio.sleep(LOOK_EVERY_S)
        with suppress(GateDown):
            await running.ask({"op": "ping"})


async def _end(process: Process) -> None:
    with anyio.CancelScope(shield=True):
        with anyio.move_on_after(GRACE_S):
            await process.wait()
        if process.returncode is None:
            process.kill()
        await process.aclose()


__all__ = ["AllowEntry", "EgressLink", "Event", "GateDown", "GateRefused"]
