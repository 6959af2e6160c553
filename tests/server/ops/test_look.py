"""What people and programs read of the policy and the audit; nothing runs."""

import json
from pathlib import Path
from typing import Any

import pytest

from server import cli, settings
from server.record.audit import Audit
from tests.server.judge.judging import custom_rule

type Said = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without settings and without an audit."""
    monkeypatch.setattr(settings, "SYSTEM", tmp_path / "etc.toml")
    monkeypatch.setattr(settings, "MANAGED", tmp_path / "managed.toml")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in ("SANDGATE_CONFIG", "SANDGATE_STATE_DIR", "SANDGATE_PROFILE", "SANDGATE_ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def refused(capsys: Said, *argv: str) -> str:
    """The sentence with which a command fails."""
    assert cli.main(argv) == 1
    said = capsys.readouterr()
    assert said.err.startswith("sandgate: ")
    assert said.err.count("\n") == 1
    return said.err.removeprefix("sandgate: ").rstrip("\n")


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
    assert refused(capsys, "policy", "check", *argv).startswith("give a command, or --jsonl")


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
    (machine / "etc.toml").write_text(f'[policy]\ncustom = ["{rule}"]\n')

    assert cli.main(["policy", "check", "ls"]) == 1
    assert capsys.readouterr().out == "deny\n  No. [custom.house] -\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('environment = "nowhere"\n', "there is no environment nowhere; the settings offer base, python"),
        ('[policy]\nprofile = "lax"\n', "policy.profile"),
        ('[policy]\ncustom = ["/nowhere/x.rego"]\n', "/nowhere/x.rego"),
    ],
    ids=["environment", "profile", "custom"],
)
@pytest.mark.parametrize("lines", [False, True], ids=["one", "lines"])
def test_settings_that_cannot_be_used_are_one_sentence(
    capsys: Said, machine: Path, asked: Any, text: str, sentence: str, *, lines: bool
) -> None:
    (machine / "etc.toml").write_text(text)
    asked({"command": "ls"})

    assert sentence in refused(capsys, "policy", "check", "--jsonl" if lines else "ls")


# --- policy test -------------------------------------------------------------------------------------------------------


def test_our_rules_pass_their_own_tests(capsys: Said) -> None:
    assert cli.main(["policy", "test"]) == 0
    assert capsys.readouterr().out.endswith(" passed, 0 failed\n")


# --- audit -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def audit(machine: Path) -> Path:
    """Five lines where servers write them: two calls, one flow of both, and two lines of the server."""
    path = machine / "state/sandgate/audit/audit.jsonl"
    ours = Audit(path, "interval")
    ours.write("server.started", {"server": "s1", "warnings": []})
    ours.write("call.started", {"decision_id": "d-1", "tool": "shell"})
    ours.write("egress.flow", {"decision_id": None, "decision_ids": ["d-1", "d-2"], "host": "a.example"})
    ours.write("call.ended", {"decision_id": "d-1", "outcome": "exited", "exit_code": 0})
    ours.write("server.ended", {"server": "s1"})
    ours.close()
    return path


def test_an_unbroken_chain_is_counted(capsys: Said, audit: Path) -> None:
    assert cli.main(["audit", "verify"]) == 0
    assert capsys.readouterr().out.startswith("5 lines, an unbroken chain; its head is ")


@pytest.mark.promise("audit.chain")
def test_a_changed_line_is_one_sentence_with_its_number(capsys: Said, audit: Path) -> None:
    audit.write_text(audit.read_text().replace('"tool":"shell"', '"tool":"exec"'))

    assert refused(capsys, "audit", "verify").startswith("line 3 does not continue line 2")


def test_the_newest_lines_come_last_and_are_as_many_as_asked_for(capsys: Said, audit: Path) -> None:
    assert cli.main(["audit", "tail", "-n", "2"]) == 0

    call, server = capsys.readouterr().out.splitlines()
    assert call.split()[1:3] == ["call.ended", "d-1"]
    assert '"exit_code": 0' in call
    assert server.split()[1:3] == ["server.ended", "-"]


def test_fewer_lines_than_asked_for_are_all_of_them(capsys: Said, audit: Path) -> None:
    assert cli.main(["audit", "tail"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 5


def test_everything_under_one_decision_is_shown_also_what_it_shares(capsys: Said, audit: Path) -> None:
    assert cli.main(["audit", "show", "d-1"]) == 0
    shown = capsys.readouterr().out
    assert [line for line in shown.splitlines() if '"kind"' in line] == [
        '  "kind": "call.started",',
        '  "kind": "egress.flow",',
        '  "kind": "call.ended",',
    ]

    assert cli.main(["audit", "show", "d-2"]) == 0
    assert json.loads(capsys.readouterr().out)["host"] == "a.example"


@pytest.mark.parametrize("decision", ["d-3", "", "d-"])
def test_a_decision_that_is_not_there_is_one_sentence(capsys: Said, audit: Path, decision: str) -> None:
    assert "sandgate audit tail" in refused(capsys, "audit", "show", decision)


def test_another_file_is_read_where_it_is_named(capsys: Said, machine: Path, audit: Path) -> None:
    moved = audit.rename(machine / "moved.jsonl")

    assert cli.main(["audit", "verify", "--file", str(moved)]) == 0
    assert cli.main(["audit", "tail", "--file", str(moved)]) == 0
    assert cli.main(["audit", "show", "d-2", "--file", str(moved)]) == 0


@pytest.mark.parametrize("argv", [["verify"], ["tail"], ["show", "d-1"]], ids=" ".join)
def test_without_an_audit_the_sentence_says_where_it_would_be(capsys: Said, machine: Path, argv: list[str]) -> None:
    said = refused(capsys, "audit", *argv)

    assert said.startswith(f"{machine}/state/sandgate/audit/audit.jsonl is not there")


@pytest.mark.parametrize("cut", ['{"kind":"half', "[1]", "\udcff"], ids=["cut", "no line", "no text"])
def test_a_line_that_a_crash_cut_short_hides_no_other(capsys: Said, audit: Path, cut: str) -> None:
    with audit.open("ab") as file:
        file.write(cut.encode("utf-8", "surrogateescape"))
    again = Audit(audit, "interval")
    again.write("server.started", {"server": "s2"})
    again.close()

    assert cli.main(["audit", "tail", "-n", "2"]) == 0
    broken, after = capsys.readouterr().out.splitlines()
    assert broken.split()[:3] == ["-", "unreadable", "-"]
    assert '"line": 6' in broken
    assert "server.started" in after
    assert cli.main(["audit", "show", "d-1"]) == 0
    capsys.readouterr()
    assert refused(capsys, "audit", "verify").startswith("line 6 ")
