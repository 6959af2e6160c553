"""What is shown of a run, from rows that are known."""

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from server.ops.measures.report import BEGIN, END, BadFigures, Figures, amount, fraction, is_worse, table, written_into
from server.ops.measures.row import Row, Target, row

MACHINE = {"cpus": "2", "cpu": "a CPU", "memory_gb": "8", "system": "a system", "kernel": "6.1", "docker": "26"} | {
    "date": "2026-01-01",
    "load": "0.10",
}
EXEC = row("exec", "a command", 2.0, "ms", baseline=50.0, target=Target(1 / 25, of_ratio=True), noise=0.02)
SLOWEST = row("exec.p99", "a command", 9.0, "ms", baseline=50.0)
RATE = row("output", "output", 100.0, "MB/s", baseline=200.0, target=Target(150, at_least=True), noise=0.02)


def _shown(figures: Figures, before: Figures | None = None) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(table(figures, before))
    return captured.get()


def test_a_row_shows_its_slowest_beside_it_and_whether_its_target_is_met() -> None:
    lines = _shown(Figures(MACHINE, [EXEC, SLOWEST, RATE])).splitlines()

    assert len(lines) == 3
    assert " ".join(lines[1].split()) == "exec 2.00 ms 9.00 ms 50.0 ms 1/25.0 ratio <= 1/25 yes a command"
    assert " ".join(lines[2].split()) == "output 100 MB/s 200 MB/s 0.50 >= 150 MB/s no output"


@pytest.mark.parametrize(
    ("now", "worse"),
    [
        (replace(EXEC, ratio=0.05), True),
        (replace(EXEC, ratio=0.05, noise=0.4), False),  # by a quarter, where a run may differ by more
        (replace(EXEC, ratio=0.042), False),  # surely, and too little to matter
        (replace(EXEC, ratio=0.02), False),
        (replace(EXEC, value=9.0), False),  # on a slower machine: the ratio stands
        (replace(RATE, ratio=0.3), True),
        (replace(RATE, ratio=0.9), False),
    ],
)
def test_worse_is_what_got_worse_beyond_noise(now: Row, *, worse: bool) -> None:
    then = EXEC if now.id == "exec" else RATE

    assert is_worse(now, then) == worse
    assert ("worse" in _shown(Figures(MACHINE, [now]), Figures(MACHINE, [then]))) == (
        worse or now.ratio in (0.05, 0.042)
    )


def test_figures_survive_being_written_and_read(tmp_path: Path) -> None:
    figures = Figures(MACHINE, [EXEC, SLOWEST, RATE])
    (tmp_path / "bench.json").write_text(figures.as_json())

    assert Figures.read(tmp_path / "bench.json") == figures


@pytest.mark.parametrize("text", ["", "[]", '{"rows": [{}], "machine": {}, "noise": {}}'])
def test_a_file_that_holds_no_figures_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "other.json").write_text(text)

    with pytest.raises(BadFigures, match=r"other\.json does not hold"):
        Figures.read(tmp_path / "other.json")


def test_a_readme_has_its_table_renewed_and_nothing_else() -> None:
    text = written_into(f"a\n{BEGIN}\nold\n{END}\nb\n", Figures(MACHINE, [EXEC, SLOWEST, RATE]))

    assert text.startswith(f"a\n{BEGIN}\n| what |")
    assert text.endswith(f"\n{END}\nb\n")
    assert "| a command | 2.00 ms | 1/25.0 | ratio <= 1/25 | yes |" in text
    assert "| output | 100 MB/s | 0.50 | >= 150 MB/s | no |" in text
    assert "old" not in text


@pytest.mark.parametrize(("load", "quiet"), [("0.40", True), ("0.60", False)])
def test_a_machine_that_was_not_quiet_is_said_to_be(load: str, *, quiet: bool) -> None:
    text = written_into(f"{BEGIN}\n{END}\n", Figures(MACHINE | {"load": load}, [EXEC]))

    assert ("not quiet" in text) != quiet


def test_a_readme_without_a_place_for_the_table_is_left_alone() -> None:
    with pytest.raises(BadFigures, match="between which"):
        written_into(f"a\n{BEGIN}\n", Figures(MACHINE, [EXEC]))


def test_amounts_have_three_digits_and_ratios_are_fractions_where_small() -> None:
    assert [amount(1.654, "ms"), amount(42.13, "ms"), amount(1240.4, "MB"), amount(0, "calls")] == [
        "1.65 ms",
        "42.1 ms",
        "1240 MB",
        "0",
    ]
    assert [fraction(0.04), fraction(1.118), fraction(None), fraction(0)] == ["1/25.0", "1.12", "", "0.00"]
