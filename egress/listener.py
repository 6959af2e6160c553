"""The doors: a unix socket for each session, opened, bound and closed as the server says."""

import asyncio
import resource
import socket
from collections.abc import Sequence
from pathlib import Path

from mitmproxy.master import Master

from egress.allowlist import Allowlist
from egress.asking import Answer
from egress.budget import Budget, Limits
from egress.cause import cause
from egress.connection import Connection
from egress.destination import Destination
from egress.dial import Dialler
from egress.gate import Gate
from egress.journal import Journal
from egress.line import Line
from egress.pressure import Pressure
from egress.refusal import UNAVAILABLE, Refusal
from egress.secrets import Secret
from egress.session import Session, most_lines
from egress.setup import Setup
from egress.swap import Placeholders
from egress.trust import system_trust
from egress.turns import Turns

BACKLOG = 128
FEWEST_LINES = 8


class NotPossible(ValueError):
    """The gate cannot do what the server asks for; the text says why."""


class Listeners:
    """What egress.control can ask for, done. Identity is the socket: whoever holds it is that session."""

    def __init__(self, master: Master, gate: Gate, journal: Journal) -> None:
        self._master = master
        self._gate = gate
        self._journal = journal
        self._sessions: dict[str, Session] = {}
        self._doors: dict[str, tuple[Path | None, asyncio.Server]] = {}  # with the path of a socket that is ours
        self._learning: bool | None = None
        self._limits = Limits()
        self._turns = Turns()
        self._descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]

    def configure(self, setup: Setup) -> None:
        self._master.options.update(  # type: ignore[no-untyped-call]  # mitmproxy leaves it untyped
            ssl_verify_upstream_trusted_ca=setup.upstream_ca or system_trust()
        )
        self._gate.dialler = Dialler(setup.listed, setup.hosts, setup.proxy)
        self._learning, self._limits = setup.learning, setup.limits

    async def open(self, session: str, place: Path | socket.socket) -> None:
        """Listen for a session, at a path or with a listener that is handed over; asking again for the same is no error."""
        if self._learning is None:
            raise NotPossible("The gate has not been configured yet.")
        path = place if isinstance(place, Path) else None
        known, door = self._doors.get(session, (None, None))
        if door and known != path:
            raise NotPossible(f"The session {session} has its socket at {known} already.")
        if door and path:
            return
        if door:  # the server has made it anew, in the old one's place
            door.close()
        elif most_lines(len(self._doors) + 1, self._descriptors, FEWEST_LINES) < FEWEST_LINES:
            raise NotPossible(f"{self._descriptors} file descriptors are too few for one more session.")
        owner = self._sessions.get(session) or Session(
            session, self._learning, budget=Budget(self._limits), turns=self._turns
        )
        door = await self._listen(owner, place if isinstance(place, socket.socket) else _bound(place))
        self._sessions[session], self._doors[session] = owner, (path, door)

    async def _listen(self, owner: Session, listener: socket.socket) -> asyncio.Server:
        async def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._welcome(owner, reader, writer)

        return await asyncio.start_unix_server(welcome, sock=listener, backlog=BACKLOG)

    def keep(self, secrets: Sequence[Secret]) -> None:
        self._gate.lending.vault.replace(secrets)

    def lend(self, session: str, placeholders: Placeholders) -> None:
        self._session(session).placeholders = placeholders

    def bind(self, session: str, allow: Allowlist) -> None:
        self._session(session).bind(allow)

    def calls(self, session: str, decisions: tuple[str, ...]) -> None:
        self._session(session).decisions = decisions

    def cut(self, session: str, destination: Destination) -> None:
        self._session(session).cut(destination)

    def answered(self, number: str, answer: Answer) -> None:
        self._gate.asking.answered(number, answer)

    async def close(self, session: str) -> None:
        """Close the door and every connection that came through it; closing twice is no error."""
        path, door = self._doors.pop(session, (None, None))
        if door is None:
            return
        door.close()
        if path is not None:
            path.unlink(missing_ok=True)
        self._sessions.pop(session).hang_up()
        self._journal.forget(session)

    async def close_all(self) -> None:
        """No socket outlives the gate, also where the server that would have asked for it is gone."""
        for session in list(self._doors):
            await self.close(session)

    def _session(self, name: str) -> Session:
        try:
            return self._sessions[name]
        except KeyError:
            raise NotPossible(f"There is no session {name}.") from None

    def look_at_clock(self, now: float) -> None:
        for session in self._sessions.values():
            for line in list(session.lines):
                line.look_at_clock(now)

    async def _welcome(self, session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        most = most_lines(len(self._doors), self._descriptors, self._limits.connections)
        if self._sessions.get(session.name) is not session or len(session.lines) >= most:
            self._turn_away(session, writer, most)
            return
        line = Line(
            reader, writer, lambda refusal: self._note(session, refusal), lambda: session.piece, Pressure(session.total)
        )
        connection = Connection(self._master, session, line)
        session.lines.add(line)
        self._gate.connections[connection.client.id] = connection
        try:
            await connection.handle_client()
        finally:
            self._gate.land_all(connection)
            await line.finish()
            del self._gate.connections[connection.client.id]
            session.lines.discard(line)

    def _turn_away(self, session: Session, writer: asyncio.StreamWriter, most: int) -> None:
        refusal = Refusal("egress.limit", f"This session has {most} connections open already.", status=UNAVAILABLE)
        writer.write(refusal.raw())
        writer.close()
        self._note(session, refusal)

    def _note(self, session: Session, refusal: Refusal) -> None:
        self._journal.refused(session.name, cause("", session.decisions), refusal)


def _bound(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)  # left by a gate that died
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.bind(str(path))
        path.chmod(0o666)  # whoever sees it may use it: the folder decides who does
    except OSError:
        sock.close()
        raise
    return sock
