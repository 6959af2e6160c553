"""The README's figures are those of one run that lies beside it."""

from pathlib import Path

from server.ops.measures.report import FIGURES, Figures, written_into

ROOT = Path(__file__).parent.parent


def test_the_readme_shows_the_run_that_lies_beside_it() -> None:
    readme = (ROOT / "README.md").read_text()

    assert written_into(readme, Figures.read(ROOT / FIGURES)) == readme, "run: sandgate bench --readme README.md"


def test_every_row_of_the_readme_was_measured_and_says_whether_it_is_met() -> None:
    rows = [row for row in Figures.read(ROOT / FIGURES).rows if row.target]

    assert {row.id for row in rows} >= {
        *("exec", "shell", "claim", "start", "start.shell", "cold", "decision", "decision.p99", "parse"),
        *("output", "output.memory", "egress.request", "egress.connection", "egress.down", "egress.memory"),
        *("idle", "sessions.100.p99", "sessions.100.failures"),
    }
    assert all(row.met is not None for row in rows)
