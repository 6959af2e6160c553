import os
from pathlib import Path
from typing import Any

import pytest

from server.ops import doctor
from server.ops.doctor import Check, Machine, engine_checks, landlock, landlock_abi, run, socket_path
from server.sandbox import engine
from server.sandbox.engine import Engine
from tests.real_engine import engine_url

ENGINE = Engine("unix:///x", "a test", "99.1", "6.1.0")
GOOD: dict[str, Any] = {
    "CgroupVersion": "2",
    "MemoryLimit": True,
    "PidsLimit": True,
    "CpuCfsQuota": True,
    "SecurityOptions": ["name=seccomp,profile=builtin"],
    "Driver": "overlay2",
    "DriverStatus": [["Backing Filesystem", "xfs"]],
    "DockerRootDir": "/srv/docker/data",
}


def told(checks: dict[str, Any], tmp_path: Path, options: str = "rw,pquota", kernel: str = "6.1.0") -> dict[str, Check]:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"a / ext4 rw 0 0\nb /srv/docker xfs {options} 0 0\nc /srv/dock xfs rw 0 0\n")
    return {check.name: check for check in engine_checks(ENGINE, {**GOOD, **checks}, kernel, mounts)}


def machine(home: Path, environ: dict[str, str], open_files: int = 64) -> Machine:
    return Machine(environ, home, home, home / "x.sock", open_files)


def test_a_good_engine_passes_all_of_its_checks(tmp_path: Path) -> None:
    checks = told({}, tmp_path)
    checks.pop("landlock")  # this machine's own

    assert {check.outcome for check in checks.values()} == {"ok"}


@pytest.mark.parametrize(
    ("name", "lack", "word"),
    [
        ("cgroup", {"PidsLimit": False}, "cannot limit pids"),
        ("seccomp", {"SecurityOptions": None}, "no seccomp"),
        ("storage", {"Driver": "vfs"}, "vfs copies"),
        ("disk quota", {"DriverStatus": [["Backing Filesystem", "extfs"]]}, "overlay2 on extfs"),
        ("disk quota", {"DriverStatus": None}, "unknown file system"),
    ],
)
def test_what_an_engine_lacks_is_a_warning(tmp_path: Path, name: str, lack: dict[str, Any], word: str) -> None:
    check = told(lack, tmp_path)[name]

    assert check.outcome == "warn"
    assert word in check.sentence


def test_an_engine_that_maps_root_away_says_what_that_means_for_folders(tmp_path: Path) -> None:
    checks = told({"SecurityOptions": ["name=seccomp,profile=builtin", "name=userns"]}, tmp_path)

    assert "lend copies" in checks["user namespace"].sentence


def test_a_quota_needs_the_mount_option_of_the_engines_own_disk(tmp_path: Path) -> None:
    assert told({}, tmp_path, "rw,prjquota")["disk quota"].outcome == "ok"
    assert told({}, tmp_path, "rw,noquota")["disk quota"].outcome == "warn"


def test_an_engine_on_another_kernel_is_said_and_nothing_is_assumed_of_it(tmp_path: Path) -> None:
    checks = told({}, tmp_path, kernel="5.15.0-other")

    assert checks["kernel"].outcome == "warn"
    assert "beside the sandboxes" in checks["kernel"].sentence
    assert "Unknown" in checks["landlock"].sentence
    assert checks["disk quota"].outcome == "warn"


@pytest.mark.parametrize(
    ("abi", "outcome"), [(None, "warn"), (0, "warn"), (1, "warn"), (5, "warn"), (6, "ok"), (9, "ok")]
)
def test_landlock_counts_from_the_version_that_can_hold_us(abi: int | None, outcome: str) -> None:
    assert landlock(abi).outcome == outcome


def test_this_kernels_landlock_is_asked() -> None:
    assert 0 <= landlock_abi() < 100


def test_a_profile_that_is_missing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "seccomp_file", lambda: tmp_path / "gone.json")

    assert told({}, tmp_path)["seccomp"].outcome == "fail"


def test_without_an_engine_the_first_check_says_what_to_do_and_the_host_is_checked_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_SYSTEM_SOCKET", tmp_path / "gone.sock")

    checks = run(machine(tmp_path, {}))

    assert (checks[0].name, checks[0].outcome) == ("engine", "fail")
    assert "sandgate engine ensure" in checks[0].sentence
    assert "open files" in {check.name for check in checks}


def test_a_socket_path_over_the_kernels_limit_fails() -> None:
    assert socket_path(Path("/" + "x" * 106)).outcome == "ok"
    assert socket_path(Path("/" + "x" * 107)).outcome == "fail"


def test_too_few_open_files_are_a_warning(tmp_path: Path) -> None:
    assert doctor._open_files(4096, (1024, 65536)).outcome == "ok"
    assert doctor._open_files(4096, (1024, 2048)).outcome == "warn"
    assert doctor._open_files(4096, (1024, -1)).outcome == "ok"


def test_a_package_that_is_missing_fails_and_another_version_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor._package("egress filter", "mitmproxy").outcome == "ok"
    assert doctor._package("egress filter", "no-such-package").outcome == "fail"

    monkeypatch.setattr(doctor, "_pinned", lambda _: "0.0.1")
    assert doctor._package("egress filter", "mitmproxy").outcome == "warn"


def test_a_missing_shell_parser_fails(tmp_path: Path) -> None:
    assert doctor._shfmt(tmp_path / "shfmt").outcome == "fail"


def test_this_machine_can_run_sandgate(tmp_path: Path) -> None:
    url = engine_url()

    checks = {check.name: check for check in run(machine(tmp_path, {"DOCKER_HOST": url}))}

    assert {name: check.sentence for name, check in checks.items() if check.outcome == "fail"} == {}
    assert checks["kernel"].sentence == f"The engine shares this kernel ({os.uname().release})."
    assert checks["image python"].outcome == "ok"
