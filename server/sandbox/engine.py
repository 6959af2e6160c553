"""Which container engine to use, found without the `docker` package so that a command that needs none starts fast."""

import http.client
import json
import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from server.runtime_folder import runtime_folder

PROBE_S: Final = 2.0
PATIENCE_S: Final = 10.0  # on a busy machine an engine takes its time
HOST_NETWORK_LABEL: Final = "sandgate.builds-on=host-network"  # our private engine's bridge leads nowhere
_SYSTEM_SOCKET: Final = Path("/var/run/docker.sock")
NEXT: Final = (
    "Start Docker, or run `sandgate engine ensure` (as root on Debian or Ubuntu it sets up a private one), "
    "or name an engine with DOCKER_HOST."
)


class NoEngine(Exception):
    """No container engine answers; the sentence lists what was tried and what to do next.

    `chosen`: the user named one that does not answer, so that starting another would not be what was asked for.
    """

    def __init__(self, sentence: str, *, chosen: bool = False) -> None:
        super().__init__(sentence)
        self.chosen = chosen


class Unreachable(Exception):
    """One engine address does not answer; the sentence says why."""


class NoAnswer(Unreachable):
    """It was asked and has not answered in time: what was asked for may still be done."""


class NotThere(Unreachable):
    """The engine answers, and has nothing of that name."""


@dataclass(frozen=True, slots=True)
class Engine:
    """`source` says where its address came from; `kernel` is the one that its containers run on."""

    url: str
    source: str
    version: str
    kernel: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """`chosen` means that the user named it: then it must answer, and no other is tried."""

    url: str
    source: str
    chosen: bool = False


def private_folder(state_dir: Path) -> Path:
    return state_dir / "engine"


def private_url(state_dir: Path) -> str:
    return f"unix://{private_folder(state_dir) / 'docker.sock'}"


def find_engine(environ: Mapping[str, str], home: Path, state_dir: Path) -> Engine:
    """The first that answers, in the order of `candidates`: each is given two seconds, and ten where none of them does."""
    failed: dict[Candidate, Unreachable] = {}
    for patience_s in (PROBE_S, PATIENCE_S):
        for candidate in candidates(environ, home, state_dir):
            try:
                if isinstance(failed.get(candidate, NoAnswer()), NoAnswer):
                    return probe(candidate.url, candidate.source, patience_s)
            except Unreachable as error:
                failed[candidate] = error
            if candidate.chosen:
                break
    tried: dict[str, list[str]] = {}
    for candidate, why in failed.items():
        if candidate.chosen:
            sentence = f"The engine that {candidate.source} names ({candidate.url}) does not answer: {why}."
            raise NoEngine(f"{sentence} Start it, or choose another.", chosen=True) from why
        tried.setdefault(str(why), []).append(candidate.url.removeprefix("unix://"))
    told = "; ".join(f"{', '.join(urls)} ({why})" for why, urls in tried.items())
    raise NoEngine(f"No container engine answers. Tried: {told}. {NEXT}")


def candidates(environ: Mapping[str, str], home: Path, state_dir: Path) -> Iterator[Candidate]:
    """DOCKER_HOST, the current Docker context, the usual sockets, and last the private engine that we start."""
    if host := environ.get("DOCKER_HOST"):
        yield Candidate(host, "DOCKER_HOST", chosen=True)
    if context := _context(environ, home):
        yield context
    for path in _usual_sockets(environ, home):
        yield Candidate(f"unix://{path}", "a usual socket")
    yield Candidate(private_url(state_dir), "the private engine")


def engine_folders(environ: Mapping[str, str], home: Path, state_dir: Path) -> tuple[Path, ...]:
    """The folders of all sockets that an engine may answer on: whoever can enter one of them owns the machine."""
    urls = [candidate.url for candidate in candidates(environ, home, state_dir)]
    sockets = [Path(url.removeprefix("unix://")) for url in urls if url.startswith("unix://")]
    return tuple(dict.fromkeys(folder for socket in sockets for folder in (socket.parent, socket.resolve().parent)))


def probe(url: str, source: str, timeout_s: float = PROBE_S) -> Engine:
    """Ask for a sign of life and the version."""
    if get(url, "/_ping", timeout_s).strip() != b"OK":
        raise Unreachable("something answers there, but it is not a container engine")
    told = get_json(url, "/version", timeout_s)
    return Engine(url, source, str(told.get("Version", "unknown")), str(told.get("KernelVersion", "")))


def data_root(url: str, info: Mapping[str, Any]) -> Path | None:
    """Where the engine keeps what it holds, where that is a folder of this machine's that we may see."""
    folder = str(info.get("DockerRootDir") or "")
    seen = url.startswith("unix:") and os.path.isdir(folder)  # noqa: PTH112 - Path's own raises where we may not look
    return Path(folder) if seen else None


def free_bytes(folder: Path | str) -> int | None:
    """On its file system; None where the engine was taken away with all that it had."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize


def get_json(url: str, path: str, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
    """One GET of the engine's API whose answer is a JSON object."""
    try:
        told = json.loads(get(url, path, timeout_s))
    except ValueError as error:
        raise Unreachable(f"it answers {path} with something that is not JSON") from error
    if not isinstance(told, dict):
        raise Unreachable(f"it answers {path} with JSON of an unknown shape")
    return told


def get(url: str, path: str, timeout_s: float = PATIENCE_S) -> bytes:
    status, body = _ask(url, "GET", path, timeout_s)
    if status == http.client.NOT_FOUND:
        raise NotThere(f"it answers {path} with HTTP 404")
    if status != http.client.OK:
        raise Unreachable(f"it answers {path} with HTTP {status}")
    return body


def uncounted(info: Mapping[str, Any]) -> Iterator[str]:
    """What of a sandbox's is held to no limit by the engine of that /info, a sentence each."""
    if info.get("CgroupVersion") == "1":
        yield (
            "The engine is on control groups v1: memory that a sandbox holds in TCP connections to itself counts against the "
            "machine's limit, not against its own."
        )


def post(url: str, path: str, timeout_s: float = PATIENCE_S) -> int:
    """An order without a body; the status of the engine's answer."""
    return _ask(url, "POST", path, timeout_s)[0]


def _ask(url: str, method: str, path: str, timeout_s: float) -> tuple[int, bytes]:
    connection = _connection(url, timeout_s)
    try:
        connection.request(method, path, headers={"Host": "docker"})
        answer = connection.getresponse()
        return answer.status, answer.read(1 << 20)
    except (OSError, http.client.HTTPException) as error:
        raise (NoAnswer if isinstance(error, TimeoutError) else Unreachable)(_why(url, error, timeout_s)) from error
    finally:
        connection.close()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _connection(url: str, timeout_s: float) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    match parts.scheme:
        case "unix":
            return _UnixConnection(url.removeprefix("unix://"), timeout_s)
        case "tcp" | "http" if parts.hostname:
            return http.client.HTTPConnection(parts.hostname, parts.port or 2375, timeout=timeout_s)
        case _:
            raise Unreachable(f"addresses like {url!r} are not supported, only unix:// and plain tcp://")


def _why(url: str, error: Exception, timeout_s: float) -> str:
    match error:
        case FileNotFoundError():
            return "no such socket"
        case PermissionError():
            return "permission denied: add yourself to the group docker and log in again, or use a rootless engine"
        case ConnectionRefusedError():
            return "nobody listens there"
        case TimeoutError():
            return f"no answer within {timeout_s:.0f} s"
        case OSError() if "path too long" in str(error):
            return f"the socket's path is over 107 bytes: {url}"
        case _:
            return str(error) or type(error).__name__


def _context(environ: Mapping[str, str], home: Path) -> Candidate | None:
    folder = Path(environ.get("DOCKER_CONFIG") or home / ".docker")
    asked = environ.get("DOCKER_CONTEXT")
    name = asked or str(_read_object(folder / "config.json").get("currentContext", ""))
    if name in {"", "default"}:
        return None
    source = f"the Docker context {name!r}"
    for meta in sorted(folder.glob("contexts/meta/*/meta.json")):
        told = _read_object(meta)
        if told.get("Name") == name:
            host = told.get("Endpoints", {}).get("docker", {}).get("Host", "")
            return Candidate(host, source, chosen=True)
    raise NoEngine(
        f"{source} is chosen ({'DOCKER_CONTEXT' if asked else folder / 'config.json'}) but does not exist.", chosen=True
    )


def _read_object(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise NoEngine(f"{path} cannot be read to find Docker's context: {error}.", chosen=True) from error
    return told if isinstance(told, dict) else {}


def _usual_sockets(environ: Mapping[str, str], home: Path) -> Iterator[Path]:
    yield _SYSTEM_SOCKET
    if runtime := runtime_folder(environ, os.geteuid()):
        yield runtime / "docker.sock"
    yield home / ".docker/run/docker.sock"
    yield home / ".docker/desktop/docker.sock"
    yield home / ".colima/default/docker.sock"
    yield home / ".orbstack/run/docker.sock"
