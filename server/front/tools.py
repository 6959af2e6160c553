"""Which tools there are, in which groups; each hands one ask to the gateway."""

from collections.abc import Awaitable, Callable
from typing import Any

from mcp.server.mcpserver.tools import Tool
from mcp.types import ToolAnnotations

from server.front.command_tools import CommandTools, JobTools
from server.front.errors import answering
from server.front.file_tools import FileTools
from server.front.front import Front
from server.front.parameters import APPENDS, OPENS, READS, RUNS, WRITES
from server.front.session_tools import PolicyTools, SessionTools
from server.settings.settings import ToolGroup

type Call = Callable[..., Awaitable[Any]]
type Listed = tuple[Call, ToolAnnotations]


def offered(front: Front, groups: tuple[ToolGroup, ...]) -> list[Tool]:
    """The chosen groups' tools, always in the same order. Only shell and exec have a structured schema."""
    return [
        _made(front, tool, annotations, structured=group == "shell" and front.shape != "text")
        for group, tools in _table(front).items()
        if group in groups
        for tool, annotations in tools
    ]


def _made(front: Front, tool: Call, annotations: ToolAnnotations, *, structured: bool) -> Tool:
    made = Tool.from_function(answering(tool, front), annotations=annotations, structured_output=structured)
    _trim(made.parameters)
    _trim(made.output_schema)
    return made


def _trim(schema: Any) -> None:
    """Without the titles that pydantic makes from the names, which every model that is offered the tools would read, and
    without defaults of null: they are of no type that is said, and what has none is left out."""
    if not isinstance(schema, dict):
        return
    schema.pop("title", None)
    if schema.get("default", ...) is None:
        del schema["default"]
    for part in (*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")):
        _trim(part)


def _table(front: Front) -> dict[ToolGroup, list[Listed]]:
    commands, jobs, files = CommandTools(front), JobTools(front), FileTools(front)
    sessions, policy = SessionTools(front), PolicyTools(front)
    return {
        "shell": [(commands.shell, RUNS), (commands.exec, RUNS)],
        "jobs": [(jobs.job_output, READS), (jobs.job_input, APPENDS), (jobs.job_stop, WRITES)],
        "files": [
            (files.file_read, READS),
            (files.file_write, WRITES),
            (files.file_edit, APPENDS),
            (files.file_list, READS),
            (files.file_search, READS),
        ],
        "sessions": [
            (sessions.session_open, OPENS),
            (sessions.session_list, READS),
            (sessions.session_close, WRITES),
            (sessions.session_snapshot, WRITES),
        ],
        "policy": [(policy.policy_check, READS)],
    }
