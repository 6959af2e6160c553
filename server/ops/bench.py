"""`sandgate bench`: the speeds we promise and what bears on them, each against its baseline in one run."""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import anyio
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from server.ops.columns import show
from server.ops.measures import (
    calls,
    crowd,
    egress,
    fairness,
    growth,
    judging,
    sandboxes,
    snapshots,
    starts,
)
from server.ops.measures.machine import facts
from server.ops.measures.report import DISPENSABLE, FIGURES, Figures, readable, table, written_into
from server.ops.measures.rig import FULL, QUICK, Measure, Rig, smaller
from server.ops.measures.row import Row
from server.sandbox.bare_engine import BareEngine
from server.sandbox.engine import find_engine
from server.settings.files import load
from server.settings.settings import ENVIRON, HOME
from server.words import BadUsage

MEASURES: Final[Sequence[Measure]] = (
    *calls.MEASURES,
    *judging.MEASURES,
    *sandboxes.MEASURES,
    *snapshots.MEASURES,
    *starts.MEASURES,
    *crowd.MEASURES,
    *fairness.MEASURES,
    *egress.MEASURES,
    *growth.MEASURES,
)


def bench(arguments: argparse.Namespace) -> int:
    """0 where it measured, whether or not the targets are met."""
    measures = chosen(arguments.only)
    before = Figures.read(arguments.compare) if arguments.compare else None
    readme = readable(arguments.readme) if arguments.readme else ""
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
        text = written_into(readme, figures)
        arguments.readme.with_name(FIGURES).write_text(figures.as_json())
        arguments.readme.write_text(text)
    if arguments.json:
        print(figures.as_json(), end="")
    else:
        show(table(figures, before), DISPENSABLE)
        Console(highlight=False, soft_wrap=True).print(
            ", ".join(f"{name} {value}" for name, value in machine.items()), style="dim"
        )
    return 0


def chosen(only: Sequence[str] | None) -> list[Measure]:
    """All, or those whose rows are named: by a row's id, or the part before its first dot. Raises BadUsage."""
    wanted = {name.partition(".")[0] for name in only or ()}
    if unknown := wanted - {measure.id for measure in MEASURES}:
        known = ", ".join(measure.id for measure in MEASURES)
        raise BadUsage(f"--only has no {min(unknown)}; there are: {known}")
    return [measure for measure in MEASURES if not wanted or measure.id in wanted]


def _measured(measures: Sequence[Measure], rig: Rig) -> list[Row]:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=sum(measure.seconds for measure in measures))
        rows: list[Row] = []
        for number, measure in enumerate(measures, 1):
            progress.update(bar, description=measure.id)
            if not console.is_terminal:  # a log has no bar
                console.print(f"bench: {measure.id}, {number} of {len(measures)}", highlight=False)
            rows += anyio.run(measure.take, rig)
            progress.advance(bar, measure.seconds)
    return rows
