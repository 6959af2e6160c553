"""The shell tool of OpenAI's Responses API, run in a Sandgate sandbox. Copy this file; it needs only openai-agents.

With the Agents SDK, SandgateShell is the executor of a ShellTool:

    async with MCPServerStdio(
        {"command": "sandgate", "args": ["serve", "--stdio"]},
        client_session_timeout_seconds=60,  # the SDK's own 5 s are less than a command may take
    ) as server:
        agent = Agent(name="developer", tools=[ShellTool(executor=SandgateShell(server))])

With the Responses API alone, `await SandgateShell(server).answer(item)` makes the shell_call_output for a shell_call.

One entry for each command, in order. A command that is stopped for its time keeps what it wrote, and its outcome is
`timeout`. One that may not run ends with exit 1 and the reason in stderr, and the others run all the same: the shape has no
outcome for a refusal. max_output_length holds for all commands of a call together and is shared out evenly; of each stream
the beginning and the end are kept.
"""

import re
from collections.abc import Mapping
from typing import Any

from agents import (
    ShellCallOutcome,
    ShellCommandOutput,
    ShellCommandRequest,
    ShellResult,
)
from agents.mcp import MCPServer
from openai.types.responses.response_input_item_param import ShellCallOutput

LONGEST_S = 3600  # that a command may run
WAIT_S = 45  # that one call waits; longer commands are waited for again
MOST_CHARS = 200_000  # of stdout that one call returns
FEWEST_CHARS = 100
SIGNALLED = {"killed": 137, "out_of_memory": 137, "cancelled": 130}  # as shells count: 128 and the signal
STATE = re.compile(r"job \S+ (?P<status>[a-z_]+)(?: with (?P<code>\d+))?")


class SandgateShell:
    """Runs shell calls in one session of a Sandgate server, which is made at the first command and keeps its files."""

    def __init__(self, server: MCPServer, session: str = "default") -> None:
        self._server, self._session = server, session

    async def __call__(self, request: ShellCommandRequest) -> ShellResult:
        action = request.data.action
        output = await self._run(action.commands, action.timeout_ms, action.max_output_length)
        return ShellResult(output=output, max_output_length=action.max_output_length)

    async def answer(self, item: Any) -> ShellCallOutput:
        """The item to send for a shell_call, which is a dict or the SDK's own object."""
        call: Mapping[str, Any] = item if isinstance(item, Mapping) else item.model_dump()
        action = call["action"]
        limit = action.get("max_output_length")
        output = await self._run(list(action["commands"]), action.get("timeout_ms"), limit)
        answer: ShellCallOutput = {
            "type": "shell_call_output",
            "call_id": call["call_id"],
            "status": "completed",
            "output": [_wire(each) for each in output],  # type: ignore[typeddict-item]
        }
        if limit is not None:
            answer["max_output_length"] = limit
        return answer

    async def _run(self, commands: list[str], timeout_ms: int | None, limit: int | None) -> list[ShellCommandOutput]:
        share = None if limit is None else max(limit, 0) // len(commands)
        return [_cut(await self._one(command, timeout_ms, share), share) for command in commands]

    async def _one(self, command: str, timeout_ms: int | None, share: int | None) -> ShellCommandOutput:
        given: dict[str, Any] = {"command": command, "session": self._session, "wait_s": WAIT_S}
        if timeout_ms:
            given["timeout_s"] = min(max(timeout_ms / 1000, 0.001), LONGEST_S)
        if share is not None:
            given["max_chars"] = min(max(share, FEWEST_CHARS), MOST_CHARS)
        result = await self._server.call_tool("shell", given)
        found = result.structuredContent
        if result.isError or found is None or "stdout" not in found:
            return _ended(command, "", _text(result), 1)
        status, code, stdout, stderr = found["status"], found["exit_code"], found["stdout"], found["stderr"]
        if status == "running":
            status, code = await self._end_of(found["job"])
            stdout, stderr = [await self._all_of(found["job"], stream) for stream in ("stdout", "stderr")]
        if status == "timed_out":
            return ShellCommandOutput(stdout, stderr, ShellCallOutcome(type="timeout"), command)
        if status != "exited":
            stderr = f"{stderr.rstrip()}\n[{status.replace('_', ' ')}]".lstrip()
        return _ended(command, stdout, stderr, code if code is not None else SIGNALLED.get(status, 1))

    async def _end_of(self, job: str) -> tuple[str, int | None]:
        """How it ended; the server ends it when its time is over, so it does."""
        while True:
            said = await self._job(job, "stdout", 0, limit=1, wait_s=0)
            state = STATE.search(said.splitlines()[-1])
            if state is None:
                return "lost", None
            if state["status"] != "running":
                return state["status"], int(state["code"]) if state["code"] else None
            offset = int(re.findall(r" of (\d+)", said)[-1])
            await self._job(job, "stdout", offset, limit=1, wait_s=WAIT_S)  # until there is more, or it has ended

    async def _all_of(self, job: str, stream: str) -> str:
        return (await self._job(job, stream, 0, limit=MOST_CHARS, wait_s=0)).rpartition("\n[")[0].removeprefix("\n")

    async def _job(self, job: str, stream: str, offset: int, **more: Any) -> str:
        given = {"job": job, "session": self._session, "stream": stream, "offset": offset, **more}
        return "\n" + _text(await self._server.call_tool("job_output", given))


def _ended(command: str, stdout: str, stderr: str, code: int) -> ShellCommandOutput:
    return ShellCommandOutput(stdout, stderr, ShellCallOutcome(type="exit", exit_code=code), command)


def _text(result: Any) -> str:
    return "\n".join(part.text for part in result.content if part.type == "text")


def _cut(output: ShellCommandOutput, share: int | None) -> ShellCommandOutput:
    """stderr first: where both are long it may have a half, and stdout what is left."""
    if share is not None:
        output.stderr = _ends(output.stderr, share // 2 if len(output.stdout) > share // 2 else share)
        output.stdout = _ends(output.stdout, share - len(output.stderr))
    return output


def _ends(text: str, limit: int) -> str:
    """Beginning and end of it, with what was left out between them, in `limit` characters."""
    if len(text) <= limit:
        return text
    note = f"\n[{len(text) - limit} characters or more left out]\n"
    room = limit - len(note)
    if room < 2:
        return text[:limit]
    return text[: room - room // 2] + note + text[-(room // 2) :]


def _wire(output: ShellCommandOutput) -> dict[str, Any]:
    outcome = output.outcome
    end: dict[str, Any] = {"type": "timeout"} if outcome.type == "timeout" else {"type": "exit"}
    if outcome.type == "exit":
        end["exit_code"] = outcome.exit_code
    return {"stdout": output.stdout, "stderr": output.stderr, "outcome": end}
