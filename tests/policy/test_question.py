import hashlib
import json
from dataclasses import asdict, replace
from typing import Any

import pytest

from policy.command import Reading, ScriptFacts, SimpleCommand
from policy.question import CallerFacts, PathUse, Question, RunCommand, SessionFacts, UseFile

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
