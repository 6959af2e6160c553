"""scripts/setup where it cannot go on: one sentence that says what to do. That it works, every `make test` shows."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BASICS = ("cat", "cksum", "date", "dirname", "grep", "id", "mktemp", "pwd", "rm", "sh", "sleep", "tail")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder as `git clone` leaves it, with a PATH that has neither Python nor uv."""
    (tmp_path / "bin").mkdir()
    for name in BASICS:
        found = shutil.which(name, path="/usr/bin:/bin")
        assert found is not None
        (tmp_path / "bin" / name).symlink_to(found)
    for name in ("scripts/setup", "pyproject.toml", "requirements/dev.txt", "requirements/oracle.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def setup(checkout: Path, *argv: str, **environ: str) -> subprocess.CompletedProcess[str]:
    variables = {"PATH": str(checkout / "bin"), "HOME": str(checkout), **environ}
    return subprocess.run(
        ["/bin/sh", str(checkout / "scripts/setup"), *argv],
        check=False,
        capture_output=True,
        text=True,
        env=variables,
        timeout=60,
    )


def program(checkout: Path, name: str, script: str) -> None:
    path = checkout / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def made(checkout: Path, sandgate: str = "exit 0") -> None:
    """As after a first run: an environment and the stamp that says what it was made from."""
    program(checkout, ".venv/bin/python", "exit 0")
    program(checkout, ".venv/bin/sandgate", sandgate)
    program(checkout, "bin/uv", "exit 0")
    assert setup(checkout, "--python-only").returncode == 0


def test_without_python_and_without_apt_it_says_what_to_install(checkout: Path) -> None:
    ended = setup(checkout)

    assert ended.returncode == 1
    assert "install it (Debian, Ubuntu: sudo apt-get install python3-venv) or install uv" in ended.stderr


def test_it_says_first_what_it_will_do_and_what_needs_root(checkout: Path) -> None:
    said = setup(checkout).stdout

    assert "two to five minutes" in said
    assert "no root" in said
    assert "as root on Debian or Ubuntu, installs docker.io" in said


def test_a_shim_that_does_not_work_is_not_taken_for_uv(checkout: Path) -> None:
    program(checkout, "bin/uv", "exit 127")
    program(checkout, ".local/bin/uv", 'echo "uv $*"')

    assert setup(checkout, "--uv", "pip", "list").stdout == "uv pip list\n"


def test_an_unknown_argument_is_refused(checkout: Path) -> None:
    ended = setup(checkout, "--faster")

    assert ended.returncode == 1
    assert "unknown argument --faster" in ended.stderr


def test_a_second_run_does_nothing_until_the_lock_changes(checkout: Path) -> None:
    made(checkout)
    program(checkout, "bin/uv", "echo called >>called; exit 0")

    assert setup(checkout, "--python-only").stdout == ""

    (checkout / "requirements/dev.txt").write_text("other")
    assert "4 of 4" in setup(checkout, "--python-only").stdout
    assert "called" in (checkout / "called").read_text()


def test_what_takes_long_is_counted_and_its_own_words_are_kept_back(checkout: Path) -> None:
    made(checkout)
    program(checkout, "bin/uv", "echo noise; echo more noise >&2")
    (checkout / "requirements/dev.txt").write_text("a==1\nb==2\n")

    ended = setup(checkout, "--python-only")

    assert re.search(r"^setup: Python 4 of 4: downloading and installing 2 packages$", ended.stdout, re.MULTILINE)
    assert re.search(r"^setup: Python 4 of 4: .* packages: done in \d+ s$", ended.stdout, re.MULTILINE)
    assert "noise" not in ended.stdout + ended.stderr


def test_packages_that_cannot_be_had_are_said_with_the_last_lines_and_what_to_do(checkout: Path) -> None:
    made(checkout)
    program(checkout, "bin/uv", 'case "$*" in "pip sync"*) echo error: connection refused; exit 2;; esac')
    (checkout / "requirements/dev.txt").write_text("other")

    ended = setup(checkout, "--python-only")

    assert ended.returncode == 1
    assert ended.stderr.startswith("error: connection refused\nsetup: the packages could not be installed; see above.")
    assert "set HTTPS_PROXY, and SSL_CERT_FILE to its certificates. Then run this again." in ended.stderr
    assert "4 of 4" in setup(checkout, "--python-only").stdout  # what was not finished is begun again


def test_a_full_disk_is_no_reason_to_install_anything(checkout: Path) -> None:
    program(checkout, "bin/python3", 'case "$*" in *.tools) echo "[Errno 28] No space left on device"; exit 1;; esac')
    program(checkout, "bin/apt-get", "echo called >>apt; exit 0")

    ended = setup(checkout, "--python-only")

    assert ended.returncode == 1
    assert "No space left on device\nsetup: python3 cannot make a virtual environment; see above" in ended.stderr
    assert not (checkout / "apt").exists()


def test_a_checkout_that_was_moved_is_set_up_again(checkout: Path) -> None:
    made(checkout)
    moved = checkout.parent / "moved"
    os.rename(checkout, moved)  # noqa: PTH104  # a rename, as a person does it

    assert "this makes .venv" in setup(moved, "--python-only").stdout


def test_the_machines_certificates_are_used_for_the_images_and_that_is_said(checkout: Path) -> None:
    made(checkout, 'echo "sandgate $*"')
    (checkout / "ca.pem").write_text("a certificate")

    ended = setup(checkout, SSL_CERT_FILE=str(checkout / "ca.pem"))

    lines = ended.stdout.splitlines()
    assert lines[0] == "sandgate engine ensure"
    assert "using the certificates of" in lines[1]
    assert lines[2] == f"sandgate images build --ca-bundle {checkout}/ca.pem"
    assert setup(checkout).stdout.splitlines() == ["sandgate engine ensure", "sandgate images build"]


def test_certificates_that_cannot_be_read_are_said_before_anything_is_built(checkout: Path) -> None:
    made(checkout, 'echo "sandgate $*"')

    ended = setup(checkout, CA_BUNDLE=str(checkout / "gone.pem"))

    assert ended.returncode == 1
    assert "gone.pem cannot be read" in ended.stderr
    assert ended.stdout == ""


def test_an_engine_that_cannot_be_had_ends_it(checkout: Path) -> None:
    made(checkout, "echo no engine here >&2; exit 1")

    ended = setup(checkout)

    assert ended.returncode == 1
    assert ended.stderr == "no engine here\n"


def test_without_a_browser_and_without_apt_it_says_what_is_skipped(checkout: Path) -> None:
    ended = setup(checkout, "--browser")

    assert ended.returncode == 0
    assert "tests of the page in a browser are skipped" in ended.stdout
