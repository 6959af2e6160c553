"""`sandgate engine ensure`: an engine that answers, installed and started where that is possible and allowed."""

import os
import shutil
import subprocess  # noqa: TID251  # apt-get installs the engine that sandboxes need: there is no sandbox yet
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from server.ops import private_engine
from server.sandbox.engine import Engine, NoEngine, find_engine

_INSTALL_S: Final = 900  # measured: 25 s; a slow mirror is given much more
_PACKAGES: Final = ("docker.io", "iptables", "mmdebstrap", "debian-archive-keyring")
_POLICY: Final = Path("/usr/sbin/policy-rc.d")
_DEBIAN_ADVICE: Final = (
    "Run once `sudo apt-get install docker.io && sudo usermod -aG docker $USER` and log in again, "
    "or run this command as root."
)
_ADVICE: Final = {
    "darwin": "Start Docker Desktop, OrbStack or Colima (`brew install colima docker && colima start`).",
    "win32": "Run Sandgate inside WSL 2, with Docker there.",
}
_OTHER_ADVICE: Final = (
    "Install Docker with your package manager, start it (`sudo systemctl enable --now docker`) and add yourself to the "
    "group docker."
)

type Say = Callable[[str], None]

_TELL: Final[Say] = partial(print, flush=True)  # before what apt-get prints by itself


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """`sentence` is for a person."""

    engine: Engine | None
    sentence: str


def ensure(environ: Mapping[str, str], home: Path, state_dir: Path, say: Say = _TELL) -> Engine:
    """Use the engine that answers; else, as root, start a private one, installed from Debian's packages if need be.

    Raises NoEngine with the one thing to do next where neither is possible.
    """
    try:
        engine = find_engine(environ, home, state_dir)
    except NoEngine as missing:
        if missing.chosen:
            raise
        engine = _make_one(environ, state_dir, say, missing)
    say(describe(engine))
    return engine


def status(environ: Mapping[str, str], home: Path, state_dir: Path) -> EngineStatus:
    try:
        engine = find_engine(environ, home, state_dir)
    except NoEngine as missing:
        return EngineStatus(None, str(missing))
    return EngineStatus(engine, describe(engine))


def stop(state_dir: Path, say: Say = _TELL) -> bool:
    """End our own engine; an engine that we did not start is never touched. False when ours does not run."""
    return private_engine.stop(state_dir, say)


def describe(engine: Engine) -> str:
    return f"Docker {engine.version} answers at {engine.url} ({engine.source})."


def _make_one(environ: Mapping[str, str], state_dir: Path, say: Say, missing: NoEngine) -> Engine:
    if os.geteuid() != 0:
        raise NoEngine(f"{missing} {advice()}") from missing
    try:
        if shutil.which("dockerd", path=_path(environ)) is None:
            _install(environ, say)
        return private_engine.start(state_dir, environ, say)
    except private_engine.NotStarted as error:
        raise NoEngine(f"No container engine answers, and a private one did not start: {error}") from error


def advice(platform: str = sys.platform, os_release: Path = Path("/etc/os-release")) -> str:
    """What a person does who has no engine and is not root."""
    if platform in _ADVICE:
        return _ADVICE[platform]
    return _DEBIAN_ADVICE if _is_debian(os_release) else _OTHER_ADVICE


def _is_debian(os_release: Path) -> bool:
    try:
        lines = os_release.read_text().splitlines()
    except OSError:
        return False
    told = {key: value.strip('"') for key, _, value in (line.partition("=") for line in lines)}
    return "debian" in {told.get("ID", ""), *told.get("ID_LIKE", "").split()}


def _path(environ: Mapping[str, str]) -> str:
    return f"{environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/bin:/bin"


def _install(environ: Mapping[str, str], say: Say) -> None:
    apt = shutil.which("apt-get", path=_path(environ))
    if apt is None or not _is_debian(Path("/etc/os-release")):
        raise NoEngine(
            f"There is no Docker here, and it can be installed for you only on Debian or Ubuntu. {_OTHER_ADVICE}"
        )
    say(f"Installing {', '.join(_PACKAGES)} with apt-get (about half a minute); no service of the system is started")
    quiet = {**environ, "DEBIAN_FRONTEND": "noninteractive"}
    with _no_services_start(_POLICY):
        _apt([apt, "-q", "update"], quiet)
        _apt([apt, "-q", "install", "-y", "--no-install-recommends", *_PACKAGES, *_needed_here(quiet)], quiet)
    _leave_disabled(environ, say)


def _needed_here(
    environ: Mapping[str, str], apparmor: Path = Path("/sys/module/apparmor/parameters/enabled")
) -> list[str]:
    """Ubuntu has the `docker` command inside docker.io; an engine on an AppArmor kernel starts nothing without its parser."""
    more = ["docker-cli"] if _is_package("docker-cli", environ) else []
    return [*more, "apparmor"] if apparmor.exists() and apparmor.read_text().startswith("Y") else more


def _is_package(name: str, environ: Mapping[str, str]) -> bool:
    program = shutil.which("apt-cache", path=_path(environ)) or "apt-cache"
    asked = subprocess.run([program, "show", name], check=False, env=dict(environ), capture_output=True, timeout=60)  # noqa: S603  # our own words
    return asked.returncode == 0


def _apt(argv: list[str], environ: Mapping[str, str]) -> None:
    try:
        subprocess.run(argv, check=True, env=environ, stdin=subprocess.DEVNULL, timeout=_INSTALL_S)  # noqa: S603  # found on root's PATH, our own words
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise NoEngine(f"`{' '.join(argv)}` failed ({error}); what it printed above says why.") from error


@contextmanager
def _no_services_start(policy: Path) -> Iterator[None]:
    """Debian's own switch: while this program answers 101, installing a package starts no service."""
    if policy.exists():
        yield  # someone's own policy stands
        return
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink(missing_ok=True)


def _leave_disabled(environ: Mapping[str, str], say: Say) -> None:
    """The package enables a system-wide engine for the next boot, which nobody asked for."""
    systemctl = shutil.which("systemctl", path=_path(environ))
    if systemctl is None or not Path("/run/systemd/system").is_dir():
        return
    say("Leaving the packages' own services disabled (systemctl enable --now docker turns them on)")
    argv = [systemctl, "disable", "--quiet", "docker.service", "docker.socket", "containerd.service"]
    subprocess.run(argv, check=False, env=environ, stdin=subprocess.DEVNULL, timeout=60)  # noqa: S603  # found on root's PATH, our own words
