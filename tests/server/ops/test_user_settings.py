"""The user's file is changed whole or not at all."""

import os
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from server.ops.user_settings import NotSaved, alone, parsed, save
from server.settings.http import digest
from tests.end_to_end.rig import PROGRAM
from tests.waiting import until


def test_what_is_not_there_is_empty(tmp_path: Path) -> None:
    assert parsed(tmp_path / "none.toml").unwrap() == {}


@pytest.mark.parametrize("content", [b"a = ", b"\xff\xfe"])
def test_what_cannot_be_read_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(NotSaved, match="nothing was changed"):
        parsed(path)
    assert path.read_bytes() == content


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "dotfiles.toml", tmp_path / "sandgate.toml"
    target.write_text("")
    link.symlink_to(target)
    save(link, "a = 1\n")
    assert link.is_symlink()
    assert target.read_text() == "a = 1\n"


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotSaved, match="nothing was changed"):
        save(tmp_path / "file/below/sandgate.toml", "")


@pytest.mark.parametrize("words", ["allow ls", "token new bob", "token revoke ann", "init --yes"])
def test_what_another_changes_meanwhile_is_not_taken_back(tmp_path: Path, words: str) -> None:
    path = tmp_path / ".config/sandgate/sandgate.toml"
    path.parent.mkdir(parents=True)
    before = "" if words.startswith("init") else f'[[http.tokens]]\nname = "ann"\nsha256 = "{digest("x")}"\n'
    path.write_text(before) if before else None
    environ = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    with ExitStack() as ends:
        with alone(path):
            argv, pipe = [PROGRAM, *words.split()], subprocess.PIPE
            process = ends.enter_context(subprocess.Popen(argv, env=environ, stdout=pipe, stderr=pipe))
            until(lambda: _waits(process.pid) or process.poll() is not None)
            assert process.poll() is None, "it did not wait"
            path.write_text(f'[egress]\nallow = ["a.example"]\n{before}')
        said, wrong = process.communicate(timeout=60)

    assert parsed(path).unwrap()["egress"] == {"allow": ["a.example"]}, said
    assert (process.returncode == 0) != words.startswith("init"), wrong


def _waits(process: int) -> bool:
    """For a lock, as the kernel lists it."""
    rows = map(str.split, Path("/proc/locks").read_text().splitlines())
    return any(row[1] == "->" and row[5] == str(process) for row in rows)
