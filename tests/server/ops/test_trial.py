"""Limits that hold are in test_doctor.py: here they do not."""

from dataclasses import replace

import pytest

from server.ops.check import Check
from server.ops.trial import limits, said
from server.sandbox.sandbox import MIB
from tests.live import BASE, sandbox

pytestmark = [pytest.mark.anyio, pytest.mark.asyncio_alone]


async def test_what_a_script_prints_and_how_it_ends_is_told() -> None:
    async with sandbox() as box:
        end, text = await said(box, "import sys; print(sys.argv[1]); sys.exit(3)", "word")

    assert (end.status, end.exit_code, text) == ("exited", 3, "word")


@pytest.mark.soak  # the disk is waited for
async def test_limits_that_are_larger_than_they_should_be_are_found_out() -> None:
    found: list[Check] = []
    async with sandbox(replace(BASE, memory_bytes=1024 * MIB, pids=512, open_files=8192, disk_bytes=4096 * MIB)) as box:
        await limits(box, found.append)

    outcomes = {check.id: check.outcome for check in found}
    assert outcomes.pop("limit_time") == "ok"  # each command brings its own
    del outcomes["limit_cpu"]  # a busy machine has no more to give
    assert outcomes == dict.fromkeys(("limit_memory", "limit_pids", "limit_open_files", "limit_disk"), "fail")
