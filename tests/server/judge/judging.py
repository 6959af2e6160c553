"""What the judge's tests share: questions made by hand, judges that are closed again, bundles and rules on disk."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from policy.command import Reading, ScriptFacts, SimpleCommand
from policy.question import CallerFacts, PathUse, Question, RunCommand, SessionFacts, UseFile
from policy.verdict import Verdict
from server.judge.bundle import read_bundle
from server.judge.rego import RegoJudge
from tests.waiting import PATIENCE_S

BUNDLE = Path(__file__).parents[3] / "policy" / "rego"


def command(*argv: str | None) -> SimpleCommand:
    name = argv[0] and argv[0].rpartition("/")[2]
    dynamic = tuple("param" if word is None else "" for word in argv)
    return SimpleCommand(argv, name, "bare", dynamic, cwd="/workspace", known=("",) * len(argv))


def asks(*commands: SimpleCommand, script: ScriptFacts | None = None, text: str = "", role: str = "dev") -> Question:
    act = RunCommand(("bash", "-c", text), "/workspace", b"", 300, background=False)
    reading = Reading(commands, script or ScriptFacts())
    return Question(
        CallerFacts("local", (role,)), "shell", SessionFacts("default", "python"), act, {"command": text}, reading
    )


def opens(path: str, area: Any = "workspace", op: Any = "read") -> Question:
    use = PathUse(path, path, op, area)
    session = SessionFacts("default", "python")
    return Question(CallerFacts("local"), "file_read", session, UseFile(op, path), {"path": path}, paths=(use,))


@contextmanager
def judge(
    config: Mapping[str, Any] | None = None, *custom: Path, deadline_s: float = PATIENCE_S
) -> Iterator[RegoJudge]:
    loaded = RegoJudge(read_bundle(BUNDLE, config or {}, custom), deadline_s)
    try:
        yield loaded
    finally:
        loaded.close()


def ids(answer: Verdict) -> list[str]:
    return [rule.id for rule in answer.rules]


def custom_rule(folder: Path, body: str, package: str = "sandgate_custom.house") -> Path:
    path = folder / "house.rego"
    path.write_text(f"package {package}\n\n{body}\n")
    return path


def copied(folder: Path) -> Path:
    return Path(shutil.copytree(BUNDLE, folder / "rego"))
