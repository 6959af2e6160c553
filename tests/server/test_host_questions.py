"""The server's half of a held request: who is asked, what an answer lets pass, and when that ends. Silence is a no."""

import threading
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from policy.question import CallerFacts, Question, UseHost
from policy.verdict import Allow, Ask, Deny, Rule, Verdict
from server.flows import Late
from server.host_questions import MOST_WAITING, HostQuestions, hosts_of
from server.judge.approvals import Approval, Approvals
from server.judge.decision import HostList
from server.record.approval_rows import ApprovalRows
from server.sandbox.jobs import Job
from tests.fakes import SPEC
from tests.waiting import PATIENCE_S, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.promise("approval.bound")]
EVENT = {
    "ask": "q",
    "session": "box",
    "decisions": ["d-1"],
    "host": "a.test",
    "port": 443,
    "method": "GET",
    "path": "/",
}


ASK = Ask((Rule("egress.ask", "ask", "a person is asked about it"),), Allow(revision="r1"), "r1")


class FakeGate:
    def __init__(self) -> None:
        self.said: list[Mapping[str, Any]] = []
        self.cuts: list[tuple[str, str, int]] = []
        self.news = anyio.Event()

    def answer(self, question: str, answer: Mapping[str, Any]) -> None:
        self.said.append({"ask": question, **answer})
        self._tell()

    def cut(self, session: str, host: str, port: int) -> None:
        self.cuts.append((session, host, port))
        self._tell()

    def _tell(self) -> None:
        self.news.set()
        self.news = anyio.Event()


@dataclass
class FakeJudge:
    verdict: Verdict
    looks_at_requests: bool = False
    asked: list[Question] = field(default_factory=list)

    async def decide_request(self, question: Question) -> Verdict:
        self.asked.append(question)
        return self.verdict

    async def hosts(self, question: Question) -> HostList | None:
        self.asked.append(question)
        return ("a.test",)


class Rig:
    def __init__(self, folder: Path, hold_s: float = 20) -> None:
        self.gate, self.lines = FakeGate(), list[tuple[str, Mapping[str, Any]]]()
        self.people = Approvals(ApprovalRows(folder / "sandgate.db"), 900)
        self.job = Job("j1", "shell", folder, "d-1", lambda _: None)
        self.judge = FakeJudge(ASK)
        jobs = {"j1": self.job}
        session: Any = SimpleNamespace(
            id="session-1", name="default", owner="ann", roles=("dev",), spec=SPEC, jobs=jobs
        )
        late = Late()
        late.sessions = SimpleNamespace(of_sandbox=lambda box: session if box == "box" else None)  # type: ignore[assignment]
        self.asking = HostQuestions(self.people, late, lambda *line: self.lines.append(line), hold_s)

    async def said(self, count: int = 1) -> Mapping[str, Any]:
        with anyio.fail_after(PATIENCE_S):
            while len(self.gate.said) < count:
                await self.gate.news.wait()
        return self.gate.said[count - 1]

    async def question(self) -> str:
        with anyio.fail_after(PATIENCE_S):
            while not self.job.questions:
                await self.job.news()
        return self.job.questions[-1].id

    @asynccontextmanager
    async def answering(self) -> AsyncGenerator[None]:
        """What a gate asks is answered until then."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.asking.keep, self.gate, self.judge)
            yield
            tasks.cancel_scope.cancel()
        self.job.close()


async def test_a_yes_for_once_is_for_one_request_and_joins_the_call(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    async with rig.answering():
        rig.asking.asked(EVENT)
        approval = await rig.question()
        assert rig.gate.said == []
        assert rig.job.questions[0].shown == "send requests to a.test:443"
        await rig.people.answer(approval, yes=True, by="carl")
        assert await rig.said() == {"ask": "q", "let": "once"}

        rig.asking.asked({**EVENT, "ask": "q2"})
        with anyio.fail_after(PATIENCE_S):
            while len(rig.job.questions) < 2:
                await rig.job.news()
        await rig.people.answer(rig.job.questions[1].id, yes=False, by="carl")
        refused = await rig.said(2)
    assert (refused["let"], refused["rule"]) == ("", "egress.ask")
    assert "A person said no" in refused["reason"]
    assert [(kind, line["decision_id"], line["session"], line["host"]) for kind, line in rig.lines] == [
        ("egress.asked", "d-1", "default", "a.test"),
        ("egress.approved", "d-1", "default", "a.test"),
        ("egress.asked", "d-1", "default", "a.test"),
    ]


async def test_a_yes_is_none_where_the_policy_has_come_to_say_no_while_it_was_waited_for(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    async with rig.answering():
        rig.asking.asked(EVENT)
        approval = await rig.question()
        rig.judge.verdict = Deny((Rule("custom.house", "deny", "not this host"),))
        await rig.people.answer(approval, yes=True, by="carl", scope="session")
        refused = await rig.said()

    assert (refused["let"], refused["rule"], refused["reason"]) == ("", "egress.policy", "not this host [custom.house]")


async def test_a_yes_for_the_session_is_asked_for_once_and_cut_when_it_is_taken_back(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    async with rig.answering():
        rig.asking.asked(EVENT)
        approval = await rig.question()
        await rig.people.answer(approval, yes=True, by="carl", scope="session")
        assert (await rig.said())["let"] == "host"
        rig.asking.asked({**EVENT, "ask": "q2"})  # as a gate does that was started again
        assert (await rig.said(2))["let"] == "host"
        rig.people.revoke(approval, by="carl")
        with anyio.fail_after(PATIENCE_S):
            while not rig.gate.cuts:
                await rig.gate.news.wait()
        rig.asking.asked({**EVENT, "ask": "q3"})
        assert (await rig.said(3))["let"] == ""
    assert rig.gate.cuts == [("box", "a.test", 443)]
    assert len(rig.job.questions) == 1


async def test_nothing_is_cut_while_a_yes_holds(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    async with rig.answering():
        rig.asking.asked(EVENT)
        await rig.people.answer(await rig.question(), yes=True, by="carl", scope="session")
        await rig.said()
        rig.asking.asked({**EVENT, "ask": "q2", "host": "b.test"})
        with anyio.fail_after(PATIENCE_S):
            while len(rig.job.questions) < 2:
                await rig.job.news()
        await rig.people.answer(rig.job.questions[1].id, yes=True, by="carl")
        await rig.said(2)  # the look that found this answer has looked at the yes before it as well
    assert rig.gate.cuts == []


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Rig, list[int], threading.Event]:
    """Where the answers are read slowly: how often they have been, and what lets the reader go on with them."""
    rig, looked, go_on = Rig(tmp_path), list[int](), threading.Event()
    live = rig.people.live

    def slowly() -> list[Approval]:
        found = live()
        looked.append(len(found))
        go_on.wait(PATIENCE_S)
        return found

    monkeypatch.setattr(rig.people, "live", slowly)
    return rig, looked, go_on


async def test_what_is_asked_while_the_answers_are_read_is_not_taken_for_answered(
    slow: tuple[Rig, list[int], threading.Event],
) -> None:
    rig, looked, go_on = slow
    async with rig.answering():
        rig.asking.asked(EVENT)
        await eventually(lambda: looked)
        rig.asking.asked({**EVENT, "ask": "q2", "host": "b.test"})
        await eventually(lambda: len(rig.job.questions) == 2)
        go_on.set()
        await eventually(lambda: len(looked) > 2)
        assert rig.gate.said == []


async def test_a_yes_that_is_used_while_the_answers_are_read_holds_until_it_is_taken_back(
    slow: tuple[Rig, list[int], threading.Event],
) -> None:
    rig, looked, go_on = slow
    async with rig.answering():
        rig.asking.asked(EVENT)
        await eventually(lambda: looked)
        await rig.people.answer(rig.job.questions[0].id, yes=True, by="carl", scope="session")
        rig.asking.asked({**EVENT, "ask": "q2"})
        assert (await rig.said())["let"] == "host"
        go_on.set()
        await rig.said(2)
        assert rig.gate.cuts == []
        rig.people.revoke(rig.job.questions[0].id, by="carl")
        await eventually(lambda: rig.gate.cuts)


async def test_silence_is_a_no_that_names_the_question(tmp_path: Path) -> None:
    rig = Rig(tmp_path, hold_s=0.1)
    async with rig.answering():
        rig.asking.asked(EVENT)
        refused = await rig.said()
    (waiting,) = rig.people.live()
    assert (refused["let"], refused["approval"]) == ("", waiting.id)
    assert f"sandgate approvals allow {waiting.id}" in refused["reason"]


@pytest.mark.parametrize("event", [{**EVENT, "session": "another"}, {**EVENT, "port": "no port"}])
async def test_what_cannot_be_asked_is_a_no(tmp_path: Path, event: Mapping[str, Any]) -> None:
    rig = Rig(tmp_path)
    async with rig.answering():
        rig.asking.asked(event)
        assert ((await rig.said())["let"], rig.gate.said[0]["rule"]) == ("", "egress.error")


async def test_a_yes_is_for_one_host_port_session_and_caller(tmp_path: Path) -> None:
    rig = Rig(tmp_path, hold_s=0.05)
    async with rig.answering():
        rig.asking.asked(EVENT)
        await rig.said()
        await rig.people.answer(rig.people.live()[0].id, yes=True, by="carl", scope="session")
        others: list[dict[str, Any]] = [{"host": "b.test"}, {"port": 8443}]
        for number, other in enumerate(others, 2):
            rig.asking.asked({**EVENT, **other})
            assert (await rig.said(number))["let"] == ""
    assert CallerFacts(rig.people.live()[0].caller).id == "ann"


async def test_more_than_can_wait_do_not(tmp_path: Path) -> None:
    rig = Rig(tmp_path, hold_s=0.01)
    for _ in range(MOST_WAITING + 10):
        rig.asking.asked({**EVENT, "session": "another"})
    async with rig.answering():
        await rig.said(MOST_WAITING)
    assert len(rig.gate.said) == MOST_WAITING


async def test_the_policy_is_asked_about_the_whole_request_and_its_word_is_passed_on(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    async with rig.answering():
        rig.judge.verdict = Allow()
        rig.asking.asked({**EVENT, "method": "POST", "path": "/x"})
        assert (await rig.said())["let"] == "alike"
        rig.judge.verdict = Deny((Rule("custom.house", "deny", "Not on a Sunday.", "Come back."),))
        rig.asking.asked(EVENT)
        refused = await rig.said(2)
    assert (refused["let"], refused["rule"], refused["reason"]) == (
        "",
        "egress.policy",
        "Not on a Sunday. [custom.house] Come back.",
    )
    asked = rig.judge.asked[0]
    assert asked.act == UseHost("a.test", 443, "POST", "/x")
    assert asked.caller == CallerFacts("ann", ("dev",))
    assert rig.people.live() == []


async def test_where_rules_tell_requests_apart_so_does_a_yes(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.judge.looks_at_requests = True
    async with rig.answering():
        rig.asking.asked(EVENT)
        approval = await rig.question()
        assert rig.job.questions[0].shown == "send GET / at a.test:443"
        await rig.people.answer(approval, yes=True, by="carl", scope="session")
        assert (await rig.said())["let"] == "alike"
        rig.asking.asked({**EVENT, "path": "/other"})
        with anyio.fail_after(PATIENCE_S):
            while len(rig.job.questions) < 2:
                await rig.job.news()


async def test_what_a_gate_holds_is_asked_for_by_roles() -> None:
    judge = FakeJudge(ASK)
    assert await hosts_of(judge, ("dev",)) == ("a.test",)
    assert judge.asked[0].caller.roles == ("dev",)
    assert judge.asked[0].as_input()["egress"] == {"host": "", "port": 0, "method": "", "path": ""}
