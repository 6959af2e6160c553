"""Lines of the audit that the gate causes, and what of them the results of calls tell. With a real gate: end_to_end/test_flows."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from server.flows import MAX_SAID, Late, record
from server.sandbox.jobs import Job

FLOW = {"event": "flow", "session": "box", "decisions": ["d-1"], "host": "a.test", "port": 443, "status": 200}
REFUSED = {
    "event": "refused",
    "session": "box",
    "decisions": ["d-1"],
    "host": "a.test",
    "port": 443,
    "rule": "egress.not_allowed",
    "reason": "It is on no list.",
}


class Rig:
    """A session of ann's with two jobs, in the sandbox `box`."""

    def __init__(self, folder: Path) -> None:
        self.jobs = {name: Job(name, "shell", folder, f"d-{name[1:]}", lambda _: None) for name in ("j1", "j2")}
        self.late = Late()
        session = SimpleNamespace(owner="ann", name="work", jobs=self.jobs)
        found = SimpleNamespace(of_sandbox=lambda box: session if box == "box" else None)
        self.late.sessions = found  # type: ignore[assignment]  # the little of it that is asked
        self.lines: list[tuple[str, Mapping[str, Any]]] = []

    def record(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        record(event, lambda *line: self.lines.append(line), self.late)
        return self.lines[-1][1]


def test_a_flow_stands_under_the_call_that_caused_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path)

    assert rig.record(FLOW) == {
        "decision_id": "d-1", "caller": "ann", "session": "work", "sandbox": "box", "jobs": ["j1"],
        "host": "a.test", "port": 443, "status": 200,
    }  # fmt: skip
    assert rig.lines[0][0] == "egress.flow"
    assert rig.jobs["j1"].gate_said == []


def test_where_several_may_have_caused_it_all_are_named_and_none_is_said_to_have(tmp_path: Path) -> None:
    line = Rig(tmp_path).record({**FLOW, "decisions": ["d-1", "d-2", "d-3"]})

    assert (line["decision_id"], line["decision_ids"]) == (None, ["d-1", "d-2", "d-3"])
    assert line["jobs"] == ["j1", "j2"]


@pytest.mark.parametrize("event", [{**FLOW, "session": "another"}, {**FLOW, "decisions": None}])
def test_what_no_session_or_call_is_known_of_is_recorded_all_the_same(tmp_path: Path, event: dict[str, Any]) -> None:
    line = Rig(tmp_path).record(event)

    assert (line["sandbox"], line["jobs"], line["host"]) == (event["session"], [], "a.test")
    assert line["caller"] == ("ann" if event["session"] == "box" else None)
    assert line["decision_id"] == ("d-1" if event["decisions"] else None)


def test_before_there_are_sessions_nobody_is_named(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.late.sessions = None

    assert rig.record(FLOW)["caller"] is None


@pytest.mark.promise("egress.refusal_explains")
@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({}, "refused a.test:443: It is on no list. A person can allow it with: sandgate allow a.test"),
        ({"port": 80}, "refused a.test:80: It is on no list. A person can allow it with: sandgate allow a.test"),
        (
            {"port": 8443},
            "refused a.test:8443: It is on no list. A person can allow it with: sandgate allow a.test:8443",
        ),
        ({"rule": "egress.private"}, "refused a.test:443: It is on no list."),
        ({"approval": "a-1"}, "refused a.test:443: It is on no list."),  # its reason says how
        ({"host": "ssh", "port": 80}, "refused ssh:80: It is on no list."),  # that would allow the command
        ({"host": "2001:db8::1"}, "refused 2001:db8::1:443: It is on no list."),
        ({"host": "", "port": 0, "rule": "egress.protocol"}, "refused a request: It is on no list."),
        ({"event": "flow", "failed": "a.test was not reached: why."}, "let it pass, but a.test was not reached: why."),
    ],
)
def test_what_got_no_way_through_is_told_once_with_how_it_could_be_allowed(
    tmp_path: Path, more: dict[str, Any], told: str
) -> None:
    rig = Rig(tmp_path)
    for _ in range(2):
        rig.record({**REFUSED, **more})

    assert rig.jobs["j1"].gate_said == [told]
    assert rig.jobs["j2"].gate_said == []


def test_a_call_that_is_refused_many_hosts_is_told_of_the_first_few(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    for number in range(MAX_SAID + 2):
        rig.record({**REFUSED, "host": f"h{number}.test"})

    assert [told.removeprefix("refused ").partition(":")[0] for told in rig.jobs["j1"].gate_said] == [
        f"h{number}.test" for number in range(MAX_SAID)
    ]
    assert len(rig.lines) == MAX_SAID + 2
