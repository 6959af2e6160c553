import asyncio
from collections.abc import Mapping
from typing import Any

from egress.folded import MOST_ALIKE, Folded

FLOW = {
    "event": "flow", "session": "s", "decisions": ["d-1"], "attribution": "only_job", "host": "a.test", "address": "192.0.2.1",
    "port": 443, "scheme": "https", "method": "GET", "path": "/p", "status": 200, "bytes_up": 3, "bytes_down": 5,
    "duration_ms": 7, "rule": "a.test",
}  # fmt: skip


def folded(*events: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    heard: list[Mapping[str, Any]] = []

    async def write() -> None:
        ours = Folded(heard.append)
        for event in events:
            ours.add(event)
        assert not heard
        ours.flush()
        ours.flush()

    asyncio.run(write())
    return heard


def test_what_is_alike_is_one_line_with_sums_and_says_nothing_that_holds_for_one_alone() -> None:
    sending = {**FLOW, "event": "sending", "bytes_up": 40, "told_up": 30}

    assert folded(FLOW, {**FLOW, "path": "/q", "method": "PUT", "bytes_up": 10}, {**FLOW, "status": 404}, sending, sending) == [
        {
            "session": "s", "event": "flow", "decisions": ["d-1"], "attribution": "only_job", "host": "a.test", "port": 443,
            "scheme": "https", "status": 200, "rule": "a.test", "count": 2, "bytes_up": 13, "bytes_down": 10, "duration_ms": 14,
        },
        {
            "session": "s", "event": "flow", "decisions": ["d-1"], "attribution": "only_job", "host": "a.test", "port": 443,
            "scheme": "https", "status": 404, "rule": "a.test", "count": 1, "bytes_up": 3, "bytes_down": 5, "duration_ms": 7,
        },
        {
            "session": "s", "event": "sending", "decisions": ["d-1"], "attribution": "only_job", "host": "a.test", "port": 443,
            "scheme": "https", "status": 200, "rule": "a.test", "count": 2, "bytes_up": 80, "bytes_down": 10, "told_up": 60,
            "duration_ms": 14,
        },
    ]  # fmt: skip


def test_of_many_hosts_the_first_are_named_and_all_are_counted() -> None:
    lines = folded(*({**FLOW, "host": f"h{number}.test"} for number in range(100)))

    assert [line["host"] for line in lines] == [*(f"h{number}.test" for number in range(MOST_ALIKE)), ""]
    assert sum(line["count"] for line in lines) == 100
    assert sum(line["bytes_down"] for line in lines) == 500
