"""The bench measures and reports; how fast it was is never a test's business."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.ops.bench import MEASURES, _measured, chosen
from server.ops.measures.report import BEGIN, END, Figures
from server.ops.measures.rig import Measure, Rig, Scale
from server.ops.measures.row import KEYS, Row
from server.settings.files import load
from server.words import BadUsage
from tests.real_engine import client, engine_url

PROGRAM = str(Path(sys.executable).with_name("sandgate"))
TINY = Scale(calls=2, starts=1, crowds=(1, 2), burst=(2, 1), output_mb=1, kept_mb=1, growth=(1, 2))
LONG = {
    "fairness",
    "task",
    "output",
    "burst",
    "prepared",
    "start",
    "sessions",
    "growth",
    "egress",
}  # seconds each, even where little is measured


KEEPS = {"fork", "prepared"}  # images in the engine, which is theirs alone then


def marks(measure: str) -> list[pytest.MarkDecorator]:
    return [pytest.mark.soak] * (measure in LONG) + [pytest.mark.alone] * (measure in KEEPS)


def _bench(*arguments: str) -> str:
    argv = [PROGRAM, "bench", *arguments]
    return subprocess.run(
        argv, capture_output=True, text=True, timeout=100, check=True, env=dict(os.environ) | {"COLUMNS": "200"}
    ).stdout


@pytest.fixture
def rig() -> Iterator[Rig]:
    """In a short folder: the kernel allows 107 bytes for a socket's path."""
    with tempfile.TemporaryDirectory(prefix="sg") as folder:
        yield Rig(load(), engine_url(), Path(folder), TINY, program=(sys.executable, "-P", PROGRAM))


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize(
    "measure",
    [pytest.param(each, id=each.id, marks=marks(each.id)) for each in MEASURES],
)
@pytest.mark.anyio
async def test_each_measure_gives_its_rows_and_leaves_nothing_in_the_engine(measure: Measure, rig: Rig) -> None:
    with client() as api:
        before = {image["Id"] for image in api.images()}
    rows = await measure.take(rig)

    assert rows
    for row in rows:
        assert row.id.partition(".")[0] in (measure.id, "growth")
        assert row.value >= 0
        assert row.ratio is None or row.ratio == pytest.approx(row.value / (row.baseline or 0), rel=0.01)
        assert (row.met is None) == (row.target == "")
    assert len({row.id for row in rows}) == len(rows)
    with client() as api:
        left = {image["Id"] for image in api.images()} - before  # what others had left, its server sweeps
        assert measure.id not in KEEPS or left == set()
        assert api.containers(all=True, filters={"label": "sandgate.server=bench"}) == []
        assert api.containers(all=True, filters={"label": "sandgate.bench"}) == []


def test_one_run_is_printed_for_programs_compared_and_written_into_a_readme(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    printed = _bench("--json", "--calls", "2", "--only", "decision", "--readme", str(readme))
    figures = json.loads(printed)
    earlier = tmp_path / "earlier.json"
    earlier.write_text(printed)
    compared = _bench("--calls", "2", "--only", "decision.p99", "--compare", str(earlier))

    assert [row["id"] for row in figures["rows"]] == ["decision", "decision.p99"]
    assert all(tuple(row) == KEYS for row in figures["rows"])
    assert {"cpus", "kernel", "docker", "load"} <= figures["machine"].keys()
    assert "since then" in compared
    text = readme.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "| policy decision" in text
    assert Figures.read(tmp_path / "bench.json").as_json() == printed


def test_a_row_that_there_is_not_is_refused_with_those_there_are() -> None:
    with pytest.raises(BadUsage, match=r"has no exex; there are: exec, shell"):
        chosen(["exex"])


def test_a_log_reads_what_is_being_measured(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    async def nothing(_: Rig) -> list[Row]:
        return []

    assert _measured([Measure("one", 1, nothing), Measure("two", 1, nothing)], rig) == []
    assert capsys.readouterr().err.splitlines() == ["bench: one, 1 of 2", "bench: two, 2 of 2"]
