"""The server's line to the gate: one socket, a JSON object a line, and with some of them a listener that is handed over.

The server asks (configure, secrets, ping, open, bind, calls, cut, close), each with an id that the answer carries; the gate
also tells of itself (authority, ready, flow, refused), and asks (ask) what the server then says (answer). When the line ends, so does the
gate.
"""

import asyncio
import json
import socket
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from egress.allowlist import Allowlist
from egress.asking import Answer
from egress.destination import Destination
from egress.secrets import Secret
from egress.session import decision_ids
from egress.setup import Setup
from egress.swap import TOKEN, Placeholders

LONGEST_LINE = 4 * 1024 * 1024
RECEIVED = 65536
MOST_HANDED = 8  # that come with what is received at once: the kernel never joins two that were handed over apart
MOST_UNREAD = 8 * 1024 * 1024


class Unanswerable(ValueError):
    """A message of the server cannot be acted upon; the text says why."""


class Doors(Protocol):
    """What the server can ask for. Errors are ValueError or OSError, whose text goes back."""

    def configure(self, setup: Setup) -> None: ...

    def keep(self, secrets: Sequence[Secret]) -> None: ...

    async def open(self, session: str, place: Path | socket.socket) -> None: ...

    def lend(self, session: str, placeholders: Placeholders) -> None: ...

    def bind(self, session: str, allow: Allowlist) -> None: ...

    def calls(self, session: str, decisions: tuple[str, ...]) -> None: ...

    def cut(self, session: str, destination: Destination) -> None: ...

    def answered(self, number: str, answer: Answer) -> None: ...

    async def close(self, session: str) -> None: ...


class Control:
    """Reads the server's requests and writes the gate's answers and events.

    handed: listeners that came with the requests, in their order.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handed: deque[socket.socket] | None = None
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._handed = deque[socket.socket]() if handed is None else handed

    @classmethod
    async def over(cls, descriptor: int) -> "Control":
        """Over a socket that nothing has been said on: asyncio writes to it, and to read with what is handed over is ours."""
        sock, handed = socket.socket(fileno=descriptor), deque[socket.socket]()
        _, writer = await asyncio.open_unix_connection(sock=sock)
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket's transport can
        reader, loop, ours = asyncio.StreamReader(limit=LONGEST_LINE), asyncio.get_running_loop(), sock.dup()

        def hear() -> None:
            try:
                data, descriptors, _, _ = socket.recv_fds(ours, RECEIVED, MOST_HANDED)
            except BlockingIOError:
                return
            except OSError:
                data, descriptors = b"", []
            handed.extend(socket.socket(fileno=each) for each in descriptors)
            if data:
                reader.feed_data(data)
                return
            loop.remove_reader(ours)
            ours.close()
            reader.feed_eof()

        loop.add_reader(ours, hear)
        return cls(reader, writer, handed)

    def tell(self, message: Mapping[str, Any]) -> None:
        self._writer.write(json.dumps(message).encode() + b"\n")

    @property
    def unheard(self) -> bool:
        """Whether the server reads so slowly that events pile up: then nothing more may happen unrecorded."""
        return self._writer.transport.get_write_buffer_size() > MOST_UNREAD

    async def serve(self, doors: Doors) -> None:
        """Act on requests in order until the server is gone."""
        try:
            while line := await self._reader.readline():
                await self._act(doors, line)
        except (OSError, ValueError):
            return  # the server is gone, or what speaks is not the server

    async def _act(self, doors: Doors, line: bytes) -> None:
        message = json.loads(line)
        number = message.get("id")
        try:
            await self._do(doors, message)
        except (ValueError, OSError) as error:
            self._answer(number, {"ok": False, "error": str(error)})
        else:
            self._answer(number, {"ok": True})

    async def _do(self, doors: Doors, message: Mapping[str, Any]) -> None:
        match message:
            case {"op": "configure"}:
                doors.configure(Setup.parse(message))
            case {"op": "ping"}:
                return  # whoever asks wants to know whether anybody is there
            case {"op": "secrets", "secrets": list(secrets)}:
                doors.keep([Secret.parse(secret) for secret in secrets])
            case {"op": "open", "session": str(session)}:
                await self._open(doors, session, message)
            case {"op": "bind", "session": str(session), "allow": list(entries)}:
                doors.bind(session, Allowlist.parse(entries))
            case {"op": "calls", "session": str(session)}:
                doors.calls(session, decision_ids(message))
            case {"op": "close", "session": str(session)}:
                await doors.close(session)
            case _:
                _decide(doors, message)

    async def _open(self, doors: Doors, session: str, message: Mapping[str, Any]) -> None:
        """All that is known of the session is in place before any connection gets its turn."""
        listener = self._listener(message)
        listed = Allowlist.parse(message["allow"]) if "allow" in message else None
        await doors.open(session, listener)
        if "placeholders" in message:
            doors.lend(session, _placeholders(message["placeholders"]))
        if listed is not None:
            doors.bind(session, listed)
        if "decisions" in message:
            doors.calls(session, decision_ids(message))

    def _listener(self, message: Mapping[str, Any]) -> Path | socket.socket:
        """Where to listen, or the listener itself where the server has made it: then this gate sees no folder of its."""
        if isinstance(path := message.get("socket"), str):
            return Path(path)
        if not self._handed:
            raise Unanswerable("There is neither a path to listen at nor a listener.")
        return self._handed.popleft()

    def _answer(self, number: Any, outcome: Mapping[str, Any]) -> None:
        if number is not None:
            self.tell({"re": number, **outcome})


def _decide(doors: Doors, message: Mapping[str, Any]) -> None:
    """What the server says to a question of the gate's, and what it takes back."""
    match message:
        case {"op": "answer", "ask": str(number)}:
            doors.answered(number, Answer.parse(message))
        case {"op": "cut", "session": str(session), "host": str(host), "port": int(port)}:
            doors.cut(session, Destination.of(host, port))
        case _:
            raise Unanswerable(f"The gate does not know what {str(message.get('op'))[:50]!r} asks for.")


def _placeholders(told: Mapping[str, str]) -> Placeholders:
    """From the names of secrets to what a sandbox has in their place."""
    found = {text.encode("latin1"): name for name, text in told.items()}
    if not all(TOKEN.search(text) for text in found):
        raise Unanswerable("A placeholder is not of the form that the gate looks for.")
    return found
