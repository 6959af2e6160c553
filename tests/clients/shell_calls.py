"""examples/openai_shell.py under the Agents SDK's own runner and types; a script in the model's place. Arguments as in steps.py.

Before those comes the folder where the example lies. Prints the items that the model would be sent.
"""

import asyncio
import json
import sys
from typing import Any

from agents import Agent, ModelResponse, RunConfig, Runner, ShellTool, Usage
from agents_sdk import Scripted, connected
from openai.types.responses import ResponseFunctionShellToolCall, ResponseInputItemParam
from openai.types.responses.response_function_shell_tool_call import Action
from pydantic import TypeAdapter
from steps import Target

CALLS = [
    Action(commands=["echo one; echo err >&2; exit 3", "sudo id", "git push", "echo two"]),
    Action(commands=["echo begun; sleep 60", "echo after"], timeout_ms=5000),
    Action(commands=["seq 1 2000", "seq 1 2000 >&2"], max_output_length=400, timeout_ms=120_000),
    Action(commands=["kill -9 $$"], max_output_length=0),
    Action(commands=["for i in 1 2 3 4 5; do echo $i; sleep 0.4; done; exit 4"]),
]


def calls() -> list[ResponseFunctionShellToolCall]:
    return [
        ResponseFunctionShellToolCall(
            id=f"sh_{number}", call_id=f"c{number}", type="shell_call", status="completed", action=action
        )
        for number, action in enumerate(CALLS)
    ]


class Shelling(Scripted):
    async def get_response(self, *_: Any, **given: Any) -> ModelResponse:
        self.seen = list(given["input"])
        for call in self._shell:
            return ModelResponse(output=[call], usage=Usage(), response_id=None)
        return ModelResponse(output=[self._next()], usage=Usage(), response_id=None)

    def __init__(self) -> None:
        super().__init__([])
        self._shell = iter(calls())


async def main() -> None:
    sys.path.insert(0, sys.argv.pop(1))
    import openai_shell  # noqa: PLC0415 - the example, from where it lies

    openai_shell.WAIT_S = 1  # so that a command outlasts one wait

    model = Shelling()
    async with connected(Target.of_arguments()) as server:
        shell = openai_shell.SandgateShell(server)
        agent = Agent(name="tester", model=model, tools=[ShellTool(executor=shell)])
        await Runner.run(agent, "go", run_config=RunConfig(tracing_disabled=True))
        by_hand = await shell.answer(calls()[1])
    items = [item for item in model.seen if item.get("type") == "shell_call_output"]
    for item in (*items, by_hand):
        TypeAdapter(ResponseInputItemParam).validate_python(item)
    print(json.dumps({"items": items, "by_hand": by_hand}))


asyncio.run(main())
