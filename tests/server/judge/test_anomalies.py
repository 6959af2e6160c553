from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest

from server.judge.anomalies import Anomalies, Bound
from server.judge.suspicion import Suspicions
from server.record.suspicion_rows import SuspicionRows

pytestmark = [pytest.mark.anyio, pytest.mark.promise("anomaly.held")]

KINDS = ("denials", "sent_mb", "new_hosts", "failed_files", "failed_logins")


@dataclass
class House:
    folder: Path
    effect: str = "record"
    now: float = 1000.0
    noted: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    calls: int = 0

    def __post_init__(self) -> None:
        bounds = {kind: Bound(3, 60, self.effect) for kind in KINDS}
        self.suspicions = Suspicions(SuspicionRows(self.folder / "sandgate.db"))
        self.ours = Anomalies(bounds, self.suspicions, self.note, lambda: self.now)

    def note(self, kind: str, facts: Mapping[str, Any]) -> None:
        self.noted.append((kind, facts.get("session", "")))

    def call(self, caller: str = "ann", session: str = "work", tool: str = "shell", **end: Any) -> None:
        self.calls += 1
        about = {"decision_id": f"d-{self.calls}"}
        self.ours.hear({"kind": "call.started", **about, "caller": caller, "session": session, "tool": tool})
        self.ours.hear({"kind": "call.decided", **about, "effect": "allow", "rules": [], **end})
        self.ours.hear({"kind": "call.ended", **about, **end})

    def denied(self, caller: str = "ann", session: str = "work", rule: str = "privilege.tools") -> None:
        self.call(caller, session, effect="deny", rules=[{"id": rule}])

    def flow(self, host: str, sent: int = 0, kind: str = "egress.flow", caller: str | None = "ann") -> None:
        self.ours.hear({"kind": kind, "caller": caller, "session": "work", "host": host, "bytes_up": sent})


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_a_burst_of_denials_is_unusual_and_told_once_in_its_time(house: House) -> None:
    for _ in range(9):
        house.denied()

    assert house.noted == [("anomaly.denials", "work")]
    house.now += 61
    for _ in range(3):
        house.denied()
    assert house.noted == [("anomaly.denials", "work")] * 2


def test_what_comes_slowly_is_not_unusual(house: House) -> None:
    for _ in range(9):
        house.denied()
        house.now += 30

    assert house.noted == []


def test_denials_are_counted_over_all_sessions_of_a_caller_and_not_over_callers(house: House) -> None:
    for session in ("one", "two", "three", "four"):
        house.denied(session=session)
    for caller in ("bob", "eve", "pat"):
        house.denied(caller)

    assert house.noted == [("anomaly.denials", "three"), ("anomaly.denials", "four")]


def test_that_a_frozen_session_is_denied_is_no_news(house: House) -> None:
    for _ in range(9):
        house.denied(rule="anomaly.frozen")

    assert house.noted == []


def test_bytes_that_leave_are_added_up(house: House) -> None:
    for _ in range(2):
        house.flow("a.example", 1 << 20)
    assert house.noted == []
    house.flow("a.example", 1 << 20)

    assert house.noted == [("anomaly.sent_mb", "work")]


def test_bytes_of_a_flow_that_goes_on_are_counted_once_and_before_it_ends(house: House) -> None:
    flowing = {"caller": "ann", "session": "work", "host": "a.example"}
    for sent, told in ((1, 0), (2, 1)):
        house.ours.hear({"kind": "egress.sending", **flowing, "bytes_up": sent << 20, "told_up": told << 20})
    house.ours.hear({"kind": "egress.flow", **flowing, "bytes_up": 2 << 20, "told_up": 2 << 20})
    assert house.noted == []
    house.ours.hear({"kind": "egress.sending", **flowing, "bytes_up": 1 << 20})

    assert house.noted == [("anomaly.sent_mb", "work")]


def test_hosts_are_new_once_whether_they_were_allowed_or_not(house: House) -> None:
    for _ in range(5):
        house.flow("a.example")
        house.flow("b.example", kind="egress.refused")
    assert house.noted == []
    house.flow("c.example", caller=None)
    house.flow("c.example")

    assert house.noted == [("anomaly.new_hosts", "work")]


def test_file_tools_that_fail_are_counted_and_other_failures_are_not(house: House) -> None:
    for _ in range(5):
        house.call(tool="file_read", outcome="failed", error="NoSuchSession")
        house.call(tool="shell", outcome="failed", error="FileRefused")
    assert house.noted == []
    for _ in range(3):
        house.call(tool="file_read", outcome="failed", error="FileRefused")

    assert house.noted == [("anomaly.failed_files", "work")]


def test_failed_logins_of_one_address_have_no_session(tmp_path: Path) -> None:
    house = House(tmp_path, "freeze")
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.1"):
        house.ours.hear({"kind": "auth.refused", "address": address})

    assert house.noted == [("anomaly.failed_logins", "")]


@pytest.mark.parametrize("effect", ["record", "ask", "freeze"])
async def test_what_follows_is_as_the_settings_say(tmp_path: Path, effect: str) -> None:
    house, held = House(tmp_path, effect), list[str]()
    for _ in range(3):
        house.denied()

    async def hold(owner: str, session: str) -> None:
        held.append(f"{owner} {session}")
        raise ValueError("the engine is gone")  # which ends nothing

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(house.ours.keep, lambda: [("ann", "work"), ("ann", "other")], hold)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    suspicion = house.suspicions.of("ann", "work")
    assert (suspicion.effect if suspicion else "record") == effect
    assert suspicion is None or suspicion.why == "3 denials in 60 s"
    assert held == (["ann work"] if effect == "freeze" else [])


def test_a_count_of_nothing_is_never_reached(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.ours = Anomalies(
        {kind: Bound(0, 60, "freeze") for kind in KINDS}, house.suspicions, house.note, lambda: house.now
    )
    for _ in range(50):
        house.denied()

    assert house.noted == []
