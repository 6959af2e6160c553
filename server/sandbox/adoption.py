"""What a server that died left waiting: found on the engine and among the folders of sockets, and awake."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from server.sandbox.engine import NotThere, get_json, post
from server.sandbox.sandbox import SandboxLost

PATIENCE_S: Final = 20.0  # an agent that waits dials twice a second; on a loaded machine all of it takes its time
ENGINE_S: Final = 5.0  # of that, for one answer of the engine's: to be away is not the sandbox's end


@dataclass(frozen=True, slots=True)
class Left:
    """A sandbox's PID 1, as the host numbers it, the environment that its image gives, and whether its disk has a quota."""

    pid: int
    env: tuple[str, ...]
    disk_quota: bool


def find_left(url: str, sandbox_id: str) -> Left:
    """Awake: whoever should have woken it may have died as well. Raises SandboxLost, and Unreachable where nobody knows."""
    container = f"/containers/sandgate-{sandbox_id}"
    try:
        told = get_json(url, f"{container}/json", ENGINE_S)
        if told["State"]["Paused"]:
            post(url, f"{container}/unpause", ENGINE_S)  # where that fails, its agent does not come
        quota = bool(told["HostConfig"].get("StorageOpt"))
        return Left(int(told["State"]["Pid"]), tuple(told["Config"]["Env"] or ()), quota)
    except (NotThere, KeyError, TypeError, ValueError) as exc:
        raise SandboxLost(f"it is gone: {exc}") from exc


def move_here(runtime: Path, folder: Path) -> None:
    """Its folder of sockets, from wherever its server had it; what is mounted from it inside goes along. Raises SandboxLost."""
    if folder.exists():
        return
    found = next(runtime.glob(f"*/{folder.name}"), None)
    if found is None:
        raise SandboxLost("the folder of its sockets is gone")
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    found.rename(folder)
