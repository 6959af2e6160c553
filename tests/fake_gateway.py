"""A gateway of fakes, for tests of the path itself and of what calls it."""

from collections.abc import Mapping
from pathlib import Path

from policy.verdict import Allow
from server.call import Gateway
from server.parts import Audit, Judge
from server.questions import Questions
from server.sandbox.room import Room
from server.sandbox.sandbox import SandboxSpec
from server.sandbox.sessions import Sessions
from tests.fakes import SPEC, FakeAudit, FakeSource, FixedJudge, NoLimits, PlainReader, allow_list, ledger, resting


def gateway(
    folder: Path,
    *,
    judge: Judge | None = None,
    source: FakeSource | None = None,
    audit: Audit | None = None,
    environments: Mapping[str, SandboxSpec] | None = None,
) -> Gateway:
    """It allows everything, and has room for ten sandboxes of environment base, unless told otherwise."""
    sessions = Sessions(
        source or FakeSource(),
        environments or {"base": SPEC},
        folder,
        allow_list(),
        Room(10),
        ledger(folder),
        resting(),
    )
    questions = Questions(PlainReader(), sessions)
    return Gateway(audit or FakeAudit(), NoLimits(), questions, judge or FixedJudge(Allow()), sessions)
