"""The embedded judge: fails closed, cannot be weakened by an operator's data or rules, and names its revision."""

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from policy.command import Reading, ScriptFacts, SimpleCommand
from policy.question import CallerFacts, PathUse, Question, RunCommand, SessionFacts, UseFile
from policy.verdict import Allow, Ask, Deny, Verdict
from server.judge import rego
from server.judge.bundle import BundleError, read_bundle
from server.judge.decision import DECISION, verdict
from server.judge.engine import Engine, EngineTrouble
from server.judge.rego import RegoJudge
from server.judge.samples import whole

BUNDLE = Path(__file__).parents[3] / "policy" / "rego"
pytestmark = pytest.mark.anyio


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
def judge(config: Mapping[str, Any] | None = None, *custom: Path, deadline_s: float = 1.0) -> Iterator[RegoJudge]:
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


@pytest.mark.promise("policy.error_is_deny")
@pytest.mark.parametrize(
    "module",
    [
        "decision := 1",
        "decision := {}",
        "other := 1",
        "decision := 1 / input.nothing",
        'decision := substring(1, "a", 2)',
    ],
)
def test_an_engine_that_answers_oddly_or_not_at_all_is_denied(module: str) -> None:
    engine = Engine({"main.rego": f"package sandgate\n\n{module}\n"}, ())
    try:
        document = engine.evaluate("{}", DECISION)
    except EngineTrouble:
        return
    assert ids(verdict(document, "r")) == ["engine.error"]


@pytest.mark.promise("policy.error_is_deny")
@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("effect",), "permit"),
        (("effect",), "ask"),
        (("effect",), True),
        (("rules",), None),
        (("rules",), [{"id": "a", "effect": "deny", "reason": "b"}]),
        (("rules",), [{"id": "a", "effect": "deny", "reason": 1, "help": ""}]),
        (("rules",), [{"id": "a", "effect": "allow", "reason": "", "help": ""}]),
        (("rules",), [{"id": "a", "effect": "deny", "reason": "x", "help": ""}]),
        (("limits",), {}),
        (("limits", "timeout_s"), -1),
        (("limits", "timeout_s"), True),
        (("limits", "output_bytes"), 1.5),
        (("access",), None),
        (("access", "write"), "/"),
        (("access", "write"), ["workspace"]),
        (("access", "write"), ["/workspace/../etc"]),
        (("access", "write"), ["/a\0b"]),
        (("revision",), "another"),
        (("more",), 1),
    ],
)
def test_a_decision_of_another_shape_is_denied(path: tuple[str, ...], value: Any) -> None:
    document: Any = {
        "effect": "allow",
        "rules": [],
        "limits": {"timeout_s": None, "output_bytes": None},
        "access": {"read": ["/"], "write": [], "execute": ["/"]},
        "revision": "r",
    }
    assert isinstance(verdict(document, "r"), Allow)
    target = document[path[0]] if len(path) > 1 else document
    target[path[-1]] = value
    assert ids(verdict(document, "r")) == ["engine.error"]


@pytest.mark.promise("policy.error_is_deny")
def test_a_panic_is_trouble_and_does_not_end_the_program() -> None:
    engine = Engine({"p.rego": 'package p\n\nq := strings.count(input.x, "")\n'}, ())
    with pytest.raises(EngineTrouble):
        engine.evaluate('{"x": "a"}', "data.p.q")


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
async def test_an_operators_rule_that_never_ends_meets_its_deadline_and_is_denied(tmp_path: Path) -> None:
    slow = "count([1 | some i in numbers.range(1, 20000); some j in numbers.range(1, 20000); i * j == 7]) > 0"
    rule = custom_rule(
        tmp_path, f'findings contains {{"effect": "ask"}} if {{\n\tinput.call.command == "slow"\n\t{slow}\n}}'
    )
    with judge(None, rule, deadline_s=0.2) as loaded:
        start = time.monotonic()
        answer = await loaded.decide(asks(command("ls"), text="slow"))
        assert time.monotonic() - start < 3
        assert ids(answer) == ["engine.error"]
        assert "longer than 0.2 s" in answer.rules[0].reason
        assert isinstance(await loaded.decide(asks(command("ls"), text="quick")), Allow)


@pytest.mark.promise("policy.error_is_deny")
async def test_an_operators_rule_that_kills_the_engine_again_and_again_denies_everything(tmp_path: Path) -> None:
    rule = custom_rule(
        tmp_path,
        'findings contains {"effect": "ask", "reason": f(1), "help": ""} if input.call.command == "crash"\n\nf(x) := f(x + 1)',
    )
    with judge(None, rule, deadline_s=0.5) as loaded:
        for _ in range(3):
            assert ids(await loaded.decide(asks(command("ls"), text="crash"))) == ["engine.error"]
        answer = await loaded.decide(asks(command("ls"), text="fine"))
        assert ids(answer) == ["engine.error"]
        assert "too often" in answer.rules[0].reason


async def test_closing_waits_for_no_question_and_leaves_no_process(tmp_path: Path) -> None:
    slow = "count([1 | some i in numbers.range(1, 20000); some j in numbers.range(1, 20000); i * j == 7]) > 0"
    rule = custom_rule(
        tmp_path, f'findings contains {{"effect": "ask"}} if {{\n\tinput.call.command == "slow"\n\t{slow}\n}}'
    )
    with judge(None, rule, deadline_s=1.0) as loaded:
        child = loaded._child._child if loaded._child else None
        assert child is not None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(loaded.decide, asks(command("ls"), text="slow"))
            await anyio.wait_all_tasks_blocked()
            start = time.monotonic()
            loaded.close()
            assert time.monotonic() - start < 0.5
        assert child.poll() is not None
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


@pytest.mark.promise("policy.strictest_wins")
@pytest.mark.parametrize(
    "package",
    ["sandgate", "sandgate.rules.privilege.tools", "sandgate_config", "sandgate_custom", "sandgate_custom.a.b", "x"],
)
def test_an_operators_package_cannot_take_the_place_of_ours(tmp_path: Path, package: str) -> None:
    rule = custom_rule(tmp_path, "findings contains 1 if input.x", package)
    with pytest.raises(BundleError, match=rf"house.rego:1: package {package} is not sandgate_custom"):
        RegoJudge.load(BUNDLE, {}, [rule])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("findings contains {", r"house\.rego:\d+:\d+: "),
        ("other := 1", r"there is no `findings contains"),
        ('findings contains 1 if http.send({"url": "x"})', r"house\.rego:3: http\.send is not a function"),
        ("findings contains 1 if nosuch.builtin(1)", r"nosuch\.builtin is not a function"),
        ("findings contains 1 if opa.runtime()", r"opa\.runtime is not a function"),
    ],
)
def test_operators_rules_that_cannot_hold_are_refused_in_one_sentence(tmp_path: Path, body: str, said: str) -> None:
    with pytest.raises(BundleError, match=said) as refused:
        RegoJudge.load(BUNDLE, {}, [custom_rule(tmp_path, body)])
    assert "\n" not in str(refused.value)
    assert "backtrac" not in str(refused.value)


def copied(folder: Path) -> Path:
    return Path(shutil.copytree(BUNDLE, folder / "rego"))


@pytest.mark.promise("policy.error_is_deny")
@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("main.rego", lambda text: text + "\nx := (\n", r"main\.rego:\d+:\d+: "),
        (".manifest", lambda text: text.replace("sandgate", "other"), r"roots must be sandgate"),
        (".manifest", lambda _: "{", r"Expecting"),
        ("programs/data.json", lambda _: "{}", r"the sample|cannot be evaluated"),
        ("rules/code/piped/denied.json", lambda _: "[]", r"denied\.json of code\.piped is not a list"),
        ("rules/code/piped/piped.rego", lambda text: text.replace('"deny"', '"ask"'), r"the sample .* of code\.piped"),
        (
            "index/index.rego",
            lambda text: text.replace("code.piped.findings", "code.arithmetic.findings"),
            r"not named in",
        ),
        (
            "rules/code/piped/piped.rego",
            lambda text: text.replace("some shell", "1 / 0 == 1\n\tsome shell"),
            r"divide by zero",
        ),
    ],
)
def test_a_broken_bundle_is_refused_in_one_sentence(tmp_path: Path, file: str, change: Any, said: str) -> None:
    folder = copied(tmp_path)
    (folder / file).write_text(change((folder / file).read_text()))
    with pytest.raises(BundleError, match=said) as refused:
        RegoJudge.load(folder, {})
    assert "\n" not in str(refused.value)


def test_a_rule_without_tests_or_samples_is_refused(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    (folder / "rules/code/piped/piped_test.rego").unlink()
    with pytest.raises(BundleError, match=r"piped: the rule lacks its piped_test\.rego"):
        read_bundle(folder, {})


def test_a_bundle_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="manifest"):
        RegoJudge.load(tmp_path, {})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"profile": "lax"}, "policy.profile is 'lax'"),
        ({"profil": "open"}, "policy.profil is not a setting"),
        ({"allow": "git push"}, "policy.allow is no list"),
        ({"deny": ["$x"]}, "names no program"),
        ({"paths": [{"glob": "/a/{b", "effect": "deny"}]}, "does not close"),
        ({"paths": [{"glob": "/a/[^b]", "effect": "deny"}]}, "does not close"),
        ({"paths": [{"glob": "a/*", "effect": "deny"}]}, "not an absolute"),
        ({"paths": [{"glob": "/a", "effect": "no"}]}, "is not allow, ask or deny"),
        ({"paths": [{"glob": "/a", "ops": ["run"], "effect": "deny"}]}, "ops of /a"),
        ({"workspaces": ["w"]}, "no absolute path"),
        ({"limits": {"timeout_s": 0}}, "not a positive number"),
    ],
)
def test_a_wrong_setting_is_refused_in_one_sentence(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(BundleError, match=said) as refused:
        RegoJudge.load(BUNDLE, settings)
    assert "\n" not in str(refused.value)


@pytest.mark.promise("policy.strictest_wins")
async def test_an_operators_allow_answers_a_question_and_lifts_no_deny() -> None:
    with judge({"allow": ["git push", "sudo", "curl"]}) as loaded:
        assert isinstance(await loaded.decide(asks(command("git", "push", "origin"))), Allow)
        assert isinstance(await loaded.decide(asks(command("git", "push", "--force"))), Deny)
        assert isinstance(await loaded.decide(asks(command("sudo", "ls"))), Deny)
        assert isinstance(await loaded.decide(asks(command("git", None))), Ask)
        assert isinstance(await loaded.decide(asks(command("git", "push"), command("twine", "upload"))), Ask)


async def test_an_operators_lists_may_speak_of_one_role_only() -> None:
    with judge({"deny": [{"command": "make deploy", "role": "guest"}]}) as loaded:
        assert isinstance(await loaded.decide(asks(command("make", "deploy"))), Allow)
        assert isinstance(await loaded.decide(asks(command("make", "deploy"), role="guest")), Deny)


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


async def test_limits_and_access_come_from_the_settings() -> None:
    settings = {"limits": {"timeout_s": 20, "output_bytes": 1000}, "workspaces": ["/srv/a"], "home": "/home/x"}
    with judge({**settings, "execute": ["/usr"]}) as loaded:
        answer = await loaded.decide(asks(command("ls")))
    assert isinstance(answer, Allow)
    assert (answer.limits.timeout_s, answer.limits.output_bytes) == (20, 1000)
    assert answer.access.execute == ("/usr",)
    assert answer.access.write == ("/srv/a", "/tmp", "/var/tmp", "/home/x", "/dev")


def test_the_revision_is_that_of_the_rules_and_the_settings(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    first = read_bundle(folder, {}).revision
    assert first == read_bundle(BUNDLE, {}).revision
    assert first != read_bundle(folder, {"profile": "strict"}).revision
    main = folder / "main.rego"
    main.write_text(main.read_text() + "\n# changed\n")
    assert first != read_bundle(folder, {}).revision
    rule = custom_rule(tmp_path, "findings contains 1 if input.x == 1")
    assert read_bundle(folder, {}).revision != read_bundle(folder, {}, [rule]).revision


@pytest.mark.promise("policy.default_deny")
async def test_more_commands_than_can_be_judged_are_denied_and_in_time(standard: RegoJudge) -> None:
    most = asks(*[command("git", "commit", "-m", "a/../b", "--", "../../x")] * 200)
    start = time.monotonic()
    assert isinstance(await standard.decide(most), Allow)
    assert time.monotonic() - start < 1
    answer = await standard.decide(asks(*[command("ls")] * 201))
    assert set(ids(answer)) == {"default.deny"}
