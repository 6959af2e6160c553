"""How a sandbox sees its folder of sockets: bound from this machine, or out of the volume that a server in a container has."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from server.sandbox.sandbox import LINK_DIR, SandboxFailed

_SUBPATH_SINCE: Final = (1, 45)  # the engine's API, Docker 26: an older one would mount the whole volume

type LinkMount = Callable[[Path, str], dict[str, Any]]  # a folder, and the version of the engine's API


def bound(folder: Path, _: str) -> dict[str, Any]:
    """Connecting through a read-only mount works; replacing a socket does not."""
    options = {"Propagation": "rprivate"}  # what is mounted on the host later does not appear inside
    return {"Type": "bind", "Source": str(folder), "Target": LINK_DIR, "ReadOnly": True, "BindOptions": options}


@dataclass(frozen=True, slots=True)
class SocketVolume:
    """The engine's volume `name`, which this server has at `root`."""

    name: str
    root: Path

    def __call__(self, folder: Path, version: str) -> dict[str, Any]:
        """That folder of it and no other. Raises SandboxFailed where the engine cannot do so."""
        if tuple(map(int, version.split("."))) < _SUBPATH_SINCE:
            raise SandboxFailed(
                f"the engine (API {version}) cannot mount a part of a volume, which sandbox.socket_volume takes: use Docker 26 "
                "or later, or run the server outside of a container"
            )
        part = {"NoCopy": True, "Subpath": str(folder.relative_to(self.root))}
        return {"Type": "volume", "Source": self.name, "Target": LINK_DIR, "ReadOnly": True, "VolumeOptions": part}
