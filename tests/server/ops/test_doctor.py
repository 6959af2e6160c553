"""`sandgate doctor` as a person and a program call it: on this machine, without an engine, and on one that lacks all."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from server.ops import doctor
from server.ops.check import Check
from server.ops.doctor import _guarded
from server.ops.policy import verdict_of
from server.ops.trial import HELD
from server.sandbox.engine import NEXT, Engine, NoEngine
from server.settings.files import load
from server.settings.settings import Settings
from tests.end_to_end.rig import PROGRAM, Home
from tests.fake_engine import ENGINE, fake_engine

LIMITS = ("memory", "pids", "open_files", "cpu", "time", "disk")
BARE = {"/info": json.dumps({"CgroupVersion": "1", "Driver": "vfs"}).encode()}


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="sg") as made:  # short: sockets lie below it
        yield Path(made)


def examined(home: Home) -> tuple[int, dict[str, Any]]:
    home.write_settings()
    done = subprocess.run(
        [PROGRAM, "doctor", "--json"], env=home.environ, capture_output=True, text=True, timeout=100, check=False
    )
    assert "Traceback" not in done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    assert {*report} == {"version", "outcome", "seconds", "checks"}
    assert all({*check} == {"id", "outcome", "sentence", "fix"} for check in report["checks"])
    assert all(bool(check["fix"]) == (check["outcome"] != "ok") for check in report["checks"])
    return done.returncode, report


def outcomes(report: dict[str, Any]) -> dict[str, str]:
    return {check["id"]: check["outcome"] for check in report["checks"]}


@pytest.mark.promise("weakening.said")
def test_this_machine_holds_what_sandgate_promises(folder: Path) -> None:
    home = Home(folder)
    code, report = examined(home)
    found = outcomes(report)

    assert {check["id"]: check["sentence"] for check in report["checks"] if check["outcome"] == "fail"} == {}
    assert code == 0
    tried = {f"held_{name}" for name in HELD} | {f"limit_{name}" for name in LIMITS}
    assert tried | {"sandbox", "file_tools", "gate_allows", "gate_refuses", "gate_private"} <= {*found}
    assert {"policy_tests", "audit_chain", "clock", "room_state", "image_python", "landlock", "engine"} <= {*found}
    assert home.sockets() == []


def test_without_an_engine_the_rest_is_looked_at_all_the_same(folder: Path) -> None:
    code, report = examined(Home(folder, extra={"DOCKER_HOST": "unix:///nowhere/docker.sock"}))
    found = outcomes(report)

    assert code == 1
    assert (report["outcome"], found["engine"]) == ("fail", "fail")
    assert {"policy_answers", "audit_writable", "clock"} <= {name for name, outcome in found.items() if outcome == "ok"}


def test_what_to_do_about_an_engine_is_said_once(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> Engine:
        raise NoEngine(f"No container engine answers. Tried: none. {NEXT}")

    monkeypatch.setattr(doctor, "find_engine", none)
    found: list[Check] = []
    doctor.examine(load(), found.append)

    (engine,) = [check for check in found if check.id == "engine"]
    assert (engine.sentence, engine.fix) == ("No container engine answers. Tried: none.", NEXT)


def test_an_engine_that_lacks_everything_is_told_everything(folder: Path) -> None:
    with fake_engine(folder / "e.sock", {**ENGINE, **BARE}) as url:
        done = subprocess.run(
            [PROGRAM, "doctor"],
            env=Home(folder, extra={"DOCKER_HOST": url}).environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    rows = [line.split() for line in done.stdout.splitlines()]
    weak = {row[1] for row in rows if row[0] == "weak"}
    failed = {row[1] for row in rows if row[0] == "no"}
    assert done.returncode == 1
    assert {"kernel", "cgroup", "seccomp", "storage", "disk_quota", "landlock"} <= weak
    assert {"image_base", "image_agent", "sandbox"} <= failed
    assert "sandgate images build" in done.stdout
    assert rows[-1][0] == "doctor:"


def test_settings_that_cannot_be_read_are_a_check_that_failed(folder: Path) -> None:
    code, report = examined(Home(folder, "[egress]\nalow = []\n"))

    assert (code, outcomes(report)) == (1, {"settings": "fail"})
    assert "alow" in report["checks"][0]["sentence"]


@pytest.mark.parametrize("wrong", [{"environment": "cobol"}, {"policy": {"opa_url": "ftp://opa.test"}}])
def test_an_error_of_ours_ends_one_look_and_not_the_examination(wrong: dict[str, Any]) -> None:
    found: list[Check] = []
    settings = Settings.model_validate(wrong)

    _guarded("policy_answers", lambda: verdict_of(settings, "ls"), found.append)

    assert [(check.id, check.outcome) for check in found] == [("policy_answers", "fail")]


def test_an_error_of_anybody_elses_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        _guarded("x", lambda: 1 // 0, lambda _: None)
