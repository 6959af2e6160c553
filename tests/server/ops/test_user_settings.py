"""The user's file is changed whole or not at all."""

from pathlib import Path

import pytest

from server.ops.user_settings import NotSaved, parsed, save


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
