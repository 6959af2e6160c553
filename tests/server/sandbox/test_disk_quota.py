"""Which engines are asked for a limit of a container's disk, by what `docker info` tells of them."""

from typing import Any

import pytest

from server.sandbox.disk_quota import may_have_quota


def told(driver: str, *status: tuple[str, str]) -> dict[str, Any]:
    return {"Driver": driver, "DriverStatus": [list(line) for line in status]}


@pytest.mark.promise("sandbox.disk")
@pytest.mark.parametrize(
    ("info", "may"),
    [
        (told("overlay2", ("Backing Filesystem", "xfs"), ("Supports d_type", "true")), True),
        (told("overlay2", ("Backing Filesystem", "extfs")), False),
        (told("btrfs", ("Btrfs", "")), True),
        (told("zfs", ("Zpool", "tank")), True),
        (told("overlayfs", ("driver-type", "io.containerd.snapshotter.v1")), False),  # takes a size, and ignores it
        (told("vfs"), False),
        ({"Driver": "overlay2", "DriverStatus": None}, False),
        ({}, False),
    ],
)
def test_only_an_engine_that_refuses_a_size_it_cannot_hold_is_asked_for_one(info: dict[str, Any], *, may: bool) -> None:
    assert may_have_quota(info) is may
