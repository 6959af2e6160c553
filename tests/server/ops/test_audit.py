"""What people and programs read of the audit; nothing runs."""

import json
from pathlib import Path

import pytest

from server import cli
from server.record.audit import Audit
from tests.server.ops.commands import Said, machine, refused

__all__ = ["machine"]  # a fixture
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
