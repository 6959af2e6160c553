"""Arguments from the tools' own schemas, odd texts and messages, at the real server: each is answered with a sentence."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.end_to_end.rig import Home, RawServer
from tests.tool_arguments import arguments

SETTINGS = (
    'environment = "base"\n[limits]\ncalls_per_second = 100000\nburst = 100000\nsessions_each = 4\nsnapshots = 2\n'
)
CRASHED = re.compile(r"Error executing tool \w+")  # all that the SDK tells of an exception that nobody meant
SLOW = ("session_snapshot", "session_open")  # a few of them are enough
GOOD = re.compile(r"[A-Za-z0-9._-]{1,64}")  # the name of a snapshot
LONGEST = 70_000  # characters of an answer


class Fuzzed:
    """One server on stdio, and what it wrote to its log."""

    def __init__(self, home: Home, log: Path) -> None:
        self.log = log
        with log.open("wb") as stderr:
            self.raw = RawServer.start(home, stderr)
        listed = self.raw.ask("tools/list", {})["tools"]
        self.schemas = {tool["name"]: tool["inputSchema"] for tool in listed}

    def call(self, name: str, given_arguments: Any) -> None:
        """Make the call, and see that its answer is one."""
        self.raw.last += 1
        self.raw.tell("tools/call", {"name": name, "arguments": given_arguments}, id=self.raw.last)
        self.judge(self.raw.message_for(self.raw.last))

    def judge(self, message: dict[str, Any]) -> None:
        if "error" in message:
            too_many = "retry_after_s" in (message["error"].get("data") or {})
            assert too_many or message["error"]["code"] in (-32700, -32600, -32602), message
            return
        text = "\n".join(part.get("text", "image") for part in message["result"]["content"])
        assert text.strip(), message
        assert len(text) < LONGEST
        assert CRASHED.fullmatch(text) is None, message

    def say(self, line: bytes, number: int | None) -> dict[str, Any]:
        assert self.raw.process.stdin is not None
        self.raw.process.stdin.write(line + b"\n")
        self.raw.process.stdin.flush()
        return self.raw.message_for(number)


@pytest.fixture(scope="module")
def fuzzed(folder: Path) -> Iterator[Fuzzed]:
    home = Home(folder, SETTINGS)
    made = Fuzzed(home, folder / "log")
    try:
        yield made
        assert made.raw.ask("tools/list", {})["tools"]
        assert "Traceback" not in made.log.read_text()
    finally:
        assert made.raw.process.stdin is not None
        made.raw.process.stdin.close()
        made.raw.process.wait(60)
        assert made.raw.process.stdout is not None
        made.raw.process.stdout.close()
        home.remove_images()


def _some_calls(fuzzed: Fuzzed, examples: int, tools: Iterable[str] = ()) -> None:
    chosen = sorted(tools or fuzzed.schemas.keys() - SLOW)

    @settings(
        max_examples=examples,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(st.data())
    def each(data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(chosen))
        fuzzed.call(name, data.draw(arguments(fuzzed.schemas[name])))

    each()


def test_whatever_arguments_come_the_answer_is_a_sentence(fuzzed: Fuzzed) -> None:
    _some_calls(fuzzed, 150)


def test_sessions_and_snapshots_are_made_of_good_arguments_and_of_no_others(fuzzed: Fuzzed) -> None:
    fuzzed.call("session_open", {"session": "work"})
    fuzzed.call("session_snapshot", {"session": "work", "name": "kept"})
    _some_calls(fuzzed, 30, SLOW)
    opened = fuzzed.raw.ask("tools/call", {"name": "session_list", "arguments": {}})["structuredContent"]

    assert len(opened["snapshots"]) <= 2
    assert all(GOOD.fullmatch(found["snapshot"]) for found in opened["snapshots"])
    assert opened["sessions"]
    assert sum(found["state"] != "parked" for found in opened["sessions"]) <= 4
    for found in opened["sessions"]:
        fuzzed.call("session_close", {"session": found["session"]})


@pytest.mark.soak
def test_the_same_with_more_of_them(fuzzed: Fuzzed) -> None:
    _some_calls(fuzzed, 4000)


ODD: list[Any] = [
    "\0",
    "\ud800",
    "\udcff",
    "\u202e\x1b[2J\r\n",
    "x" * 32_769,
    "x" * 1_000_001,
    [],
    ["\0"],
    ["x"] * 1025,
    {},
    None,
    True,
    -1,
    1e308,
    10**30,
]


WHOLE: list[Any] = [None, [], "text", 1, {"a": {"b": {}}}, {"": 1}]


def test_odd_values_in_every_place_of_every_tool_are_answered(fuzzed: Fuzzed) -> None:
    for name, schema in fuzzed.schemas.items():
        usual = dict.fromkeys(schema.get("required", ()), "a")
        for field in schema["properties"]:
            if field in ("wait_s", "session"):  # to wait is no fault, and each session would be one more
                continue
            for odd in ODD:
                fuzzed.call(
                    name,
                    {"wait_s": 0, **usual, field: odd} if "wait_s" in schema["properties"] else {**usual, field: odd},
                )
        for whole in WHOLE:
            fuzzed.call(name, whole)


@pytest.mark.parametrize(
    ("line", "number"),
    [
        (b"\xff\xfe garbage", None),
        (
            b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"shell","arguments":{"command":"\\ud800"}}}',
            7,
        ),
        (b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"\\u0000","arguments":{}}}', 7),
        (
            b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"shell","arguments":'
            + b'{"a":' * 900
            + b"1"
            + b"}" * 900
            + b"}}",
            7,
        ),
        (b'{"jsonrpc":"2.0","id":7,"method":"tools/call"}', 7),
        (b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":[]}', 7),
        (b'{"jsonrpc":"2.0","id":7,"method":"resources/read","params":{"uri":"sandgate://default/%00"}}', 7),
        (
            b'{"jsonrpc":"2.0","id":7,"method":"resources/read","params":{"uri":"sandgate://%2e%2e/%2e%2e/etc/passwd"}}',
            7,
        ),
        (b'{"jsonrpc":"2.0","id":7,"method":"resources/read","params":{"uri":"' + b"x" * 100_000 + b'"}}', 7),
        (b'{"jsonrpc":"2.0","id":7,"method":"prompts/get","params":{"name":"x"}}', 7),
        (b'{"jsonrpc":"2.0","id":7,"method":"' + b"x" * 100_000 + b'"}', 7),
        (b'{"jsonrpc":"2.0","id":' + b"9" * 400 + b',"method":"ping"}', int("9" * 400)),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_odd_messages_are_answered(fuzzed: Fuzzed, line: bytes, number: int | None) -> None:
    answer = fuzzed.say(line, number)

    assert ("error" in answer) or ("result" in answer)
    assert "Traceback" not in json.dumps(answer)
