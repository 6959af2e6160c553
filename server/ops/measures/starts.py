"""The bench's starts: from a client's start of the server to its first answers."""

import subprocess  # noqa: TID251  # a start of Python with the SDK is what ours is compared with
from typing import Final

from server.ops.measures.rig import Measure, Rig, in_thread
from server.ops.measures.row import Row, Target, Times
from server.ops.measures.server import serving


async def _start(rig: Rig) -> list[Row]:
    """A client starts the server, asks what it has, and runs a command. The baseline imports the SDK and does no more."""
    listed: list[list[float]] = []
    answered: list[list[float]] = []
    imported: list[list[float]] = []
    importing = in_thread(_import_the_sdk, rig.program[0])
    for number in range(rig.scale.starts + 1):
        with rig.home() as home:
            began = rig.clock()
            async with serving(home) as served:
                await served.client.list_tools()
                first = rig.clock()
                await served.call("shell", command="true")
                second = rig.clock()
        third = rig.clock()
        await importing()
        if number:  # the first finds nothing of it in memory
            listed.append([(first - began) * 1000])
            answered.append([(second - began) * 1000])
            imported.append([(rig.clock() - third) * 1000])
    return [
        Times(listed, imported).rows(
            "start", "sandgate serve --stdio until tools/list is answered, over importing the MCP SDK", Target(900)
        )[0],
        Times(answered, imported).rows("start.shell", "the same, until the first shell result", Target(1500))[0],
    ]


def _import_the_sdk(python: str) -> None:
    subprocess.run([python, "-c", "import mcp.server"], check=True)  # noqa: S603 - the Python that runs us


MEASURES: Final = (Measure("start", 25, _start),)
