import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from egress.cause import Cause
from egress.destination import Destination
from egress.flight import Flight
from egress.journal import FLOWS_BURST, FLOWS_PER_SECOND, MOST_SESSIONS, Asked, Journal
from egress.refusal import Refusal


def told(*refusals: Refusal) -> list[Mapping[str, Any]]:
    """What a journal tells of refusals within one window."""
    heard: list[Mapping[str, Any]] = []

    async def write() -> None:
        journal = Journal(heard.append)
        for refusal in refusals:
            journal.refused("s", Cause(("d-1",), "only_job"), refusal, Asked("GET", "https", "/p"))
        journal.flush("s")

    asyncio.run(write())
    return heard


def no(host: str) -> Refusal:
    return Refusal("egress.not_allowed", f"{host} is not on the list.", host, 443)


def test_a_refusal_is_told_at_once_and_the_same_again_is_counted() -> None:
    event, again = told(no("a.test"), no("a.test"), no("a.test"))

    assert again == {**event, "count": 2}
    assert event == {
        "event": "refused",
        "session": "s",
        "decisions": ["d-1"],
        "attribution": "only_job",
        "host": "a.test",
        "port": 443,
        "scheme": "https",
        "method": "GET",
        "path": "/p",
        "rule": "egress.not_allowed",
        "reason": "a.test is not on the list.",
        "count": 1,
    }


def test_a_flood_is_twenty_events_and_a_number() -> None:
    events = told(*(no(f"h{n}.test") for n in range(1000)))

    assert len(events) == 21
    assert sum(event["count"] for event in events) == 1000


class Clock:
    """Of a loop: what is due when."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, Callable[..., None], tuple[Any, ...]]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, what: Callable[..., None], *told: Any) -> None:
        self._due.append((self.now + seconds, what, told))

    def advance(self, seconds: float) -> None:
        self.now += seconds
        due = [one for one in self._due if one[0] <= self.now]
        self._due = [one for one in self._due if one[0] > self.now]
        for _, what, arguments in due:
            what(*arguments)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("egress.journal.asyncio.get_running_loop", lambda: made)
    return made


@pytest.mark.promise("egress.neighbours")
def test_an_hour_of_refused_names_fills_no_disk_and_loses_no_count(clock: Clock) -> None:
    heard = list[Mapping[str, Any]]()
    journal = Journal(heard.append)
    for number in range(36_000):
        journal.refused("s", Cause(), no(f"h{number}.test"))
        clock.advance(0.1)
    journal.forget("s")

    assert sum(event["count"] for event in heard) == 36_000
    assert len(heard) < 1700
    assert sum(len(json.dumps(event)) for event in heard) < 700_000


def test_after_a_flood_what_is_refused_is_told_at_once_again(clock: Clock) -> None:
    heard = list[Mapping[str, Any]]()
    journal = Journal(heard.append)
    for number in range(2000):
        journal.refused("s", Cause(), no(f"h{number}.test"))
        clock.advance(0.05)
    clock.advance(120)
    before = len(heard)
    journal.refused("s", Cause(), no("a.test"))
    assert [event["host"] for event in heard[before:]] == ["a.test"]
    journal.refused("s", Cause(), no("a.test"))
    clock.advance(1)
    assert [event["host"] for event in heard[before:]] == ["a.test", "a.test"]


def test_text_from_a_sandbox_is_cut_and_escaped() -> None:
    (event,) = told(Refusal("egress.bad_name", "x\x1b[2J" * 1000, "\u202e" * 1000, 1))

    assert len(event["reason"]) < 520
    assert event["reason"].isprintable()
    assert event["host"].isascii()


@pytest.mark.promise("egress.neighbours")
def test_an_hour_of_flows_fills_no_disk_and_loses_no_count_and_no_byte(clock: Clock) -> None:
    heard = list[Mapping[str, Any]]()
    journal = Journal(heard.append)
    for number in range(36_000):
        flight = Flight(Destination(f"h{number % 3}.test", 443), "https", "GET", f"/{number}", Cause())
        flight.starts(number)
        journal.flow("s", flight.cause, flight.facts(200))
        clock.advance(0.1)
    journal.forget("s")

    assert sum(event.get("count", 1) for event in heard) == 36_000
    assert sum(event["bytes_up"] for event in heard) == sum(range(36_000))
    assert [event["path"] for event in heard[:FLOWS_BURST]] == [f"/{number}" for number in range(FLOWS_BURST)]
    assert len(heard) < FLOWS_BURST + 3600 * FLOWS_PER_SECOND + 360 * 3


def test_flows_that_end_after_their_session_are_told_and_nothing_grows(clock: Clock) -> None:
    heard = list[Mapping[str, Any]]()
    journal = Journal(heard.append)
    flight = Flight(Destination("a.test", 443), "https", "GET", "/p", Cause())
    for number in range(MOST_SESSIONS + 10):
        journal.forget(f"s{number}")
        journal.flow(f"s{number}", flight.cause, flight.facts(200))

    assert len(heard) == MOST_SESSIONS + 10
    assert len(vars(journal)["_flows"]) == MOST_SESSIONS


@pytest.mark.usefixtures("clock")
def test_a_flow_is_told_whole() -> None:
    heard: list[Mapping[str, Any]] = []
    flight = Flight(Destination("a.test", 443), "https", "GET", "/p", Cause(("d-1",), "process"))
    Journal(heard.append).flow("s", flight.cause, flight.facts(200))

    assert heard[0].keys() == {
        "event", "session", "decisions", "attribution", "host", "address", "port", "scheme", "method", "path", "status", "bytes_up",
        "bytes_down", "duration_ms", "rule",
    }  # fmt: skip
