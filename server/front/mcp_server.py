"""The MCP server over an app: what it says of itself, its tools, and serving it on stdio without leaving anything behind."""

import os
import signal
import sys
from collections.abc import AsyncIterable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import anyio
import anyio.abc
from mcp.server import MCPServer

from server.app import App, open_app
from server.asks import Caller
from server.front.backlog import Backlog
from server.front.file_resource import add_files
from server.front.front import Front
from server.front.host_shape import shape_for_host
from server.front.pipe_lines import standard_pipes
from server.front.results import Shape
from server.front.sendable import only_sendable
from server.front.strict import KnownParameters
from server.front.tools import offered
from server.front.well_formed import WellFormed
from server.sandbox.sessions import NoSuchEnvironment
from server.settings.files import Source
from server.settings.settings import Settings

LOCAL = Caller("local", ("user",))
INSTRUCTIONS = """\
A shell and files in a sandbox: a Debian container of your own, without root. Files persist between calls until \
session_close; shell state does not. Commands are judged before they run: a refusal names the rule and what would be \
allowed, so change the call rather than retry it. The network reaches only allowed hosts; anything else answers 403 with \
the reason. Long commands answer "running" with a job: job_output waits for more. Prefer file_read, file_edit and \
file_search over cat, sed and grep."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What differs between transports: who calls, and which session a call means that names none."""

    identity: Callable[[], Caller]
    default_session: str | None


STDIO = Kind(lambda: LOCAL, "default")


def front_of(app: App, kind: Kind = STDIO) -> Front:
    return Front(
        app.gateway,
        kind.identity,
        app.settings.environment,
        _shape(app.settings),
        app.snapshots,
        kind.default_session,
        app.copying if any(space.mode == "copy" for space in app.settings.workspace) else None,
    )


def build(app: App, front: Front, **more: Any) -> MCPServer[Any]:
    """The server for one kind of caller; `more` is the SDK's own, such as who verifies tokens."""
    with _without_rich():
        mcp: MCPServer[Any] = MCPServer(
            "sandgate",
            title="Sandgate",
            description="A sandboxed shell and files for agents.",
            instructions=_instructions(app),
            version=version("sandgate"),
            log_level="WARNING",
            tools=offered(front, app.settings.tools),
            **more,
        )
    if "files" in app.settings.tools:
        add_files(mcp, front)
    if app.settings.results == "auto":
        mcp.middleware.append(shape_for_host)
    mcp.middleware.append(KnownParameters(mcp))
    mcp.middleware.append(only_sendable)
    return mcp


@contextmanager
def _without_rich() -> Iterator[None]:
    """MCPServer imports rich for a log handler, then drops it because the log has ours: 30 ms that each start waits for."""
    if "rich.console" in sys.modules:
        yield
        return
    sys.modules["rich.console"] = None  # type: ignore[assignment]  # Python's own way to say: not to be imported
    try:
        yield
    finally:
        del sys.modules["rich.console"]


def _instructions(app: App) -> str:
    try:
        spec = app.gateway.sessions.spec_of(LOCAL.id, "default", app.settings.environment, LOCAL.roles)
    except NoSuchEnvironment:  # it is for some roles alone; a session_open says where theirs start
        return INSTRUCTIONS
    return f"{INSTRUCTIONS} Commands start in {spec.start_dir}."


def _shape(settings: Settings) -> Shape:
    return "both" if settings.results == "auto" else settings.results


async def serve_stdio(settings: Settings, source: Source) -> None:
    """Serve until the client closes stdin, or a signal comes; either way nothing is left."""
    with ExitStack() as held:
        async with open_app(settings, source) as app, anyio.create_task_group() as tasks:
            # Until all is put away: clients send one two seconds after they closed stdin, where it takes longer.
            signals = held.enter_context(anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
            tasks.start_soon(_end_on_signal, app, signals)
            app.page.make = lambda: _first_link(app, tasks)
            await _serve_client(build(app, front_of(app)))
            tasks.cancel_scope.cancel()


async def _serve_client(mcp: MCPServer[Any]) -> None:
    """Over pipes without the SDK's threads and queues, over anything else as the SDK does it."""
    with standard_pipes() as pipes:
        if pipes is None:
            await mcp.run_stdio_async()
            return
        answers = Backlog(pipes[1])
        served = mcp._lowlevel_server  # noqa: SLF001 - run_stdio_async() takes no streams
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(answers.watch)
            await served.run(WellFormed(pipes[0], answers), answers, served.create_initialization_options())
            tasks.cancel_scope.cancel()


async def _first_link(app: App, tasks: anyio.abc.TaskGroup) -> str:
    """Whoever asks for the page opens it: a server that nobody asks listens nowhere, and need not wait for the imports."""
    from server.front.page.beside import serve_beside  # noqa: PLC0415

    await tasks.start(serve_beside, app)
    return await app.page.link()


async def _end_on_signal(app: App, signals: AsyncIterable[signal.Signals]) -> None:
    """The stdin reader of mcp 2.3 cannot be cancelled, so the process ends itself once everything else has ended.

    The gate and the parser follow by themselves: their lines to us close. SIGHUP is for settings and rules, as services
    have it: a terminal that goes away also closes stdin.
    """
    async for number in signals:
        if number == signal.SIGHUP:
            app.reload()
            continue
        with anyio.CancelScope(shield=True):  # stdin may be closed meanwhile
            await app.close()
        os._exit(128 + number)
