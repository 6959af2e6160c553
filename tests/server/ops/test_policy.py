"""What people and programs read of the policy; nothing runs."""

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from server import cli
from server.record.audit import Audit
from tests.server.judge.judging import custom_rule
from tests.server.ops.commands import Said, misused, refused

pytestmark = pytest.mark.usefixtures("machine")


# --- policy check ------------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(machine: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts lines on standard input."""

    def put(*lines: Any) -> None:
        given = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
        (machine / "lines").write_bytes(b"".join(line + b"\n" for line in given))
        monkeypatch.setattr("sys.stdin", opened)

    (machine / "lines").touch()
    with (machine / "lines").open() as opened:
        yield put


@pytest.mark.parametrize(
    ("command", "code", "first", "named"),
    [
        ("ls -l", 0, "allow", ""),
        ("git push", 1, "ask", "[outward.publish]"),
        ("ls && sudo ls", 1, "deny", "[privilege.tools]"),
    ],
)
def test_a_person_reads_the_effect_and_a_line_a_rule(
    capsys: Said, command: str, code: int, first: str, named: str
) -> None:
    assert cli.main(["policy", "check", command]) == code

    effect, *rules = capsys.readouterr().out.splitlines()
    assert effect == first
    assert len(rules) == bool(named)
    assert named in "".join(rules)


def test_a_program_reads_the_effect_the_rules_and_what_was_understood(capsys: Said) -> None:
    assert cli.main(["policy", "check", "--json", "git push $REMOTE; ls"]) == 1

    answer = json.loads(capsys.readouterr().out)
    assert (answer["command"], answer["effect"]) == ("git push $REMOTE; ls", "ask")
    assert [(rule["id"], rule["grant"]) for rule in answer["rules"]] == [("outward.publish", "git push")]
    assert answer["commands"] == [["git", "push", None], ["ls"]]
    assert len(answer["revision"]) == 16


def test_lines_are_answered_in_their_order_and_the_code_is_not_about_the_answers(capsys: Said, asked: Any) -> None:
    commands = ["sudo ls", "ls", "git push", "sudo ls", "pwd"]
    asked(*({"command": command} for command in commands))

    assert cli.main(["policy", "check", "--jsonl"]) == 0

    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [answer["command"] for answer in answers] == commands
    assert [answer["effect"] for answer in answers] == ["deny", "allow", "ask", "deny", "allow"]


def test_no_lines_get_no_answers(capsys: Said, asked: Any) -> None:
    asked()

    assert cli.main(["policy", "check", "--jsonl"]) == 0
    assert capsys.readouterr() == ("", "")


def test_a_relative_cwd_means_what_it_means_to_the_server(capsys: Said, asked: Any) -> None:
    asked({"command": "ls > x", "cwd": "../run/sandgate"}, {"command": "ls > x", "cwd": "/run/sandgate"})

    assert cli.main(["policy", "check", "--jsonl"]) == 0

    relative, absolute = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert relative["effect"] == absolute["effect"] == "deny"
    assert [rule["id"] for rule in relative["rules"]] == [rule["id"] for rule in absolute["rules"]]


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (b"ls", "is not JSON: Expecting value"),
        (b"", "is not JSON"),
        (b'{"command": "ls\xff"}', "is not JSON"),
        (b"[" * 200_000, "is not JSON"),
        ("ls", 'is not an object with a "command"'),
        ({"cmd": "ls"}, 'is not an object with a "command"'),
        ({"command": ["ls"]}, 'is not an object with a "command"'),
        ({"command": "ls", "cwd": 5}, 'has a "cwd" that is no text'),
    ],
    ids=["words", "empty", "not UTF-8", "deep", "string", "other key", "list", "number"],
)
def test_a_bad_line_is_named_after_the_ones_before_it_were_answered(
    capsys: Said, asked: Any, bad: Any, why: str
) -> None:
    asked({"command": "ls"}, bad, {"command": "pwd"})

    assert cli.main(["policy", "check", "--jsonl"]) == 1

    said = capsys.readouterr()
    assert [json.loads(line)["command"] for line in said.out.splitlines()] == ["ls"]
    assert said.err.startswith("sandgate: line 2 ")
    assert why in said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("argv", [[], ["--json"], ["--jsonl", "ls"]], ids=["nothing", "only how", "both"])
def test_it_is_asked_about_one_command_or_about_lines(capsys: Said, argv: list[str]) -> None:
    assert misused(capsys, "policy", "check", *argv).startswith("give one of: a command, --jsonl")


def test_the_settings_are_those_of_servers_and_of_the_file_that_is_named(capsys: Said, machine: Path) -> None:
    named = machine / "named.toml"
    named.write_text('[policy]\ndeny = ["make deploy"]\n')

    assert cli.main(["policy", "check", "make deploy"]) == 0
    assert cli.main(["policy", "check", "make deploy", "--config", str(named)]) == 1
    assert "[operator.commands]" in capsys.readouterr().out


def test_an_operators_own_rules_are_asked_too(capsys: Said, machine: Path) -> None:
    rule = custom_rule(
        machine, 'findings contains {"effect": "deny", "reason": "No.", "help": "-"} if input.tool == "shell"'
    )
    (machine / "etc/sandgate.toml").write_text(f'[policy]\ncustom = ["{rule}"]\n')

    assert cli.main(["policy", "check", "ls"]) == 1
    assert capsys.readouterr().out == "deny\n  No. [custom.house] -\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('environment = "nowhere"\n', "there is no environment nowhere; the settings offer base, python"),
        ('[policy]\nprofile = "lax"\n', "policy.profile"),
        ('[policy]\ncustom = ["/nowhere/x.rego"]\n', "policy.custom: /nowhere/x.rego is not there"),
    ],
    ids=["environment", "profile", "custom"],
)
@pytest.mark.parametrize("lines", [False, True], ids=["one", "lines"])
def test_settings_that_cannot_be_used_are_one_sentence(
    capsys: Said, machine: Path, asked: Any, text: str, sentence: str, *, lines: bool
) -> None:
    (machine / "etc/sandgate.toml").write_text(text)
    asked({"command": "ls"})

    assert sentence in refused(capsys, "policy", "check", "--jsonl" if lines else "ls")


# --- policy test -------------------------------------------------------------------------------------------------------


def test_our_rules_pass_their_own_tests(capsys: Said) -> None:
    assert cli.main(["policy", "test"]) == 0
    assert capsys.readouterr().out.endswith(" passed, 0 failed\n")


def test_the_lines_of_the_rules_that_nothing_reaches_are_named(capsys: Said) -> None:
    assert cli.main(["policy", "test", "--coverage"]) == 0
    share = capsys.readouterr().out.splitlines()[-1]
    assert float(share.partition(" %")[0]) > 90


# --- explain, export, learn --------------------------------------------------------------------------------------------


def test_a_verdict_is_explained_by_rule_line_what_holds_it_and_what_would_allow_it(capsys: Said) -> None:
    assert cli.main(["policy", "explain", "cd src\ngit push origin main"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("ask ")
    assert "line 2: git push origin main   in /workspace/src" in said
    assert "ask: outward.publish" in said
    assert "at        line 2: git push origin main" in said
    assert "held by   the egress gate too" in said
    assert 'sandgate allow "git push"' in said

    assert cli.main(["policy", "explain", "npm publish"]) == 0  # two findings of one place
    assert capsys.readouterr().out.count("at        line 1: npm publish") == 1


def test_what_is_allowed_is_explained_by_what_the_kernel_lets_it_do(capsys: Said) -> None:
    assert cli.main(["policy", "explain", "ls"]) == 0
    assert "the kernel lets it read /, write /workspace, /tmp" in capsys.readouterr().out


def test_the_exported_bundle_is_the_policy_in_force(capsys: Said, machine: Path) -> None:
    assert cli.main(["policy", "export", str(machine / "out.tar.gz")]) == 0
    revision = capsys.readouterr().out.split("policy ")[1].split(",")[0]
    cli.main(["policy", "check", "--json", "ls"])
    assert json.loads(capsys.readouterr().out)["revision"] == revision
    with tarfile.open(machine / "out.tar.gz") as tar:
        manifest = tar.extractfile(".manifest")
        assert manifest is not None
        assert json.load(manifest)["revision"] == revision


def test_recent_questions_become_the_narrow_entries_they_would_have_needed(capsys: Said, machine: Path) -> None:
    path = machine / "audit.jsonl"
    ours = Audit(path, "interval")
    push = {"id": "outward.publish", "effect": "ask", "reason": "-", "help": "-", "grant": "git push"}
    sudo = {"id": "privilege.tools", "effect": "deny", "reason": "-", "help": "Run it without sudo.", "grant": ""}
    for effect, rules in (("ask", [push]), ("ask", [push]), ("deny", [push, sudo]), ("allow", [])):
        ours.write("call.decided", {"effect": effect, "rules": rules})
    ours.write("egress.refused", {"rule": "egress.not_allowed", "host": "docs.example.com", "port": 443, "count": 3})
    ours.write("egress.refused", {"rule": "egress.private", "host": "10.0.0.1", "port": 80})
    ours.write("egress.refused", {"rule": "egress.not_allowed", "host": "git", "port": 80})  # which is a command
    ours.close()
    before = sorted(machine.rglob("*"))

    assert cli.main(["policy", "learn", "--file", str(path)]) == 0

    said = capsys.readouterr().out.splitlines()
    assert said[1:] == [
        '  sandgate allow "git push"   # asked 2 times',
        "  sandgate allow docs.example.com   # refused 3 times",
        "Denied by rules that no list lifts, and what each allows instead:",
        "  privilege.tools, once: Run it without sudo.",
    ]
    assert cli.main(["policy", "learn", "--json", "--file", str(path)]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "decisions": 4,
        "commands": {"git push": 2},
        "hosts": {"docs.example.com": 3},
        "let_pass": {},
        "denied": [{"rule": "privilege.tools", "help": "Run it without sudo.", "count": 1}],
    }
    assert sorted(machine.rglob("*")) == before


def test_what_was_let_pass_to_learn_becomes_a_list(capsys: Said, machine: Path) -> None:
    path = machine / "audit.jsonl"
    ours = Audit(path, "interval")
    for host, port, more in (
        ("b.example", 443, {"learnt": True}),
        ("a.example", 8443, {"learnt": True}),
        ("c.example", 443, {}),
    ):
        ours.write("egress.flow", {"host": host, "port": port, **more})
    ours.close()

    assert cli.main(["policy", "learn", "--file", str(path)]) == 0

    assert '  allow = ["a.example:8443", "b.example"]' in capsys.readouterr().out.splitlines()


def test_a_bundle_that_cannot_be_written_is_a_sentence(capsys: Said, machine: Path) -> None:
    assert "name a file in a folder that is there" in refused(
        capsys, "policy", "export", str(machine / "no/out.tar.gz")
    )


@pytest.mark.parametrize("word", ["check", "explain"])
def test_what_is_said_of_a_request_without_a_host_is_not_passed_over(capsys: Said, machine: Path, word: str) -> None:
    assert "give its host" in misused(capsys, "policy", word, "ls", "--method", "GET")
