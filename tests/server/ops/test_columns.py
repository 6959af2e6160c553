"""What tables show where nobody looks at a screen, and where the screen is narrow."""

import pytest
from rich.table import Table
from rich.text import Text

from server.ops.columns import folded, show, typed
from server.ops.measures.report import DISPENSABLE, Figures
from server.ops.measures.report import table as bench_table
from tests.server.ops.commands import Said
from tests.server.ops.measures.test_report import EXEC, MACHINE, SLOWEST

NAME, WORDS = "a-name-that-is-typed-into-another-command-of-this-program", "a sentence of several words " * 3


def made() -> Table:
    table = Table(typed("name"), folded("told"), box=None)
    table.add_row(NAME, WORDS.strip())
    return table


def test_a_row_is_one_whole_line_where_it_is_piped(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    show(made())
    assert capsys.readouterr().out.splitlines()[1].split("  ") == [f" {NAME}", WORDS.strip() + " "]


@pytest.mark.parametrize("wide", ["80", "60", "20"])
def test_at_a_terminal_names_are_whole_and_no_word_is_lost(
    capsys: Said, monkeypatch: pytest.MonkeyPatch, wide: str
) -> None:
    monkeypatch.setenv("COLUMNS", wide)
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    show(made())
    said = Text.from_ansi(capsys.readouterr().out).plain
    assert NAME in said
    assert "…" not in said
    assert "".join(said.replace(NAME, "").split()) == "nametold" + WORDS.replace(" ", "")


@pytest.mark.parametrize(("wide", "lacking"), [("120", []), ("80", ["what"]), ("60", ["what", "baseline"])])
def test_a_narrow_terminal_shows_what_was_measured_and_does_without_the_rest(
    capsys: Said, monkeypatch: pytest.MonkeyPatch, wide: str, lacking: list[str]
) -> None:
    monkeypatch.setenv("COLUMNS", wide)
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    show(bench_table(Figures(MACHINE, [EXEC, SLOWEST]), None), DISPENSABLE)
    head, line = (Text.from_ansi(each).plain for each in capsys.readouterr().out.splitlines())
    titles = ["id", "p50", "p99", "baseline", "ratio", "target", "met", "what"]
    assert head.split() == [title for title in titles if title not in lacking]
    assert "2.00 ms" in line
    assert "ratio <= 1/25  yes" in line
    assert len(line) <= int(wide)
