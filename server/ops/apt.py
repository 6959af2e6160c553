"""Packages of Debian's, installed for who is root: an engine, and what makes images where no registry answers."""

import shutil
import subprocess  # noqa: TID251  # apt-get installs what sandboxes need: there is no sandbox yet
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from server.sandbox.apt_lines import AptLines, Step, trouble

MMDEBSTRAP: Final = ("mmdebstrap", "debian-archive-keyring")
_INSTALL_S: Final = 900  # measured: 25 s; a slow mirror is given much more
_POLICY: Final = Path("/usr/sbin/policy-rc.d")
_RELEASE: Final = Path("/etc/os-release")
_SHOWN: Final = 15  # of what apt-get printed last, where it fails

type Say = Callable[[str], None]


class NotInstalled(Exception):
    """apt-get failed; the sentence says what to do."""


def is_here(environ: Mapping[str, str]) -> bool:
    return shutil.which("apt-get", path=path_of(environ)) is not None and is_debian(_RELEASE)


def is_debian(os_release: Path) -> bool:
    try:
        lines = os_release.read_text().splitlines()
    except OSError:
        return False
    told = {key: value.strip('"') for key, _, value in (line.partition("=") for line in lines)}
    return "debian" in {told.get("ID", ""), *told.get("ID_LIKE", "").split()}


def path_of(environ: Mapping[str, str]) -> str:
    return f"{environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/bin:/bin"


def install(choose: Callable[[], Sequence[str]], environ: Mapping[str, str], say: Say) -> None:
    """choose: which, asked once their lists are new. Raises NotInstalled."""
    program = shutil.which("apt-get", path=path_of(environ)) or "apt-get"
    quiet = {**environ, "DEBIAN_FRONTEND": "noninteractive"}
    say("Reading Debian's package lists with apt-get (you are root)")
    with _no_services_start(_POLICY):
        _run([program, "-q", "update"], quiet, say)
        packages, started = choose(), time.monotonic()
        say(f"Installing {', '.join(packages)} (about half a minute); no service of the system is started")
        _run([program, "-q", "install", "-y", "--no-install-recommends", *packages], quiet, say)
    say(f"Installed in {time.monotonic() - started:.0f} s")


def _run(argv: list[str], environ: Mapping[str, str], say: Say) -> None:
    """What it prints becomes progress, and is shown where it fails. Raises NotInstalled."""
    from rich.console import Console  # noqa: PLC0415 - who only asks for the engine need not wait for it

    from server.ops.progress import progress  # noqa: PLC0415

    printed = deque[str](maxlen=_SHOWN)
    lines = AptLines("apt-get")
    with (
        progress(Console()) as on_progress,
        subprocess.Popen(  # noqa: S603  # found on root's PATH, our own words
            argv,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process,
    ):
        too_long = threading.Timer(_INSTALL_S, process.kill)
        too_long.daemon = True  # Ctrl-C does not wait for it
        too_long.start()
        on_progress(Step("apt-get", "starting"))
        for line in process.stdout or ():
            printed.append(line.rstrip())
            on_progress(lines.read(line.strip()))
        code = process.wait()
        too_long.cancel()
    if code:
        log = "\n".join(filter(None, printed))
        say(log)
        sentence = trouble(log) or "what it printed above says why"
        raise NotInstalled(f"`{' '.join(argv)}` failed with code {code}: {sentence}; then run this again.")


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
