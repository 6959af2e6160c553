"""`sandgate bench`: the speeds we promise and what bears on them, each against its baseline in one run."""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import anyio
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from server.ops import (
    bench_calls,
    bench_crowd,
    bench_egress,
    bench_fairness,
    bench_growth,
    bench_judging,
    bench_sandboxes,
    bench_starts,
)
from server.ops.bench_machine import facts
from server.ops.bench_report import FIGURES, Figures, table, written_into
from server.ops.bench_rig import FULL, QUICK, Measure, Rig, smaller
from server.ops.bench_row import Row
from server.sandbox.bare_engine import BareEngine
from server.sandbox.engine import find_engine
from server.settings import ENVIRON, HOME
from server.settings_files import load

MEASURES: Final[Sequence[Measure]] = (
    *bench_calls.MEASURES,
    *bench_judging.MEASURES,
    *bench_sandboxes.MEASURES,
    *bench_starts.MEASURES,
    *bench_crowd.MEASURES,
    *bench_fairness.MEASURES,
    *bench_egress.MEASURES,
    *bench_growth.MEASURES,
)


class NothingToMeasure(Exception):
    """What --only names is none of the rows."""


def bench(arguments: argparse.Namespace) -> int:
    """0 where it measured, whether or not the targets are met."""
    measures = chosen(arguments.only)
    before = Figures.read(arguments.compare) if arguments.compare else None
    settings = load()
    engine = find_engine(ENVIRON, HOME, settings.state_dir)  # where there is none, that is said before a bar is drawn
    scale = QUICK if arguments.quick else FULL
    if arguments.calls:
        scale = smaller(scale, arguments.calls)
    with BareEngine.at(engine.url) as bare:
        machine = facts(bare)
    with tempfile.TemporaryDirectory(prefix="sg") as folder:
        rows = _measured(measures, Rig(settings, engine.url, Path(folder), scale))
    figures = Figures(machine, rows)
    if arguments.readme:
        text = written_into(arguments.readme.read_text(), figures)
        arguments.readme.with_name(FIGURES).write_text(figures.as_json())
        arguments.readme.write_text(text)
    if arguments.json:
        print(figures.as_json(), end="")
    else:
        console = Console(highlight=False)
        console.print(table(figures, before))
        console.print(", ".join(f"{name} {value}" for name, value in machine.items()), style="dim")
    return 0


def chosen(only: Sequence[str] | None) -> list[Measure]:
    """All, or those whose rows are named: by a row's id, or the part before its first dot. Raises NothingToMeasure."""
    wanted = {name.partition(".")[0] for name in only or ()}
    if unknown := wanted - {measure.id for measure in MEASURES}:
        known = ", ".join(measure.id for measure in MEASURES)
        raise NothingToMeasure(f"--only has no {min(unknown)}; there are: {known}")
    return [measure for measure in MEASURES if not wanted or measure.id in wanted]


def _measured(measures: Sequence[Measure], rig: Rig) -> list[Row]:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("", total=sum(measure.seconds for measure in measures))
        rows: list[Row] = []
        for measure in measures:
            progress.update(bar, description=measure.id)
            rows += anyio.run(measure.take, rig)
            progress.advance(bar, measure.seconds)
    return rows
