import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.ops import self_tests
from server.ops.check import Check
from server.ops.self_tests import audit, clock, database, disk, policy, versions
from server.settings.settings import Settings

NOW = 1_800_000_000.0  # 2027-01-15


def of(checks: Iterator[Check]) -> dict[str, str]:
    found = list(checks)
    assert all(bool(check.fix) == (check.outcome != "ok") for check in found)
    return {check.id: check.outcome for check in found}


def test_our_own_rules_pass_and_answer_both_ways() -> None:
    assert of(policy(Settings())) == {"policy_tests": "ok", "policy_answers": "ok"}


def test_rules_of_which_no_test_passes_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_tests, "run_tests", lambda _: [])

    assert of(policy(Settings.model_validate({"policy": {"profile": "open"}}))) == {
        "policy_tests": "fail",
        "policy_answers": "warn",
    }


def test_a_policy_that_allows_nothing_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_tests, "run_tests", lambda _: [])  # the rules' own tests take a second
    none = Settings.model_validate({"policy": {"deny": ["ls"]}})

    assert of(policy(none))["policy_answers"] == "fail"


def test_an_audit_that_is_whole_is_written_and_verified(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path)

    assert of(audit(settings)) == {"audit_writable": "ok", "audit_chain": "ok"}
    assert json.loads(settings.audit_file.read_text())["kind"] == "server.examined"


def test_an_audit_that_somebody_cut_fails(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path)
    for _ in range(3):
        list(audit(settings))
    first, _, *rest = settings.audit_file.read_text().splitlines(keepends=True)
    settings.audit_file.write_text("".join([first, *rest]))

    assert of(audit(settings)) == {"audit_writable": "ok", "audit_chain": "fail"}


def test_an_audit_that_cannot_be_written_fails(tmp_path: Path) -> None:
    (tmp_path / "audit").touch()  # where its folder would be

    assert of(audit(Settings(state_dir=tmp_path))) == {"audit_writable": "fail"}


@pytest.mark.parametrize(
    ("text", "outcome"), [(None, "ok"), ("no database, but long enough to be looked at as one" * 100, "fail")]
)
def test_a_database_that_no_server_would_start_with_is_named_with_what_to_do(
    tmp_path: Path, text: str | None, outcome: str
) -> None:
    settings = Settings(state_dir=tmp_path / "State")
    if text is not None:
        settings.database.parent.mkdir()
        settings.database.write_text(text)
    check = database(settings)
    assert (check.id, check.outcome) == ("database", outcome)
    assert str(settings.database) in check.sentence
    assert check.fix.startswith("Move it aside, ") == (outcome == "fail")
    assert settings.database.exists() == (text is not None)


def test_where_the_audit_cannot_be_written_its_path_is_said_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "Audit").write_text("a file")
    (check,) = audit(Settings(state_dir=tmp_path / "Audit"))
    assert str(tmp_path / "Audit") in check.sentence


@pytest.mark.parametrize(
    ("engine", "last", "outcome", "word"),
    [
        ("2027-01-15T08:00:00.123456789Z", 0.0, "ok", "2027-01-15 08:00"),
        ("2027-01-15T07:00:00Z", 0.0, "warn", "3600 s apart"),
        ("2027-01-15T08:00:00Z", NOW + 60, "fail", "set back"),
        ("", 0.0, "ok", "UTC"),
    ],
)
def test_a_clock_is_compared_with_the_engines_and_with_the_audits_end(
    engine: str, last: float, outcome: str, word: str
) -> None:
    check = clock({"SystemTime": engine}, last, NOW)

    assert check.outcome == outcome
    assert word in check.sentence


def test_room_is_looked_for_where_things_will_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = {"state": tmp_path / "not/yet/there"}

    assert of(disk(places)).keys() == {"room_state"}
    monkeypatch.setattr(self_tests, "_SCARCE_BYTES", 1 << 62)
    assert of(disk(places)) == {"room_state": "fail"}


def test_the_version_is_said() -> None:
    assert versions().sentence.startswith("Sandgate ")


def test_a_gate_elsewhere_is_looked_for(tmp_path: Path) -> None:
    at = tmp_path / "gate" / "control"
    missing = self_tests.gate_elsewhere(at)
    at.parent.mkdir()
    called = self_tests.gate_elsewhere(at)
    with socket.socket(socket.AF_UNIX) as waiting:
        waiting.bind(str(at))
        there = self_tests.gate_elsewhere(at)

    assert (missing.outcome, called.outcome, there.outcome) == ("fail", "ok", "ok")
    assert "examples/compose" in missing.fix
    assert "a server has called it" in called.sentence
    assert "for a server" in there.sentence
