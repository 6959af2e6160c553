"""The embedded judge: fails closed, cannot be weakened by an operator's data or rules, and names its revision."""

import json
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from policy.question import CallerFacts, PathUse, Question, SessionFacts, UseHost
from policy.verdict import Allow, Ask, Deny, Verdict
from server.judge import rego
from server.judge.bundle import Bundle, BundleError, read_bundle
from server.judge.current import CurrentJudge
from server.judge.decision import DECISION, verdict
from server.judge.engine import Engine, EngineTrouble
from server.judge.rego import RegoJudge
from server.judge.samples import whole
from tests.server.judge.judging import BUNDLE, asks, command, custom_rule, ids, judge, opens
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def standard() -> Iterator[RegoJudge]:
    with judge() as loaded:
        yield loaded


async def test_an_ordinary_command_is_allowed_with_its_access_and_revision(standard: RegoJudge) -> None:
    answer = await standard.decide(asks(command("pytest", "-q")))
    assert isinstance(answer, Allow)
    assert answer.rules == ()
    assert answer.access.read == ("/",)
    assert answer.access.write == ("/workspace", "/tmp", "/var/tmp", "/home/agent", "/dev")
    assert answer.revision == standard.revision


async def test_an_ask_holds_what_a_persons_yes_would_grant(standard: RegoJudge) -> None:
    answer = await standard.decide(asks(command("git", "push")))
    assert isinstance(answer, Ask)
    assert ids(answer) == ["outward.publish"]
    assert answer.granted.access.write
    assert answer.granted.revision == answer.revision == standard.revision


@pytest.mark.promise("refusal.teaches")
async def test_a_refusal_names_the_rule_what_was_seen_and_what_would_be_allowed(standard: RegoJudge) -> None:
    answer = await standard.decide(asks(command("sudo", "ls")))
    assert isinstance(answer, Deny)
    assert ids(answer) == ["privilege.tools"]
    assert "sudo" in answer.rules[0].reason
    assert "Run the command without it" in answer.rules[0].help


@pytest.mark.parametrize(
    "tool", ["session_open", "session_list", "session_close", "job_output", "job_stop", "job_input"]
)
async def test_tools_about_sessions_and_jobs_are_allowed(standard: RegoJudge, tool: str) -> None:
    question = asks()
    answer = await standard.decide(
        Question(question.caller, tool, question.session, question.act, question.call, question.reading)
    )
    assert isinstance(answer, Allow)


@pytest.mark.promise("policy.strictest_wins")
async def test_the_strictest_of_all_rules_wins_and_comes_first(standard: RegoJudge) -> None:
    answer = await standard.decide(asks(command("git", "push"), command("sudo", "ls"), command("ls")))
    assert isinstance(answer, Deny)
    assert ids(answer) == ["privilege.tools", "outward.publish"]


@pytest.mark.promise("policy.default_deny")
@pytest.mark.parametrize("tool", ["", "shell2", "file_delete", "SHELL"])
async def test_a_tool_that_no_rule_knows_is_denied(standard: RegoJudge, tool: str) -> None:
    question = asks(command("ls"))
    answer = await standard.decide(
        Question(question.caller, tool, question.session, question.act, question.call, question.reading)
    )
    assert isinstance(answer, Deny)
    assert set(ids(answer)) == {"default.deny"}


@pytest.mark.promise("policy.default_deny")
@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"version": 2},
        {"tool": None},
        {"commands": None},
        {"commands": "ls"},
        {"commands": [{"argv": ["ls"]}]},
        {"commands": [1]},
        {"paths": {}},
        {"paths": [{"asked": "a"}]},
        {"script": None},
        {"script": {}},
        {"caller": {}},
        {"session": None},
        {"tool": "exec", "commands": []},
        {"tool": "file_read", "paths": []},
    ],
    ids=str,
)
def test_a_question_of_another_shape_is_denied(odd: dict[str, Any]) -> None:
    bundle = read_bundle(BUNDLE, {"profile": "open"})
    engine = Engine(bundle.modules, bundle.configured({"profile": "open"}))
    question = {**whole({"commands": [{"argv": ["ls"]}]}), **odd} if odd else {}
    answer = verdict(engine.evaluate(json.dumps(question), DECISION), bundle.revision)
    assert isinstance(answer, Deny)
    assert set(ids(answer)) == {"default.deny"}


@pytest.mark.promise("policy.default_deny")
@pytest.mark.parametrize(
    "field", ["argv", "name", "path_kind", "dynamic", "assigns", "redirects", "cwd", "via", "known"]
)
@pytest.mark.parametrize("value", [..., 5, [5], {}], ids=["missing", "number", "list of numbers", "object"])
def test_a_command_of_another_shape_is_denied(field: str, value: Any) -> None:
    given = whole({"commands": [{"argv": ["ls"]}, {"argv": ["ls"]}]})
    if value is ...:
        del given["commands"][1][field]
    else:
        given["commands"][1][field] = value
    bundle = read_bundle(BUNDLE, {})
    try:
        document = Engine(bundle.modules, bundle.configured({})).evaluate(json.dumps(given), DECISION)
    except EngineTrouble:
        return  # which the judge answers with a deny
    answer = verdict(document, bundle.revision)
    assert isinstance(answer, Deny) or (field, value) == ("dynamic", [5])  # reasons are only compared


@pytest.mark.promise("policy.error_is_deny")
async def test_text_that_is_no_unicode_is_denied(standard: RegoJudge) -> None:
    answer = await standard.decide(asks(command("ls", "\udcff")))
    assert isinstance(answer, Deny)
    assert ids(answer) == ["engine.error"]


@pytest.mark.promise("policy.error_is_deny")
@pytest.mark.parametrize("depth", [200, 20_000])
async def test_values_nested_too_deeply_are_denied(standard: RegoJudge, depth: int) -> None:
    nested: Any = []
    for _ in range(depth):
        nested = [nested]
    question = asks(command("ls"))
    answer = await standard.decide(
        Question(question.caller, "shell", question.session, question.act, {"command": nested}, question.reading)
    )
    assert isinstance(answer, Deny)
    assert ids(answer) == ["engine.error"]


@pytest.mark.promise("policy.error_is_deny")
async def test_a_call_that_is_too_large_is_denied(standard: RegoJudge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rego, "QUESTION_BYTES", 1000)
    assert ids(await standard.decide(asks(command("echo", "x" * 1000)))) == ["engine.error"]


@pytest.fixture
def wrong(tmp_path: Path, request: pytest.FixtureRequest) -> Bundle:
    """Rules that do not answer what is known as it is known; with an operator's own beside them where the test says so."""
    rule = 'findings contains {"effect": "deny", "reason": "No."} if input.tool == "no"'
    custom = [custom_rule(tmp_path, rule)] if request.param else []
    bundle = read_bundle(BUNDLE, {}, custom)
    known = next(sample for sample in bundle.samples if sample.rule == "privilege.tools" and sample.denied)
    others = [sample for sample in bundle.samples if sample.rule != "privilege.tools"]
    return replace(bundle, samples=(*others, replace(known, effect="allow", denied=False)))


@pytest.mark.promise("policy.error_is_deny")
@pytest.mark.parametrize("wrong", [False, True], ids=["ours", "with an operator's"], indirect=True)
async def test_rules_that_are_wrong_answer_nothing_though_they_were_not_tried_at_once(wrong: Bundle) -> None:
    with pytest.raises(BundleError, match=r"is to be allow, and the answer was privilege\.tools"):
        RegoJudge(wrong, PATIENCE_S)
    with closing(RegoJudge(wrong, PATIENCE_S, at_once=False)) as loaded:
        for _ in range(2):
            answer = await loaded.decide(asks(command("ls")))
            assert ids(answer) == ["engine.error"]
            assert "is to be allow" in answer.rules[0].reason
        assert await loaded.hosts(asks()) is None
        with pytest.raises(EngineTrouble, match="is to be allow"):
            loaded.prove()


@pytest.mark.promise("policy.error_is_deny")
async def test_another_thread_is_denied(standard: RegoJudge) -> None:
    def elsewhere() -> Verdict:
        return anyio.run(standard.decide, asks(command("ls")), backend="asyncio")

    assert ids(await anyio.to_thread.run_sync(elsewhere)) == ["engine.error"]


@pytest.mark.promise("policy.error_is_deny")
async def test_a_closed_judge_denies() -> None:
    with judge() as loaded:
        pass
    assert ids(await loaded.decide(asks(command("ls")))) == ["engine.error"]


@pytest.mark.promise("policy.error_is_deny")
async def test_an_operators_rule_of_the_wrong_shape_is_a_deny(tmp_path: Path) -> None:
    rule = custom_rule(tmp_path, 'findings contains {"effect": "allow", "reason": "mine"} if input.tool == "shell"')
    with judge(None, rule) as loaded:
        answer = await loaded.decide(asks(command("ls")))
    assert ids(answer) == ["custom.house"]
    assert isinstance(answer, Deny)


@pytest.mark.promise("policy.strictest_wins")
async def test_an_operators_rule_adds_and_never_takes_away(tmp_path: Path) -> None:
    rule = custom_rule(
        tmp_path,
        'findings contains {"effect": "deny", "reason": "No ls here.", "help": "Use find."} if {\n'
        '\tsome command in input.commands\n\tcommand.name == "ls"\n}',
    )
    with judge(None, rule) as loaded:
        assert ids(await loaded.decide(asks(command("ls")))) == ["custom.house"]
        assert ids(await loaded.decide(asks(command("sudo", "x")))) == ["privilege.tools"]
        assert isinstance(await loaded.decide(asks(command("cat", "x"))), Allow)


@pytest.mark.promise("policy.default_deny")
async def test_under_strict_only_listed_commands_run() -> None:
    with judge({"profile": "strict", "allow": ["pytest"]}) as loaded:
        assert isinstance(await loaded.decide(asks(command("grep", "x", "f"), command("pytest"))), Allow)
        answer = await loaded.decide(asks(command("python3", "x.py")))
        assert ids(answer) == ["strict.unlisted"]
        granted = await loaded.decide(asks(command("ls")))
        assert isinstance(granted, Allow)
        assert granted.access.write == ("/workspace", "/tmp", "/dev")


async def test_under_open_everything_runs_but_what_belongs_to_the_gate_or_the_operator() -> None:
    with judge({"profile": "open", "deny": ["terraform"]}) as loaded:
        assert isinstance(await loaded.decide(asks(command("sudo", "rm", "-rf", "/"))), Allow)
        assert ids(await loaded.decide(asks(command("terraform", "apply")))) == ["operator.commands"]
        assert ids(await loaded.decide(opens("/run/sandgate/agent.sock", "gate"))) == ["files.gate"]


@pytest.mark.promise("policy.default_deny")
async def test_more_commands_than_can_be_judged_are_denied_and_in_time(standard: RegoJudge) -> None:
    most = asks(*[command("git", "commit", "-m", "a/../b", "--", "../../x")] * 200)
    start = time.process_time()  # whatever else runs on the machine
    assert isinstance(await standard.decide(most), Allow)
    assert time.process_time() - start < 3
    answer = await standard.decide(asks(*[command("ls")] * 201))
    assert set(ids(answer)) == {"default.deny"}


@pytest.mark.promise("policy.default_deny")
@pytest.mark.parametrize("name", ["%d.pem", ".env.%d", "/etc/%d", "src/%d"])
async def test_as_many_files_as_can_be_judged_are_judged_in_time_and_no_more(standard: RegoJudge, name: str) -> None:
    def naming(files: int) -> Question:
        names = [name % number for number in range(files)]
        uses = tuple(PathUse(each, f"/workspace/{each}", "read", "workspace") for each in names)
        return replace(asks(command("cat", *names)), paths=uses)

    start = time.process_time()  # whatever else runs on the machine
    most = await standard.decide(naming(1000))
    assert time.process_time() - start < 3
    assert "default.deny" not in ids(most)
    assert set(ids(await standard.decide(naming(1001)))) == {"default.deny"}


# --- what leaves a sandbox ---------------------------------------------------------------------------------------------


def leaves(host: str, method: str = "GET", path: str = "/", role: str = "dev") -> Question:
    session = SessionFacts("default", "python")
    return Question(CallerFacts("local", (role,)), "network", session, UseHost(host, 443, method, path), {})


@pytest.mark.promise("egress.only_gate")
async def test_a_list_is_of_the_callers_roles_and_its_decisions_of_the_same_revision() -> None:
    with judge({"egress": ["a.test", {"host": "b.test", "roles": ["admin"]}, {"host": "*", "ask": True}]}) as loaded:
        assert await loaded.hosts(leaves("")) == ("a.test", {"host": "*", "ask": True})
        allowed, asked = await loaded.decide_request(leaves("a.test")), await loaded.decide_request(leaves("b.test"))
        other = await loaded.decide_request(leaves("b.test", role="admin"))
        assert not loaded.looks_at_requests
    assert isinstance(allowed, Allow)
    assert isinstance(asked, Ask)
    assert isinstance(other, Allow)
    assert {allowed.revision, asked.revision, other.revision} == {loaded.revision}


@pytest.mark.promise("policy.strictest_wins")
async def test_an_operators_rule_sees_each_request_and_lifts_nothing(tmp_path: Path) -> None:
    rule = custom_rule(
        tmp_path,
        'egress_findings contains {"effect": "deny", "reason": "No posts.", "help": "Read."} if {\n'
        '\tinput.egress.method == "POST"\n}\n\negress_findings contains {"effect": "allow"} if input.egress.path == "/odd"',
    )
    with judge({"egress": ["a.test"]}, rule) as loaded:
        assert loaded.looks_at_requests
        assert await loaded.hosts(leaves("")) == ({"host": "a.test", "ask": True},)
        assert isinstance(await loaded.decide_request(leaves("a.test")), Allow)
        assert ids(await loaded.decide_request(leaves("a.test", "POST"))) == ["custom.house"]
        assert ids(await loaded.decide_request(leaves("a.test", path="/odd"))) == ["custom.house"]
        assert "egress.not_allowed" in ids(await loaded.decide_request(leaves("b.test")))
        assert isinstance(await loaded.decide(asks(command("ls"))), Allow)


@pytest.mark.promise("policy.error_is_deny")
async def test_what_cannot_be_answered_leaves_no_network() -> None:
    with judge({"egress": ["a.test"]}) as loaded:
        pass
    assert await loaded.hosts(leaves("")) is None
    assert isinstance(await loaded.decide_request(leaves("a.test")), Deny)


ASKED = asks(command("pytest", "-q"), text="pytest -q")
OTHERS = {
    "caller": replace(ASKED, caller=CallerFacts("bob", ("dev",))),
    "role": replace(ASKED, caller=CallerFacts("local", ("dev", "admin"))),
    "tool": replace(ASKED, tool="exec"),
    "session": replace(ASKED, session=replace(ASKED.session, name="other")),
    "environment": replace(ASKED, session=replace(ASKED.session, environment="base")),
    "workspaces": replace(ASKED, session=replace(ASKED.session, workspaces=("/other",))),
    "arguments": replace(ASKED, call={"command": "pytest -q "}),
    "word": asks(command("pytest", "-qq"), text="pytest -q"),
    "path": replace(ASKED, paths=(PathUse("a", "/workspace/a", "read", "workspace"),)),
}


@pytest.mark.promise("call.permit")
async def test_a_question_is_judged_once_and_one_that_differs_in_anything_anew() -> None:
    """What comes from memory is the very verdict; whatever was worked out anew is an object of its own."""
    with judge() as asked:
        first = await asked.decide(ASKED)

        assert await asked.decide(replace(ASKED)) is first
        verdicts = [await asked.decide(other) for other in OTHERS.values()]
        assert all(other is not first for other in verdicts)
        assert await asked.decide(ASKED) is first
        assert (await asked.decide_request(leaves("docs.example.com"))) is not first


@pytest.mark.promise("call.permit")
async def test_other_settings_know_nothing_of_what_was_judged_before() -> None:
    with judge() as before, judge({"deny": ["pytest"]}) as after:
        current = CurrentJudge(before)
        assert isinstance(await current.decide(ASKED), Allow)

        current.replace(after)

        assert isinstance(await current.decide(ASKED), Deny)


async def test_what_is_long_or_judged_by_an_operators_own_rules_is_not_remembered(tmp_path: Path) -> None:
    rule = custom_rule(
        tmp_path, 'findings contains {"effect": "ask", "reason": "r", "help": "h"} if input.tool == "exec"'
    )
    long = replace(ASKED, call={"command": "x" * rego.REMEMBERED_CHARACTERS})
    with judge() as ours, judge({}, rule) as theirs:
        assert await ours.decide(long) is not await ours.decide(long)
        assert await theirs.decide(ASKED) is not await theirs.decide(ASKED)


async def test_a_closed_judge_has_forgotten_everything() -> None:
    with judge() as asked:
        assert isinstance(await asked.decide(ASKED), Allow)
        asked.close()
        assert ids(await asked.decide(ASKED)) == ["engine.error"]


async def test_no_more_than_so_many_verdicts_are_remembered() -> None:
    with judge() as asked:
        first = await asked.decide(ASKED)
        for number in range(rego.REMEMBERED):
            await asked.decide(replace(ASKED, call={"command": str(number)}))

        assert await asked.decide(ASKED) is not first
