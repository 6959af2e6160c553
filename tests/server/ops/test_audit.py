"""What people and programs read of the audit; nothing runs."""

import json
from pathlib import Path

import pytest

from server import cli
from server.record.audit import Audit
from server.record.chain_file import Rotation
from tests.server.ops.commands import Said, refused

pytestmark = pytest.mark.usefixtures("machine")


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
    assert capsys.readouterr().out.startswith("5 lines in 1 file, an unbroken chain; its head is ")


@pytest.mark.usefixtures("audit")
def test_a_program_reads_where_the_chain_stands(capsys: Said) -> None:
    assert cli.main(["audit", "head"]) == 0
    number, digest, time = capsys.readouterr().out.split()
    assert cli.main(["audit", "head", "--json"]) == 0
    head = json.loads(capsys.readouterr().out)
    assert head == {"sequence": int(number), "digest": digest, "time": time}
    assert cli.main(["audit", "verify", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"first": 1, "count": 5, "files": 1, "past": 0, "head": head}


@pytest.mark.promise("audit.chain")
def test_a_changed_line_is_one_sentence_with_its_file_and_number(capsys: Said, audit: Path) -> None:
    audit.write_text(audit.read_text().replace('"tool":"shell"', '"tool":"exec"'))

    assert refused(capsys, "audit", "verify").startswith(f"{audit}:3: line 3 does not continue line 2")


def test_the_newest_lines_come_last_and_are_as_many_as_asked_for(capsys: Said, audit: Path) -> None:
    assert cli.main(["audit", "tail", "-n", "2"]) == 0

    call, server = capsys.readouterr().out.splitlines()
    assert call.split()[1:3] == ["call.ended", "d-1"]
    assert '"exit_code": 0' in call
    assert server.split()[1:3] == ["server.ended", "-"]


def test_a_line_is_whole_but_at_a_terminal_where_it_is_as_long_as_that_is_wide(
    capsys: Said, audit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = Audit(audit, "interval")
    ours.write("call.started", {"decision_id": "d-3", "arguments": {"command": "x" * 500}})
    ours.close()
    monkeypatch.setenv("COLUMNS", "100")

    assert cli.main(["audit", "tail", "-n", "1"]) == 0
    assert "x" * 500 in capsys.readouterr().out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert cli.main(["audit", "tail", "-n", "1"]) == 0
    assert len(capsys.readouterr().out.rstrip("\n")) == 100
    assert cli.main(["audit", "tail", "-n", "2", "--json"]) == 0
    assert [json.loads(line)["kind"] for line in capsys.readouterr().out.splitlines()] == [
        "server.ended",
        "call.started",
    ]
    assert cli.main(["audit", "show", "d-1", "--json"]) == 0
    assert [json.loads(line)["kind"] for line in capsys.readouterr().out.splitlines()][-1] == "call.ended"


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
    assert cli.main(["audit", "tail", "-n", "1"]) == 0
    broken = capsys.readouterr().out
    assert broken.split()[:3] == ["-", "unreadable", "-"]
    assert '"line": 6' in broken
    assert refused(capsys, "audit", "verify").startswith(f"{audit}:6: line 6 was cut short")

    again = Audit(audit, "interval")
    again.write("server.started", {"server": "s2"})
    again.close()
    assert cli.main(["audit", "tail", "-n", "2"]) == 0
    said, after = capsys.readouterr().out.splitlines()
    assert said.split()[1] == "server.recovered"
    assert "server.started" in after
    assert cli.main(["audit", "verify"]) == 0


@pytest.mark.promise("audit.chain")
@pytest.mark.parametrize("kept", ["file", "hash", "log"])
def test_a_head_that_was_kept_elsewhere_tells_an_audit_from_one_that_was_written_anew(
    capsys: Said, machine: Path, audit: Path, kept: str
) -> None:
    assert cli.main(["audit", "head"]) == 0
    head = capsys.readouterr().out
    assert head.startswith("5 ")
    anchor = machine / "anchor"
    anchor.write_text(head if kept == "file" else f"Jan  2 03:04:05 host sandgate: audit head {head}")
    told = head.split()[1] if kept == "hash" else str(anchor)

    assert cli.main(["audit", "verify", "--anchor", told]) == 0
    assert "1 of 1 anchors fit" in capsys.readouterr().out
    audit.unlink()
    forged = Audit(audit, "interval")
    for _ in range(9):
        forged.write("server.note", {})
    forged.close()
    assert cli.main(["audit", "verify"]) == 0
    capsys.readouterr()
    assert "written anew" in refused(capsys, "audit", "verify", "--anchor", told)


def test_an_anchor_that_is_none_is_one_sentence(capsys: Said, audit: Path) -> None:
    assert "`sandgate audit head` prints one" in refused(capsys, "audit", "verify", "--anchor", "yesterday")


def test_files_that_were_closed_are_read_as_one_with_the_rest(capsys: Said, machine: Path) -> None:
    path = machine / "state/sandgate/audit/audit.jsonl"
    ours = Audit(path, "interval", Rotation(bytes=500, keep=3))
    for number in range(20):
        ours.write("call.started", {"decision_id": f"d-{number}", "tool": "shell"})
    ours.close()

    assert cli.main(["audit", "verify"]) == 0
    assert "older files were removed by the settings" in capsys.readouterr().out
    assert cli.main(["audit", "tail", "-n", "9"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 9
    assert cli.main(["audit", "show", "d-19"]) == 0
    path.unlink()
    assert cli.main(["audit", "tail", "-n", "1"]) == 0
    assert "audit.rotated" in capsys.readouterr().out
