"""Whose things on an engine are whose: one state directory on one machine is one installation."""

import hashlib
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from server.sandbox.made_once import made_once

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
        return cls(made_once(state_dir / FILE, secrets.token_hex(8).encode()).decode().strip(), state_dir, _host())

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
