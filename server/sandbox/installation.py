"""Whose things on an engine are whose: one state directory on one machine is one installation."""

import hashlib
import os
import secrets
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

STATE_LABEL: Final = "sandgate.state"  # the installation's id
PLACE_LABEL: Final = "sandgate.state_dir"  # where it keeps its records
HOST_LABEL: Final = "sandgate.host"  # the machine on which that path means anything
FILE: Final = "installation"
_MACHINE_ID: Final = Path("/etc/machine-id")
_OUR_VIEW: Final = Path("/proc/self/ns/mnt")


@dataclass(frozen=True, slots=True)
class Installation:
    """`id` is made up once and lies in the state directory: another one at the same path is another installation."""

    id: str
    state_dir: Path
    host: str

    @classmethod
    def of(cls, state_dir: Path) -> "Installation":
        """That directory's, made where it is new."""
        return cls(_identity(state_dir), state_dir, _host())

    @property
    def labels(self) -> dict[str, str]:
        return {STATE_LABEL: self.id, PLACE_LABEL: str(self.state_dir), HOST_LABEL: self.host}

    def may_remove(self, labels: dict[str, str]) -> bool:
        """Its own; and what an installation of this very machine left whose directory is gone or is another's now."""
        theirs = labels.get(STATE_LABEL, "")
        if theirs == self.id:
            return True
        if labels.get(HOST_LABEL) != self.host:
            return False
        try:
            return _known_at(Path(labels.get(PLACE_LABEL, ""))) != theirs
        except OSError:  # another user's, whose folders are closed to us
            return False


def _identity(state_dir: Path) -> str:
    if known := _known_at(state_dir):
        return known
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = state_dir / f"{FILE}.{secrets.token_hex(6)}"
    new.write_text(secrets.token_hex(8))
    with suppress(FileExistsError):  # another server was first, and whole: a link appears at once or not at all
        os.link(new, state_dir / FILE)
    new.unlink()
    return _known_at(state_dir)


def _known_at(state_dir: Path) -> str:
    try:
        return (state_dir / FILE).read_text().strip()
    except FileNotFoundError:
        return ""


def _host() -> str:
    """The same for all processes that see the same files at a path; in a mount namespace of their own they may not."""
    try:
        machine = _MACHINE_ID.read_text().strip()
    except OSError:
        machine = ""
    try:
        view = str(_OUR_VIEW.readlink())
    except OSError:
        view = ""
    return hashlib.sha256(f"{machine}\0{socket.gethostname()}\0{view}".encode()).hexdigest()[:12]
