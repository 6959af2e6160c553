import hashlib
import json
from dataclasses import asdict, replace
from typing import Any

import pytest

from policy.command import Reading, ScriptFacts, SimpleCommand
from policy.question import CallerFacts, PathUse, Question, RunCommand, SessionFacts, UseFile, UseHost

COMMAND = SimpleCommand(("rm", None, "é"), "rm", "bare", cwd="/workspace")
ASKED = Question(
    CallerFacts("ann", ("user",)),
    "shell",
    SessionFacts("s", "base"),
    RunCommand(("/bin/bash", "-c", "rm"), "/workspace", b"\xff\0", 3.5, background=False),
    {"command": "rm", "n": 1},
    Reading((COMMAND,), ScriptFacts(functions=("f",))),
    (PathUse("a", "/workspace/a", "write", "workspace"),),
)


def test_the_digest_is_over_all_that_the_rules_see_and_all_that_would_run() -> None:
    act: dict[str, Any] = {**asdict(ASKED.act), "stdin": "\xff\0"}
    document = json.dumps({"input": ASKED.as_input(), "act": act}, sort_keys=True)

    assert ASKED.digest() == hashlib.sha256(document.encode()).hexdigest()


@pytest.mark.promise("approval.bound")
@pytest.mark.parametrize(
    "other",
    [
        replace(ASKED, caller=CallerFacts("bob", ("user",))),
        replace(ASKED, caller=CallerFacts("ann", ("admin",))),
        replace(ASKED, tool="exec"),
        replace(ASKED, session=SessionFacts("t", "base")),
        replace(ASKED, act=RunCommand(("/bin/bash", "-c", "rm"), "/workspace", b"", 3.5, background=False)),
        replace(ASKED, act=UseFile("write", "/workspace/a")),
        replace(ASKED, call={"command": "rm", "n": 2}),
        replace(ASKED, reading=Reading()),
        replace(ASKED, paths=()),
    ],
    ids=["caller", "roles", "tool", "session", "stdin", "act", "arguments", "reading", "paths"],
)
def test_whatever_differs_in_a_question_makes_another_digest(other: Question) -> None:
    assert other.digest() != ASKED.digest()


def test_the_rules_see_every_field_and_of_what_would_run_only_a_request() -> None:
    expected = {
        "version": 1,
        "caller": asdict(ASKED.caller),
        "tool": "shell",
        "session": asdict(ASKED.session),
        "call": {"command": "rm", "n": 1},
        "commands": [asdict(COMMAND)],
        "script": asdict(ScriptFacts(functions=("f",))),
        "paths": [asdict(ASKED.paths[0])],
    }

    assert ASKED.as_input() == json.loads(json.dumps(expected))
    leaves = replace(ASKED, act=UseHost("a.example", 443, "GET", "/x"))
    assert leaves.as_input()["egress"] == {"host": "a.example", "port": 443, "method": "GET", "path": "/x"}


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes"])
def test_arguments_that_are_no_json_are_no_question(value: object) -> None:
    with pytest.raises(TypeError):
        replace(ASKED, call={"command": value}).as_json()
