"""A Debian to start from where no registry answers: mmdebstrap on this machine, as a tar for the engine to import."""

import shutil
import subprocess  # noqa: TID251  # mmdebstrap makes the image that every sandbox starts from: there is no sandbox yet
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from server.sandbox.apt_lines import trouble

SUITE: Final = "trixie"
_MINUTES_15: Final = 900  # measured: 17 s; a slow mirror is given much more
_LEFT_OUT: Final = ("doc", "info", "locale", "man", "lintian")
# As Debian's own images have it: no package is waited for until it is on the disk, and no translations are fetched.
_QUICK: Final = ("--dpkgopt=force-unsafe-io", '--aptopt=Acquire::Languages "none"')
PHASES: Final = (
    "running apt-get update",
    "downloading packages with apt",
    "extracting archives",
    "installing essential packages",
    "installing remaining packages inside the chroot",
    "cleaning package lists and apt cache",
    "creating tarball",
)  # as mmdebstrap names them, in this order
_KEPT: Final = 15  # last lines of a failure


class NoDebian(Exception):
    """mmdebstrap failed; `advice` may say what to do, `log` has the last lines that it printed."""

    def __init__(self, sentence: str, advice: str = "", log: str = "") -> None:
        super().__init__(sentence)
        self.advice, self.log = advice, log


class NoMmdebstrap(NoDebian):
    """It is not installed."""


def bootstrap(out: Path, say: Callable[[str], None]) -> None:
    """Write a minimal Debian as a tar to `out`; `say` hears each of PHASES as it begins. Raises NoDebian."""
    program = shutil.which("mmdebstrap")
    if program is None:
        raise NoMmdebstrap("mmdebstrap is not installed", "Install it (sudo apt-get install mmdebstrap)")
    excludes = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _LEFT_OUT]
    argv = [program, "--variant=minbase", *_QUICK, *excludes, SUITE, str(out)]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603  # our own words only
        lines = _relay(process, say)
        if process.wait(timeout=_MINUTES_15) != 0:
            raise _failure(lines)


def _relay(process: subprocess.Popen[str], say: Callable[[str], None]) -> list[str]:
    lines = deque[str](maxlen=_KEPT)
    for line in process.stderr or ():
        lines.append(line.strip())
        phase = line.removeprefix("I: ").strip().rstrip(".")
        if phase in PHASES:
            say(phase)
    return [line for line in lines if line]


def _failure(lines: list[str]) -> NoDebian:
    """Its very last words only say that it failed."""
    told = next((line for line in lines if line.startswith("E:")), lines[-1] if lines else "it said nothing")
    log = "\n".join(lines)
    advice = trouble(log)
    return NoDebian(f"mmdebstrap failed: {told}", f"{advice[:1].upper()}{advice[1:]}", log)
