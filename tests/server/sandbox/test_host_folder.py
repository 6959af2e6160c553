import os
from pathlib import Path

import pytest

from server.sandbox.host_folder import Held, Swapped, below, opened, read_small

pytestmark = pytest.mark.promise("workspace.checked")


def test_a_folder_is_opened_by_its_components_and_compared(tmp_path: Path) -> None:
    info = tmp_path.stat()
    with opened(tmp_path, (info.st_dev, info.st_ino)) as handle:
        assert os.fstat(handle).st_ino == info.st_ino

    with pytest.raises(Swapped, match="swapped"), opened(tmp_path, (info.st_dev, info.st_ino + 1)):
        pass


def test_no_component_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")

    with pytest.raises(OSError, match=r"Not a directory|symbolic"), opened(tmp_path / "link" / "inner"):
        pass
    with (
        opened(tmp_path) as root,
        pytest.raises(OSError, match=r"Not a directory|symbolic"),
        below(root, ("link", "inner")),
    ):
        pass
    with opened(tmp_path) as root, below(root, ("real", "inner")) as inner:
        assert os.fstat(inner).st_ino == (tmp_path / "real" / "inner").stat().st_ino


def test_only_a_regular_file_is_read_and_no_fifo_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "fifo")
    with opened(tmp_path) as root:
        assert [read_small(root, name, 4) for name in ("file", "link", "fifo", "none")] == [b"cont", None, None, None]


def test_descriptors_are_given_back(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with opened(tmp_path) as root:
        held = Held(root)
        with pytest.raises(FileNotFoundError), below(root, ("none", "deeper")):
            pass
    assert os.fstat(held.handle).st_ino == tmp_path.stat().st_ino
    del held

    assert len(list(Path("/proc/self/fd").iterdir())) == before
