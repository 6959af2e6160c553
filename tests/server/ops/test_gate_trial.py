"""A gate that works is in test_doctor.py; here there is none behind the sandbox's socket."""

from pathlib import Path

import pytest

from server.ops.check import Check
from server.ops.demo_origin import Origin
from server.ops.gate_trial import gate
from tests.live import sandbox

pytestmark = [pytest.mark.anyio, pytest.mark.asyncio_alone]


@pytest.mark.soak  # the relay waits twelve seconds for a gate that may be starting
async def test_a_gate_that_does_not_answer_is_neither_open_nor_refusing() -> None:
    found: list[Check] = []
    async with sandbox() as box:
        await gate(box, Origin(1, Path("/nowhere")), found.append)

    assert [(check.id, check.outcome) for check in found] == [
        ("gate_allows", "fail"),
        ("gate_refuses", "fail"),
    ]
