"""What weighs sandboxes, where one of them tries to lead it elsewhere or to keep it; see also tests/server/sandbox/test_scales.py."""

import importlib
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.images.world import AGENT

sys.path.insert(0, str(AGENT))
weigh: Any = importlib.import_module("weigh")

pytestmark = [
    pytest.mark.promise("sandbox.disk"),
    pytest.mark.skipif(os.geteuid() != 0, reason="without a trace only root reads folders of others"),
]


def test_a_link_in_place_of_a_volumes_folder_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "real/data").mkdir(parents=True)
    (tmp_path / "elsewhere/data").mkdir(parents=True)
    os.close(weigh._beneath(str(tmp_path), "/real/data"))
    (tmp_path / "real").rename(tmp_path / "moved")
    (tmp_path / "real").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "moved/data").rmdir()
    (tmp_path / "moved/data").symlink_to("/")
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - of descriptors only their number counts

    for target in ("/real/data", "/moved/data"):
        with pytest.raises(OSError, match="Not a directory"):
            weigh._beneath(str(tmp_path), target)

    assert len(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208


@pytest.mark.parametrize(("sandboxes", "most_s"), [(1, 20), (3, 60), (40, 60), (500, 500)])
def test_many_that_take_all_the_time_they_have_do_not_keep_the_others_from_being_judged(
    sandboxes: int, most_s: float
) -> None:
    spent = 0.0
    for left in range(sandboxes, 0, -1):
        spent += weigh.share(weigh.ALL_S - spent, left)

    assert spent <= most_s + 0.001
