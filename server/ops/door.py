"""The command line's end of the operator's socket: which servers run, which sessions they have, what lies in one."""

import json
import socket
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from server.sandbox.applying import Part
from server.sandbox.changes import Change, Changes
from server.sandbox.frames import BYTES, JSON, PIECE, BadFrame, address, is_ours, message, piece, taken
from server.sandbox.manifest import Entry, Sent

PATIENCE_S: Final = 360.0  # a large folder is looked through for a while, and nothing is said meanwhile
BATCH: Final = 1_000  # files asked for at once


type Came = Callable[[int, int], None]  # hears of each piece how many bytes it has, and of how many in all


class NoSuchSession(Exception):
    """No running server has a session of that name, or several have."""


class Refused(Exception):
    """The server would not, or could not; the sentence is its own."""


@dataclass(frozen=True, slots=True)
class Door:
    """One session of one running server."""

    folder: Path  # the server's own, among those for sockets
    owner: str
    session: str
    id: str
    start: str
    home: str
    environment: str
    state: str
    used: float  # seconds since 1970
    jobs: tuple[str, ...]  # that run

    def close(self) -> None:
        """End it, with whatever runs in it."""
        for _ in self._ask({"do": "close"}):
            pass

    def changes(self) -> list[Changes]:
        """For each folder that was copied into it."""
        return [_changes(said["changes"]) for said, _ in self._ask({"do": "changes"}) if "changes" in said]

    def fetch(self, folder: str, paths: list[str], file: IO[bytes], came: Callable[[str], None]) -> dict[str, Part]:
        """Those files, one after the other in `file`; `came` hears of each."""
        parts: dict[str, Part] = {}
        for start in range(0, len(paths), BATCH):
            asked = {"do": "contents", "folder": folder, "paths": paths[start : start + BATCH]}
            name = ""
            for said, data in self._ask(asked):
                if "file" in said:
                    name = str(said["file"])
                    parts[name] = Part(file, file.tell(), int(said["size"]))
                    came(name)
                file.write(data)
        return parts

    def read(self, path: str, file: IO[bytes], came: Came) -> bool:
        """Whether it may be run."""
        size, executable = 0, False
        for said, data in self._ask({"do": "read", "path": path}):
            size, executable = int(said.get("size", size)), said.get("executable", executable) is True
            file.write(data)
            came(len(data), size)
        return executable

    def write(self, path: str, file: IO[bytes], size: int, came: Came, *, executable: bool) -> str:
        """Where it really is now. A file that is there keeps its mode."""
        asked = {"do": "write", "path": path, "size": size, "executable": executable}
        told = self._ask(asked, _noted(file, size, came))
        return str([said["done"] for said, _ in told if "done" in said][-1])

    def _ask(self, asked: dict[str, Any], pieces: Iterable[bytes] = ()) -> Iterator[tuple[dict[str, Any], bytes]]:
        with _connected(self.folder) as sock:
            sock.sendall(message({**asked, "owner": self.owner, "session": self.session}))
            with suppress(BrokenPipeError, ConnectionResetError):  # it has said why it wants no more
                for data in pieces:
                    sock.sendall(piece(data))
                sock.shutdown(socket.SHUT_WR)  # a file that has become shorter is not waited for
            yield from _answers(sock)


def _noted(file: IO[bytes], size: int, came: Came) -> Iterator[bytes]:
    while data := file.read(PIECE):
        yield data
        came(len(data), size)


def find(runtime: Path, wanted: str) -> Door:
    """The session of that name, or of that id. Raises NoSuchSession."""
    every = list(doors(runtime))
    found = [door for door in every if wanted in (door.session, door.id)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(f"{door.session} ({door.id})" for door in found or every)
    if found:
        raise NoSuchSession(f"several running servers have a session {wanted}; say which by its id: {known}")
    if every:
        raise NoSuchSession(f"no running server has a session {wanted}; there are: {known}")
    raise NoSuchSession(
        f"no server of yours runs with a session {wanted}, or with any (looked in {runtime}); it must run while you ask: "
        "start your client, or `sandgate serve`"
    )


def doors(runtime: Path) -> Iterator[Door]:
    """Every session of every server that answers here."""
    for folder in sorted(runtime.glob("*/")):
        with (
            suppress(OSError, BadFrame, Refused),
            _connected(folder) as sock,
        ):  # of one that died or just ends, or is another version
            sock.sendall(message({"do": "sessions"}))
            for said, _ in _answers(sock):
                for one in said.get("done", ()):
                    yield Door(folder, **{**one, "jobs": tuple(one["jobs"])})


def links(runtime: Path) -> Iterator[tuple[str, list[str]]]:
    """One to the page of each server that answers here, and the names of its sessions."""
    sessions = list(doors(runtime))
    for folder in sorted(runtime.glob("*/")):
        names = [door.session for door in sessions if door.folder == folder]
        with (
            suppress(OSError, BadFrame, Refused),
            _connected(folder) as sock,
        ):
            sock.sendall(message({"do": "page"}))
            yield from ((str(said["done"]), names) for said, _ in _answers(sock))


@contextmanager
def _connected(folder: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(PATIENCE_S)
        sock.connect(address(folder))
        if not is_ours(sock):
            raise PermissionError
        yield sock


def _answers(sock: socket.socket) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Messages and bytes until it is done. Raises Refused, and BadFrame where the server breaks off."""
    waiting = bytearray()
    while True:
        data = sock.recv(PIECE)
        if not data:
            raise BadFrame("the server ended before it had answered")
        waiting += data
        for kind, body in taken(waiting):
            if kind == BYTES:
                yield {}, body
                continue
            said = json.loads(body) if kind == JSON else {}
            if "error" in said:
                raise Refused(str(said["error"]))
            yield said, b""
            if "done" in said:
                return


def _changes(told: dict[str, Any]) -> Changes:
    changes = tuple(Change(one["path"], _entry(one["was"]), _entry(one["now"]), one["size"]) for one in told["changes"])
    sent = Sent(told["source"], told["target"])
    return Changes(sent, changes, tuple(told["ignored"]), told["unread"], frozenset(told["repositories"]))


def _entry(told: dict[str, Any] | None) -> Entry | None:
    return None if told is None else Entry(told["kind"], told["mode"], told["content"])


def spool() -> IO[bytes]:
    """A file without a name for what is fetched."""
    return tempfile.TemporaryFile()
