"""The newest of the audit is known, whoever wrote it, and no more of it than the bounds say."""

import json
from pathlib import Path
from typing import Any

import pytest

from server.front.page.recent import MOST_LINES, Recent, Tail, seconds
from server.front.page.views import _told
from server.record.audit import Audit

pytestmark = pytest.mark.anyio


def line(kind: str, decision: str = "d-1", **fields: Any) -> dict[str, Any]:
    return {"time": "2026-11-25T14:06:48.981035Z", "kind": kind, "decision_id": decision, **fields}


def started(decision: str = "d-1", **fields: Any) -> dict[str, Any]:
    told = {"caller": "ann", "tool": "shell", "session": "s", "arguments": {"command": "ls"}}
    return line("call.started", decision, **(told | fields))


def write(path: Path, *lines: dict[str, Any], end: str = "\n") -> None:
    with path.open("a") as file:
        file.write("\n".join(json.dumps(each) for each in lines) + end)


async def test_a_call_of_the_real_audit_becomes_a_decision(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "audit.jsonl", "interval")
    recent = Recent(Tail(tmp_path / "audit.jsonl"))
    await recent.catch_up()
    async with audit.call("ann", "exec", "s", {"argv": ["ls", "-l"]}) as record:
        record.ended(outcome="exited", exit_code=0, job="j1")
    audit.close()
    await recent.catch_up()

    (found,) = recent.decisions.values()
    assert (found.caller, found.tool, found.what, found.outcome) == ("ann", "exec", "ls -l", "exited")
    assert found.told["job"] == "j1"
    assert [each["kind"] for each in found.lines] == ["call.started", "call.ended"]


def test_what_was_decided_by_which_rules_and_who_approved() -> None:
    recent = Recent(Tail(Path("/nowhere")))
    for each in (
        started(),
        line(
            "call.decided", effect="ask", rules=[{"id": "r"}], commands=[["git", None]], paths=["read /x"], revision="v"
        ),
        line("call.decided", effect="ask", rules=[{"id": "r"}, {"id": "q"}]),
        line("call.approved", by="bo"),
    ):
        recent.take(each)

    found = recent.decisions["d-1"]
    assert [rule["id"] for rule in found.rules] == ["r", "q"]
    assert (found.effect, found.approved_by) == ("ask", "bo")


def test_flows_stand_under_each_decision_that_may_have_caused_them() -> None:
    recent = Recent(Tail(Path("/nowhere")))
    flow = {"host": "pkgs.example", "port": 443, "method": "GET", "scheme": "https", "path": "/x", "status": 200}
    recent.take(started("d-1"))
    recent.take(started("d-2"))
    recent.take(line("egress.flow", "", decision_ids=["d-1", "d-2"], bytes_down=7, caller="ann", **flow))
    recent.take(line("egress.refused", "d-2", host="evil.example", port=443, rule="r", reason="no", count=3))
    recent.take(line("egress.flow", "", caller=None, **flow))

    assert [(each.host, each.down, each.owner) for each in recent.decisions["d-1"].flows] == [
        ("pkgs.example", 7, "ann")
    ]
    assert [(each.refused, each.count) for each in recent.decisions["d-2"].flows] == [(False, 1), (True, 3)]
    assert [each.owner for each in recent.flows] == ["ann", "", ""]


def test_it_is_bounded() -> None:
    recent = Recent(Tail(Path("/nowhere")), most_decisions=3, most_flows=2)
    for number in range(5):
        recent.take(started(f"d-{number}"))
        recent.take(line("egress.flow", f"d-{number}", host="h", port=1))
    for _ in range(2 * MOST_LINES):
        recent.take(line("file.note", "d-4"))

    assert list(recent.decisions) == ["d-2", "d-3", "d-4"]
    assert len(recent.flows) == 2
    assert (len(recent.decisions["d-4"].lines), recent.decisions["d-4"].more) == (MOST_LINES, MOST_LINES + 2)


def test_long_lines_are_bounded_by_their_bytes() -> None:
    recent = Recent(Tail(Path("/nowhere")), most_kept=100)
    for number in range(5):
        recent.take(started(f"d-{number}"), 20)
        recent.take(line("call.decided", f"d-{number}", effect="allow"), 20)
    assert list(recent.decisions) == ["d-3", "d-4"]
    recent.take(started("d-4"), 20)
    recent.take(started("d-large"), 1_000)
    assert list(recent.decisions) == []


def test_a_large_file_is_read_from_its_end_and_then_as_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    write(path, *[started(f"d-{number}") for number in range(1000)])
    tail = Tail(path, most=2_000)

    first = tail.read()
    write(path, started("d-next"))
    assert 5 < len(first) < 20
    assert first[-1][0]["decision_id"] == "d-999"
    assert [each["decision_id"] for each, _ in tail.read()] == ["d-next"]
    assert tail.read() == []
    tail.close()


def test_half_a_line_waits_for_its_end_and_what_is_no_line_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    tail = Tail(path)
    assert tail.read() == []
    write(path, started("d-1"), end="")
    assert tail.read() == []
    with path.open("a") as file:
        file.write('\nnot json\n[1]\n{"kind": 3}\n')
    assert [each["decision_id"] for each, _ in tail.read()] == ["d-1"]
    tail.close()


def test_a_file_that_is_rotated_away_is_read_to_its_end_first(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    tail = Tail(path)
    write(path, started("d-1"))
    tail.read()
    write(path, started("d-2"))
    path.rename(tmp_path / "audit.1.jsonl")
    write(path, started("d-3"))

    assert [each["decision_id"] for each, _ in tail.read()] == ["d-2", "d-3"]
    tail.close()


def test_what_came_right_before_a_file_was_closed_is_not_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"

    class Closing(Tail):
        def _is_replaced(self) -> bool:
            write(path, started("d-2"))
            path.rename(tmp_path / "audit-000000000001.jsonl")
            write(path, started("d-3"))
            return super()._is_replaced()

    tail = Closing(path)
    write(path, started("d-1"))

    assert [each["decision_id"] for each, _ in tail.read()] == ["d-1", "d-2", "d-3"]
    tail.close()


def test_where_a_new_file_has_just_begun_the_one_before_is_looked_at_too(tmp_path: Path) -> None:
    write(tmp_path / "audit-000000000001.jsonl", started("d-old"))
    write(tmp_path / "audit-000000000002.jsonl", started("d-1"))
    write(tmp_path / "audit.jsonl", started("d-2"))
    tail = Tail(tmp_path / "audit.jsonl")

    assert [each["decision_id"] for each, _ in tail.read()] == ["d-1", "d-2"]
    assert tail.read() == []
    tail.close()


def test_what_an_operator_should_see_is_kept_apart() -> None:
    recent = Recent(Tail(Path("/nowhere")))
    for kind in ("anomaly.denials", "server.started", "auth.refused"):
        recent.take(line(kind, ""))
    assert [each["kind"] for each in recent.notable] == ["anomaly.denials", "auth.refused"]


def test_what_each_start_says_again_is_shown_once_as_of_the_last_time() -> None:
    starts = [
        {"kind": "server.weakened", "time": f"1970-01-01T00:0{minute}:00.000000Z", "sequence": minute, "sentence": said}
        for minute, said in enumerate(("no quota", "no Landlock", "no quota"))
    ]
    assert [(each["said"], each["time"]) for each in _told(starts)] == [("no quota", 120), ("no Landlock", 60)]


def test_a_time_is_seconds_and_what_is_none_is_0() -> None:
    assert seconds("1970-01-01T00:01:00.000000Z") == 60
    assert seconds(None) == 0
