"""The bench's calls: one command without and with MCP, an agent's task, and output as fast as it drains."""

import itertools
from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio

from policy.question import CallerFacts, Question, RunCommand, SessionFacts
from policy.verdict import Allow, permit
from server.ops.measures.rig import Measure, Rig, in_thread
from server.ops.measures.row import Row, Target, row
from server.ops.measures.server import Served, serving, wired
from server.ops.process_memory import peak_mb
from server.sandbox.docker_sandbox import DockerSandbox
from server.sandbox.sandbox import Exit

MB: Final = 1e6
_PLAIN: Final = ("/bin/true",)
_TASKS: Final = 5  # more would take longer than all else


class NotMeasured(Exception):
    """What was to be measured did not happen."""


class _Over:
    """Waits for one command's end and nothing else."""

    def __init__(self) -> None:
        self.over, self.end = anyio.Event(), Exit("running")

    def write(self, stream: int, data: bytes) -> None:
        """`true` says nothing."""

    def ended(self, end: Exit) -> None:
        self.end = end
        self.over.set()

    def cleared(self) -> None:
        """`true` leaves nothing behind."""


async def run_true(box: DockerSandbox) -> None:
    act = RunCommand(("true",), "/", b"", 10, background=False)
    question = Question(CallerFacts("bench"), "exec", SessionFacts("bench", box.spec.environment), act, {})
    over = _Over()
    await box.run(permit(question, Allow()), over)
    await over.over.wait()
    if over.end.exit_code != 0:
        raise NotMeasured(f"true ended as {over.end}")


async def _exec(rig: Rig) -> list[Row]:
    async with rig.sandbox() as box:
        with rig.bare() as bare:
            theirs = in_thread(bare.exec, f"sandgate-{box.id}", _PLAIN)
            times = await rig.by_turns(lambda: run_true(box), theirs)
    return list(times.rows("exec", "exec true in a live sandbox, no MCP, over docker exec", Target(1 / 25, True)))


async def _shell(rig: Rig) -> list[Row]:
    """At the server's pipes, which is what we answer for; then with what the SDK's own client takes beside it.

    Each command is a new one, because what a caller ran before is read and judged from memory: that is a row of its own.
    """
    commands = (f"true {number}" for number in itertools.count())
    with rig.home() as home, rig.bare() as bare:
        async with wired(home) as wire:
            await wire.call("shell", command="true")
            theirs = in_thread(bare.exec, home.container, _PLAIN)
            at_pipes = await rig.by_turns(lambda: wire.call("shell", command=next(commands)), theirs)
            again = await rig.by_turns(lambda: wire.call("shell", command="true"), theirs)
    with rig.home() as home, rig.bare() as bare:
        async with serving(home) as served:
            await served.call("shell", command="true")
            theirs = in_thread(bare.exec, home.container, _PLAIN)
            with_client = await rig.by_turns(lambda: served.call("shell", command=next(commands)), theirs)
    what = "shell tool over stdio: parse, policy, audit, run, result, over docker exec"
    before = "the same of a command that was run before, over docker exec"
    also = "the same with the Python SDK's client, over docker exec"
    return [
        *at_pipes.rows("shell", what, Target(1 / 8, of_ratio=True)),
        *again.rows("shell.again", before),
        *with_client.rows("shell.client", also),
    ]


# --- a task ------------------------------------------------------------------------------------------------------------


def task(number: int) -> list[tuple[str, dict[str, Any]]]:
    """Forty calls as an agent makes them: looks, writes, edits, runs, reads on."""
    folder = f"/workspace/task{number}"
    calls: list[tuple[str, dict[str, Any]]] = [("shell", {"command": f"mkdir -p {folder}/src && cd {folder} && pwd"})]
    for part in ("cart", "order", "stock", "price"):
        path = f"{folder}/src/{part}.py"
        calls += [
            ("file_write", {"path": path, "content": f"def {part}(n: int) -> int:\n    return n + 1\n" * 20}),
            ("shell", {"command": f"grep -n 'def {part}' {path} | wc -l"}),
            ("file_read", {"path": path, "limit": 20}),
            ("file_edit", {"path": path, "old": "n + 1", "new": "n + 2", "replace_all": True}),
            ("exec", {"argv": ["cat", path]}),
            ("file_list", {"path": f"{folder}/src"}),
            ("file_search", {"pattern": "n \\+ 2", "path": folder}),
            ("shell", {"command": f"cd {folder} && for f in src/*.py; do wc -l $f; done | sort -n | tail -3"}),
            ("exec", {"argv": ["ls", "-l", folder]}),
        ]
    return [*calls, ("shell", {"command": f"cd {folder} && ls -R"}), ("job_output", {}), ("session_list", {})]


async def _do(served: Served, number: int) -> None:
    for tool, arguments in task(number):
        await served.call(tool, **arguments)


async def _task(rig: Rig) -> list[Row]:
    numbers = iter(range(1000))
    with rig.home() as home, rig.bare() as bare:
        async with serving(home) as served:
            await _do(served, next(numbers))
            each = in_thread(bare.exec, home.container, _PLAIN)
            ours, theirs = (lambda: _do(served, next(numbers))), _repeated(each, len(task(0)))
            times = await rig.by_turns(ours, theirs, min(_TASKS, rig.scale.starts), turn=1)
    return [times.rows("task", "an agent's task of 40 mixed calls over stdio, over 40 docker exec of true")[0]]


def _repeated(act: Callable[[], Awaitable[object]], times: int) -> Callable[[], Awaitable[None]]:
    async def repeated() -> None:
        for _ in range(times):
            await act()

    return repeated


# --- output ------------------------------------------------------------------------------------------------------------


async def _output(rig: Rig) -> list[Row]:
    """A command that writes as fast as it can, and what the server's memory does meanwhile."""
    size = rig.scale.output_mb * 1_000_000
    with rig.home() as home, rig.bare() as bare:
        async with serving(home) as served:
            await served.call("shell", command="true")
            before = peak_mb(served.pid)
            theirs = in_thread(bare.drain, home.container, ("/usr/bin/head", "-c", str(size), "/dev/zero"))
            ours = _call(served, f"head -c {size} /dev/zero")
            times = await rig.by_turns(ours, theirs, 3, turn=1)
            grown = peak_mb(served.pid) - before
    ours_s, theirs_s = (sorted(turn[0] for turn in turns)[1] / 1000 for turns in (times.ours, times.theirs))
    rate, bare_rate = size / MB / ours_s, size / MB / theirs_s
    what = "output of a shell call drained, over docker exec"
    return [
        row("output", what, rate, "MB/s", baseline=bare_rate, target=Target(150, at_least=True), noise=times.noise()),
        row("output.memory", "what the server's memory grew by meanwhile", grown, "MB", target=Target(50)),
    ]


def _call(served: Served, command: str) -> Callable[[], Awaitable[object]]:
    return lambda: served.call("shell", command=command)


MEASURES: Final = (
    Measure("exec", 12, _exec),
    Measure("shell", 15, _shell),
    Measure("task", 20, _task),
    Measure("output", 15, _output),
)
