from pathlib import Path
from typing import Any

import pytest

from server.judge.shfmt import ParserMissing
from server.ops import machine
from server.ops.check import Check
from server.ops.machine import (
    engine_checks,
    has_openat2,
    image_checks,
    landlock,
    landlock_abi,
    open_files,
    openat2,
    pinned,
    socket_path,
)
from server.sandbox.engine import Engine
from tests.fake_engine import fake_engine

ENGINE = Engine("unix:///x", "a test", "99.1", "6.1.0")
GOOD: dict[str, Any] = {
    "CgroupVersion": "2",
    "MemoryLimit": True,
    "SwapLimit": True,
    "PidsLimit": True,
    "CpuCfsQuota": True,
    "SecurityOptions": ["name=seccomp,profile=builtin"],
    "Driver": "overlay2",
    "DriverStatus": [["Backing Filesystem", "xfs"]],
    "DockerRootDir": "/srv/docker/data",
}
THIS_MACHINES_OWN = ("landlock", "openat2")


def told(checks: dict[str, Any], tmp_path: Path, options: str = "rw,pquota", kernel: str = "6.1.0") -> dict[str, Check]:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"a / ext4 rw 0 0\nb /srv/docker xfs {options} 0 0\nc /srv/dock xfs rw 0 0\n")
    return {check.id: check for check in engine_checks(ENGINE, {**GOOD, **checks}, kernel, mounts)}


def test_a_good_engine_passes_all_of_its_checks(tmp_path: Path) -> None:
    checks = [check for check in told({}, tmp_path).values() if check.id not in THIS_MACHINES_OWN]

    assert len(checks) == 7
    assert {(check.outcome, check.fix) for check in checks} == {("ok", "")}


@pytest.mark.parametrize(
    ("name", "lack", "word"),
    [
        ("cgroup", {"PidsLimit": False}, "cannot limit pids"),
        ("cgroup", {"SwapLimit": False}, "cannot limit swap"),
        ("cgroup", {"CgroupVersion": "1"}, "not against its own"),
        ("seccomp", {"SecurityOptions": None}, "no seccomp"),
        ("storage", {"Driver": "vfs"}, "vfs copies"),
        ("disk_quota", {"DriverStatus": [["Backing Filesystem", "extfs"]]}, "overlay2 on extfs"),
        ("disk_quota", {"DriverStatus": None}, "unknown file system"),
        ("disk_quota", {"DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]}, "containerd's image store"),
    ],
)
def test_what_an_engine_lacks_is_a_warning_and_says_what_to_do(
    tmp_path: Path, name: str, lack: dict[str, Any], word: str
) -> None:
    check = told(lack, tmp_path)[name]

    assert check.outcome == "warn"
    assert word in check.sentence
    assert check.fix


def test_an_engine_that_maps_root_away_says_what_that_means_for_folders(tmp_path: Path) -> None:
    checks = told({"SecurityOptions": ["name=seccomp,profile=builtin", "name=userns"]}, tmp_path)

    assert "lend copies" in checks["user_namespace"].sentence


def test_a_quota_needs_the_mount_option_of_the_engines_own_disk(tmp_path: Path) -> None:
    assert told({}, tmp_path, "rw,prjquota")["disk_quota"].outcome == "ok"
    assert told({}, tmp_path, "rw,noquota")["disk_quota"].outcome == "warn"


def test_an_engine_on_another_kernel_is_said_and_nothing_is_assumed_of_it(tmp_path: Path) -> None:
    checks = told({}, tmp_path, kernel="5.15.0-other")

    assert checks["kernel"].outcome == "warn"
    assert "beside the sandboxes" in checks["kernel"].fix
    assert "Unknown" in checks["landlock"].sentence
    assert checks["disk_quota"].outcome == "warn"
    assert "openat2" not in checks


@pytest.mark.parametrize(
    ("abi", "outcome"), [(None, "warn"), (0, "warn"), (1, "warn"), (5, "warn"), (6, "ok"), (9, "ok")]
)
def test_landlock_counts_from_the_version_that_can_hold_us(abi: int | None, outcome: str) -> None:
    check = landlock(abi)

    assert check.outcome == outcome
    assert bool(check.fix) == (outcome != "ok")


def test_this_kernel_is_asked() -> None:
    assert 0 <= landlock_abi() < 100
    assert has_openat2()  # file tools need it, and these tests run them
    assert openat2(there=False).outcome == "fail"


def test_a_profile_that_is_missing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "seccomp_file", lambda: tmp_path / "gone.json")

    assert told({}, tmp_path)["seccomp"].outcome == "fail"


def test_images_that_an_engine_does_not_have_fail_with_how_to_build_them(tmp_path: Path) -> None:
    with fake_engine(tmp_path / "e.sock") as url:
        (check,) = image_checks(Engine(url, "a test", "99.1"), ("base",))

    assert check.outcome == "fail"
    assert "sandgate images build" in check.fix


def test_a_socket_path_over_the_kernels_limit_fails() -> None:
    assert socket_path(Path("/" + "x" * 106)).outcome == "ok"
    assert socket_path(Path("/" + "x" * 107)).outcome == "fail"


def test_too_few_open_files_are_a_warning() -> None:
    assert open_files(4096, (1024, 65536)).outcome == "ok"
    assert open_files(4096, (1024, 2048)).outcome == "warn"
    assert open_files(4096, (1024, -1)).outcome == "ok"


def test_a_package_that_is_missing_fails_and_another_version_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pinned("mitmproxy", "mitmproxy").outcome == "ok"
    assert pinned("mitmproxy", "no-such-package").outcome == "fail"

    monkeypatch.setattr(machine, "_pinned", lambda _: "0.0.1")
    assert pinned("mitmproxy", "mitmproxy").outcome == "warn"


def test_a_missing_shell_parser_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise ParserMissing("shfmt is not there")

    monkeypatch.setattr(machine, "locate", none)

    assert machine._shfmt().outcome == "fail"
