"""The real git, as a test needs it: with nobody's own configuration."""

import os
import subprocess
from pathlib import Path

_ALONE = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
}
_WHO = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "safe.directory=*")


def git(folder: Path, *argv: str) -> str:
    """What it says; the test fails where it fails."""
    ran = subprocess.run(["git", *_WHO, "-C", str(folder), *argv], check=False, capture_output=True, env=_ALONE)
    assert ran.returncode == 0, ran.stderr.decode()
    return ran.stdout.decode()


def repository(folder: Path, files: dict[str, str]) -> Path:
    """A repository whose first commit has these files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "first")
    return folder
