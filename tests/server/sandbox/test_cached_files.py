"""Files that a preparation depends on, in folders where an agent may have been before."""

import os
from pathlib import Path

import pytest

from server.sandbox import cached_files
from server.sandbox.cached_files import BadCachedFile, read_all


def test_what_is_not_there_is_left_out_and_may_come_later(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "lock.json").write_bytes(b"\0\xff")

    assert read_all(tmp_path, ["app/lock.json", "requirements.txt", "no/such"]) == {"app/lock.json": b"\0\xff"}


@pytest.mark.promise("workspace.checked")
@pytest.mark.parametrize("name", ["link", "folder/secret", "pipe", "app"])
def test_a_link_or_a_pipe_in_a_file_s_place_is_refused_and_not_waited_for(tmp_path: Path, name: str) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    root.mkdir()
    (outside / "secret").write_text("the host's")
    (root / "link").symlink_to(outside / "secret")
    (root / "folder").symlink_to(outside)
    (root / "app").mkdir()
    os.mkfifo(root / "pipe")

    with pytest.raises(BadCachedFile, match="cache_on"):
        read_all(root, [name])


def test_a_file_too_large_for_a_key_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cached_files, "MAX_BYTES", 1 << 20)
    with (tmp_path / "data").open("wb") as file:
        file.truncate((1 << 20) + 1)

    with pytest.raises(BadCachedFile, match="larger than 1 MiB"):
        read_all(tmp_path, ["data"])
