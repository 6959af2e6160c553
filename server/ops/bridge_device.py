"""A network bridge of the private engine's own, made and removed by ioctl so that no `ip` program is needed.

Sandboxes have no interface; dockerd wants a bridge all the same. docker0 may be another engine's: `--bridge none` deletes
it (seen with Docker 26.1), and two engines on it hand out the same addresses.
"""

import errno
import fcntl
import hashlib
import socket
import struct
from pathlib import Path
from typing import Final

_ADD_BRIDGE: Final = 0x89A0  # SIOCBRADDBR
_DELETE_BRIDGE: Final = 0x89A1  # SIOCBRDELBR, of a bridge that is down
_SET_FLAGS: Final = 0x8914  # SIOCSIFFLAGS
_DOWN: Final = 0


def bridge_name(folder: Path) -> str:
    """One for each engine's folder; 15 bytes, the most that the kernel takes."""
    return f"sandgate-{hashlib.sha256(bytes(folder)).hexdigest()[:6]}"


def make_bridge(folder: Path) -> str:
    """Its name. Raises OSError where the kernel has no bridges or we may not; one that is there is kept."""
    name = bridge_name(folder)
    with _any_socket() as handle:
        try:
            fcntl.ioctl(handle, _ADD_BRIDGE, name.encode() + b"\0")
        except OSError as error:
            if error.errno != errno.EEXIST:
                raise
    return name


def remove_bridge(folder: Path) -> None:
    """Takes the folder, not a name: nothing but the bridge that we made for it is ever taken down."""
    name = bridge_name(folder)
    if not (Path("/sys/class/net") / name / "bridge").is_dir():
        return
    with _any_socket() as handle:
        fcntl.ioctl(handle, _SET_FLAGS, struct.pack("16sH14x", name.encode(), _DOWN))
        fcntl.ioctl(handle, _DELETE_BRIDGE, name.encode() + b"\0")


def _any_socket() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
