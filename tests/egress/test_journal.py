import asyncio
from collections.abc import Mapping
from typing import Any

from egress.cause import Cause
from egress.destination import Destination
from egress.flight import Flight
from egress.journal import Asked, Journal
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


def test_text_from_a_sandbox_is_cut_and_escaped() -> None:
    (event,) = told(Refusal("egress.bad_name", "x\x1b[2J" * 1000, "\u202e" * 1000, 1))

    assert len(event["reason"]) < 520
    assert event["reason"].isprintable()
    assert event["host"].isascii()


def test_a_flow_is_told_whole() -> None:
    heard: list[Mapping[str, Any]] = []
    flight = Flight(Destination("a.test", 443), "https", "GET", "/p", Cause(("d-1",), "process"))
    Journal(heard.append).flow("s", flight.cause, flight.facts(200))

    assert heard[0].keys() == {
        "event", "session", "decisions", "attribution", "host", "address", "port", "scheme", "method", "path", "status", "bytes_up",
        "bytes_down", "duration_ms", "rule",
    }  # fmt: skip
