import os
from pathlib import Path

import pytest

from server.ops.bridge_device import bridge_name, make_bridge, remove_bridge

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may make network devices")


def test_each_folder_has_a_name_that_the_kernel_takes() -> None:
    names = {bridge_name(Path(folder)) for folder in ("/a", "/b")}

    assert len(names) == 2
    assert {len(name) for name in names} == {15}


def test_a_bridge_is_made_once_and_removed_once(tmp_path: Path) -> None:
    device = Path("/sys/class/net") / bridge_name(tmp_path)

    assert make_bridge(tmp_path) == make_bridge(tmp_path) == device.name
    assert (device / "bridge").is_dir()

    remove_bridge(tmp_path)
    remove_bridge(tmp_path)
    assert not device.exists()


def test_removing_what_was_never_made_touches_nothing(tmp_path: Path) -> None:
    def devices() -> dict[str, str]:
        return {path.name: (path / "flags").read_text() for path in Path("/sys/class/net").iterdir()}

    before = devices()
    remove_bridge(tmp_path)

    assert devices() == before
