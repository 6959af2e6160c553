"""What cannot be weighed: a file that only a message holds, which nobody has taken out of its socket yet."""

from dataclasses import replace

import pytest

from server.sandbox.sandbox import MIB
from tests.live import BASE, engine, run

pytestmark = [pytest.mark.anyio, pytest.mark.promise("sandbox.disk")]

SEND = f"""
import os, socket, time
os.chdir("/workspace")
a, b = socket.socketpair()
held = os.open("f", os.O_CREAT | os.O_RDWR)
os.posix_fallocate(held, 0, {300 * MIB})
os.unlink("f")
socket.send_fds(a, [b"x"], [held])
os.close(held)
time.sleep(40)
"""


async def test_the_room_that_nobody_is_seen_to_have_taken_is_its_own() -> None:
    small = replace(BASE, disk_bytes=256 * MIB)
    async with engine() as made:
        ours, neighbour = await made.create(small), await made.create(small)
        said = await run(ours, "python3", "-c", SEND, timeout_s=60)
        beside = await run(neighbour, "true")
        await ours.close()
        await neighbour.close()

    assert (said.end.status, beside.end.status) == ("disk_full", "exited")
