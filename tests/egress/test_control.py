import asyncio
import json
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from egress.allowlist import Allowlist
from egress.asking import Answer
from egress.control import Control
from egress.destination import Destination
from egress.secrets import Secret
from egress.setup import Setup
from egress.swap import Placeholders


class FakeDoors:
    def __init__(self) -> None:
        self.seen: list[tuple[Any, ...]] = []

    def configure(self, setup: Setup) -> None:
        self.seen.append(("configure", setup))

    async def open(self, session: str, place: Path | socket.socket) -> None:
        if session == "full":
            raise OSError("no space left")
        self.seen.append(("open", session, place))

    def keep(self, secrets: Sequence[Secret]) -> None:
        self.seen.append(("keep", *map(repr, secrets)))

    def lend(self, session: str, placeholders: Placeholders) -> None:
        self.seen.append(("lend", session, dict(placeholders)))

    def bind(self, session: str, allow: Allowlist) -> None:
        self.seen.append(("bind", session, allow.texts))

    def calls(self, session: str, decisions: tuple[str, ...]) -> None:
        self.seen.append(("calls", session, decisions))

    def cut(self, session: str, destination: Destination) -> None:
        self.seen.append(("cut", session, str(destination)))

    def answered(self, number: str, answer: Answer) -> None:
        self.seen.append(("answer", number, answer.let))

    async def close(self, session: str) -> None:
        self.seen.append(("close", session))


def converse(*messages: Mapping[str, Any] | bytes) -> tuple[list[tuple[Any, ...]], list[dict[str, Any]]]:
    """What the doors were asked, and what the server heard, until it hung up."""

    async def run() -> tuple[list[tuple[Any, ...]], list[dict[str, Any]]]:
        ours, theirs = socket.socketpair()
        control = await Control.over(theirs.detach())
        doors = FakeDoors()
        with ours:
            for message in messages:
                ours.sendall(message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n")
            ours.shutdown(socket.SHUT_WR)
            await control.serve(doors)
            control._writer.close()
            await control._writer.wait_closed()
            with ours.makefile("rb") as heard:
                return doors.seen, [json.loads(line) for line in heard]

    return asyncio.run(run())


def test_each_request_is_done_in_order_and_answered_by_its_id() -> None:
    configure = {
        "op": "configure",
        "id": 1,
        "upstream_ca": None,
        "networks": ["10.0.0.0/8"],
        "resolve": {"A.test": "10.0.0.1"},
        "mode": "learn",
    }
    seen, heard = converse(
        configure,
        {"op": "open", "id": 2, "session": "s", "socket": "/s", "decisions": ["c"]},
        {"op": "bind", "id": 3, "session": "s", "allow": ["a.test", {"host": "b.test"}]},
        {"op": "calls", "session": "s", "decisions": ["d"]},
        {"op": "answer", "ask": "q", "let": "once"},
        {"op": "cut", "session": "s", "host": "A.test", "port": 443},
        {"op": "close", "id": 4, "session": "s"},
    )

    assert [step[0] for step in seen] == ["configure", "open", "calls", "bind", "calls", "answer", "cut", "close"]
    assert seen[5:7] == [("answer", "q", "once"), ("cut", "s", "a.test:443")]
    assert seen[0][1] == Setup.parse(configure)
    assert heard == [{"re": number, "ok": True} for number in (1, 2, 3, 4)]


@pytest.mark.parametrize(
    "message",
    [
        {"op": "fly"},
        {},
        {"op": "open", "session": "full", "socket": "/s"},
        {"op": "open", "session": 7, "socket": "/s"},
        {"op": "bind", "session": "s", "allow": ["*"]},
        {"op": "bind", "session": "s", "allow": "a.test"},
        {"op": "configure", "mode": "open"},
        {"op": "answer", "ask": "q", "let": "yes"},
        {"op": "answer", "ask": 7, "let": "once"},
        {"op": "cut", "session": "s", "host": "a..test", "port": 443},
    ],
    ids=str,
)
def test_what_cannot_be_done_is_answered_with_a_sentence_and_nothing_is_done(message: dict[str, Any]) -> None:
    seen, heard = converse({**message, "id": 9})

    assert seen == []
    assert heard[0]["re"] == 9
    assert heard[0]["ok"] is False
    assert heard[0]["error"]


def test_what_is_no_json_ends_the_conversation() -> None:
    assert converse(b"{]\n", {"op": "close", "id": 1, "session": "s"}) == ([], [])
