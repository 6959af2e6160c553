"""A Debian to start from where no registry answers: mmdebstrap on this machine, as a tar for the engine to import."""

import shutil
import subprocess  # noqa: TID251  # mmdebstrap makes the image that every sandbox starts from: there is no sandbox yet
from collections.abc import Callable
from pathlib import Path
from typing import Final

SUITE: Final = "trixie"
_MINUTES_15: Final = 900  # measured: 17 s; a slow mirror is given much more
_LEFT_OUT: Final = ("doc", "info", "locale", "man", "lintian")


class NoDebian(Exception):
    """mmdebstrap is not installed, or it failed."""


def bootstrap(out: Path, say: Callable[[str], None]) -> None:
    """Write a minimal Debian as a tar to `out`; `say` hears mmdebstrap's own progress."""
    program = shutil.which("mmdebstrap")
    if program is None:
        raise NoDebian("mmdebstrap is not installed (apt-get install mmdebstrap)")
    excludes = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _LEFT_OUT]
    argv = [program, "--variant=minbase", *excludes, SUITE, str(out)]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603  # our own words only
        last = _relay(process, say)
        if process.wait(timeout=_MINUTES_15) != 0:
            raise NoDebian(f"mmdebstrap failed: {last or 'it said nothing'}")


def _relay(process: subprocess.Popen[str], say: Callable[[str], None]) -> str:
    last = ""
    for line in process.stderr or ():
        last = line.strip() or last
        if line.startswith("I:"):
            say(line.removeprefix("I:").strip())
    return last
