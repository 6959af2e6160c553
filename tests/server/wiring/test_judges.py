"""A server's rules are tried while nobody waits; what they decide, tests/server/ops/test_policy.py and every test in end_to_end show."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from policy.verdict import Deny
from server.settings.settings import Settings
from server.wiring import judges
from server.wiring.judges import judging
from tests.server.judge.judging import asks, command, copied
from tests.waiting import PATIENCE_S

pytestmark = [pytest.mark.anyio, pytest.mark.promise("policy.error_is_deny")]


class Heard(logging.Handler):
    """What was logged, and an event for whoever waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.said = ""
        self.event = anyio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.said = record.getMessage()
        self.event.set()


@pytest.fixture
def heard() -> Iterator[Heard]:
    handler, log = Heard(), logging.getLogger("sandgate")
    log.addHandler(handler)
    yield handler
    log.removeHandler(handler)


async def test_rules_that_are_wrong_are_said_before_anybody_asks_and_deny_whatever_is_asked(
    heard: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = copied(tmp_path)
    known = rules / "rules" / "privilege" / "tools" / "denied.json"
    first, *others = json.loads(known.read_text())
    known.write_text(json.dumps([{**first, "commands": [{"argv": ["ls"]}]}, *others]))
    monkeypatch.setattr(judges, "BUNDLE_DIR", rules)
    monkeypatch.setattr(judges, "PROVE_AFTER_S", 0)

    async with judging(Settings()) as judge:
        with anyio.fail_after(PATIENCE_S):
            await heard.event.wait()
        answer = await judge.decide(asks(command("ls")))

    assert heard.said.startswith("the policy is broken and denies everything: the sample 'sudo gains rights'")
    assert isinstance(answer, Deny)
    assert answer.rules[0].id == "engine.error"
