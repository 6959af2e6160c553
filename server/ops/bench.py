"""`sandgate bench`: the speeds we promise, each as a ratio against its baseline, measured in turn in one run."""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import anyio
import anyio.abc
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from policy.question import CallerFacts, Question, RunCommand, SessionFacts
from policy.verdict import Allow, permit
from server.environments import environments
from server.ops.parse_speed import ParseSpeed, parse_speed
from server.sandbox.docker_engine import DockerEngine, Surroundings
from server.sandbox.docker_sandbox import DockerSandbox
from server.sandbox.engine import find_engine
from server.sandbox.image_recipe import seccomp_file
from server.sandbox.sandbox import Exit
from server.sandboxes import workspaces
from server.settings import ENVIRON, HOME, Settings
from server.settings_files import load, settings_files

WARM_UP = 5
TURN = 10  # calls of each kind, before the other has its turn

type Timed = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Row:
    """One promise, measured: `value` and `baseline` in `unit` (p50), `ratio` their quotient, `target` its ceiling."""

    id: str
    what: str
    value: float
    unit: str
    baseline: float
    ratio: float
    target: float
    met: bool


def bench(arguments: argparse.Namespace) -> int:
    """0 where it measured, whether or not the targets are met."""
    settings = load()
    find_engine(ENVIRON, HOME, settings.state_dir)  # where there is none, that is said before a bar is drawn
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("calls", total=2 * (arguments.calls + WARM_UP))
        rows = anyio.run(_measure, settings, arguments.calls, progress, task)
    parsing = anyio.run(parse_speed, arguments.calls)
    if arguments.json:
        figures = {"machine": _machine(), "rows": [asdict(row) for row in rows], "parse": asdict(parsing)}
        print(json.dumps(figures, indent=2))
    else:
        Console().print(_table(rows))
        Console().print(_sentence(parsing), highlight=False)
    return 0


def _sentence(parsing: ParseSpeed) -> str:
    met = "[green]met[/]" if parsing.met else "[red]not met[/]"
    times = f"p50 {parsing.p50_ms:.2f} ms, p99 {parsing.p99_ms:.2f} ms"
    return f"parse a command: {times}; target: p50 of at most {parsing.target_ms:.0f} ms, {met}"


def _machine() -> dict[str, object]:
    return {"cpus": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version()}


def _table(rows: list[Row]) -> Table:
    table = Table("what", "p50", "docker exec p50", "ratio", "target", "met", box=None)
    for row in rows:
        met = "[green]yes[/]" if row.met else "[red]no[/]"
        values = (
            f"{row.value:.2f} {row.unit}",
            f"{row.baseline:.1f} {row.unit}",
            f"1/{1 / row.ratio:.1f}",
            f"1/{1 / row.target:.0f}",
        )
        table.add_row(row.what, *values, met)
    return table


async def _measure(settings: Settings, calls: int, progress: Progress, task: TaskID) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="sg") as folder:
        async with anyio.create_task_group() as tasks:
            engine = _engine(settings, Path(folder), tasks)
            box = await engine.create(
                environments(settings, workspaces(settings, settings_files()))[settings.environment]
            )
            try:
                rows = await _rows(engine, box, calls, lambda: progress.advance(task))
            finally:
                await box.close()
                engine.close()
            tasks.cancel_scope.cancel()
    return rows


def _engine(settings: Settings, folder: Path, tasks: anyio.abc.TaskGroup) -> DockerEngine:
    return DockerEngine(
        find=lambda: find_engine(ENVIRON, HOME, settings.state_dir).url,
        directory=folder / "s",
        server_id="bench",
        seccomp=seccomp_file(),
        surroundings=Surroundings(),
        grace_s=5.0,
        tasks=tasks,
        weakened=_pass_over,
    )


def _pass_over(sentence: str) -> None:
    """What this machine lacks is doctor's to say; the bench measures with it."""
    del sentence


async def _rows(engine: DockerEngine, box: DockerSandbox, calls: int, tick: Callable[[], None]) -> list[Row]:
    async def by_engine() -> None:
        await engine.exec_by_engine(box.id, ["true"])

    async def by_agent() -> None:
        await _run_true(box)

    server_side = await _in_turn(by_agent, by_engine, calls, tick)
    parameters = StdioServerParameters(
        command=sys.executable, args=["-P", sys.argv[0], "serve", "--stdio"], env=dict(ENVIRON)
    )
    async with Client(parameters) as client:

        async def by_shell() -> None:
            await client.call_tool("shell", {"command": "true"})

        over_stdio = await _in_turn(by_shell, by_engine, calls, tick)
    return [
        _row("exec.server_side", "exec true in a live sandbox, no MCP", server_side, 1 / 25),
        _row("shell.stdio", "shell tool over stdio: parse, policy, audit, run", over_stdio, 1 / 8),
    ]


async def _in_turn(ours: Timed, theirs: Timed, calls: int, tick: Callable[[], None]) -> tuple[float, float]:
    """p50 of each in milliseconds, by turns, so that a machine that drifts drifts for both.

    A turn is a few calls: the engine still tidies up after one of its own when the next call begins.
    """
    times: tuple[list[float], list[float]] = ([], [])
    for first in range(0, calls + WARM_UP, TURN):
        turn = range(first, min(first + TURN, calls + WARM_UP))
        for kept, timed in zip(times, (ours, theirs), strict=True):
            for number in turn:
                began = time.perf_counter()
                await timed()
                if number >= WARM_UP:
                    kept.append((time.perf_counter() - began) * 1000)
        for _ in turn:
            tick()
    return statistics.median(times[0]), statistics.median(times[1])


def _row(identity: str, what: str, medians: tuple[float, float], target: float) -> Row:
    value, baseline = medians
    ratio = value / baseline
    return Row(
        identity, what, round(value, 3), "ms", round(baseline, 3), round(ratio, 4), round(target, 4), ratio <= target
    )


class _Over:
    """Waits for one command's end and nothing else."""

    def __init__(self) -> None:
        self.over = anyio.Event()

    def write(self, stream: int, data: bytes) -> None:
        """`true` says nothing."""

    def ended(self, end: Exit) -> None:
        del end  # how it ended is the tests' business
        self.over.set()

    def cleared(self) -> None:
        """`true` leaves nothing behind."""


async def _run_true(box: DockerSandbox) -> None:
    act = RunCommand(("true",), "/", b"", 10, background=False)
    question = Question(CallerFacts("bench"), "exec", SessionFacts("bench", box.spec.environment), act, {})
    over = _Over()
    await box.run(permit(question, Allow()), over)
    await over.over.wait()
