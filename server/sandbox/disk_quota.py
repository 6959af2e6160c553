"""Whether an engine can hold a container to a size of disk."""

from collections.abc import Mapping
from typing import Any, Final

QUOTAS_OF_THEIR_OWN: Final = frozenset({"btrfs", "zfs"})


def may_have_quota(info: Mapping[str, Any]) -> bool:
    """By what `docker info` tells: one that may refuses a size it cannot hold, so that is tried.

    The others are not asked: with containerd's image store an engine takes the size without a word and holds nobody to it.
    """
    backing = dict(info.get("DriverStatus") or []).get("Backing Filesystem")
    driver = info.get("Driver")
    return driver in QUOTAS_OF_THEIR_OWN or (driver == "overlay2" and backing == "xfs")
