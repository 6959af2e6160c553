"""The package as a user has it: the wheel, installed outside the checkout."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parent.parent


def build(folder: Path) -> Path:
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=ROOT)
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(wheel: Path, folder: Path) -> Path:
    """The console script of an environment that holds the wheel alone. What it depends on is this environment's, by a path
    that is no site folder: the checkout, which only a .pth of this environment names, is not to be seen from there."""
    run(sys.executable, "-m", "venv", "--without-pip", str(folder), cwd=ROOT)
    pip = (sys.executable, "-m", "pip", "--python", str(folder), "--disable-pip-version-check")
    run(*pip, "install", "-q", "--root-user-action=ignore", "--no-deps", "--no-index", str(wheel), cwd=ROOT)
    (site,) = folder.glob("lib/*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    shutil.copy(Path(sysconfig.get_path("scripts")) / "shfmt", folder / "bin")
    return folder / "bin/sandgate"


def run(*argv: str, cwd: Path, timeout_s: float = 60, **environ: str) -> str:
    """What it wrote; the test fails with all of that where it does not end with 0."""
    done = subprocess.run(
        argv, cwd=cwd, env=environ or None, capture_output=True, text=True, timeout=timeout_s, check=False
    )
    assert done.returncode == 0, f"{argv}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout
