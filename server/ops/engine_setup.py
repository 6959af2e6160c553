"""`sandgate engine ensure`: an engine that answers, installed and started where that is possible and allowed."""

import os
import shutil
import subprocess  # noqa: TID251  # apt-cache and systemctl are asked of the host: there is no sandbox yet
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from server.ops import apt, private_engine
from server.sandbox.engine import NEXT, Engine, NoEngine, find_engine

_PACKAGES: Final = ("docker.io", "iptables", *apt.MMDEBSTRAP)
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

_TELL: Final[Say] = partial(print, flush=True)  # a log shows it before what comes next


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
        raise NoEngine(f"{str(missing).removesuffix(NEXT)}{advice()}") from missing
    try:
        if shutil.which("dockerd", path=apt.path_of(environ)) is None:
            _install(environ, say)
        return private_engine.start(state_dir, environ, say)
    except private_engine.NotStarted as error:
        raise NoEngine(f"No container engine answers, and a private one did not start: {error}") from error


def advice(platform: str = sys.platform, os_release: Path = Path("/etc/os-release")) -> str:
    """What a person does who has no engine and is not root."""
    if platform in _ADVICE:
        return _ADVICE[platform]
    return _DEBIAN_ADVICE if apt.is_debian(os_release) else _OTHER_ADVICE


def _install(environ: Mapping[str, str], say: Say) -> None:
    if not apt.is_here(environ):
        raise NoEngine(
            f"There is no Docker here, and it can be installed for you only on Debian or Ubuntu. {_OTHER_ADVICE}"
        )
    try:
        apt.install(lambda: (*_PACKAGES, *_needed_here(environ)), environ, say)
    except apt.NotInstalled as error:
        raise NoEngine(str(error)) from error
    _leave_disabled(environ, say)


def _needed_here(
    environ: Mapping[str, str], apparmor: Path = Path("/sys/module/apparmor/parameters/enabled")
) -> list[str]:
    """Ubuntu has the `docker` command inside docker.io; an engine on an AppArmor kernel starts nothing without its parser."""
    more = ["docker-cli"] if _is_package("docker-cli", environ) else []
    return [*more, "apparmor"] if apparmor.exists() and apparmor.read_text().startswith("Y") else more


def _is_package(name: str, environ: Mapping[str, str]) -> bool:
    program = shutil.which("apt-cache", path=apt.path_of(environ)) or "apt-cache"
    asked = subprocess.run([program, "show", name], check=False, env=dict(environ), capture_output=True, timeout=60)  # noqa: S603  # our own words
    return asked.returncode == 0


def _leave_disabled(environ: Mapping[str, str], say: Say) -> None:
    """The package enables a system-wide engine for the next boot, which nobody asked for."""
    systemctl = shutil.which("systemctl", path=apt.path_of(environ))
    if systemctl is None or not Path("/run/systemd/system").is_dir():
        return
    say("Leaving the packages' own services disabled (systemctl enable --now docker turns them on)")
    argv = [systemctl, "disable", "--quiet", "docker.service", "docker.socket", "containerd.service"]
    subprocess.run(argv, check=False, env=environ, stdin=subprocess.DEVNULL, timeout=60)  # noqa: S603  # found on root's PATH, our own words
