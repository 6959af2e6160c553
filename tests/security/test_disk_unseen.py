"""Files without a name that no descriptor holds: what is in a message is taken for its own, the program of a process is
found, and no rule about a file can be made."""

import platform
from dataclasses import replace

import pytest

from server.sandbox.docker_sandbox import DockerSandbox
from server.sandbox.sandbox import MIB
from tests.live import BASE, engine, run

pytestmark = [pytest.mark.anyio, pytest.mark.promise("sandbox.disk"), pytest.mark.timeout(300)]

LONG_S = 200  # on a busy machine; who is found out is stopped at once

SEND = f"""
import os, socket, time
os.chdir("/workspace")
a, b = socket.socketpair()
held = os.open("f", os.O_CREAT | os.O_RDWR)
os.posix_fallocate(held, 0, {300 * MIB})
os.unlink("f")
socket.send_fds(a, [b"x"], [held])
os.close(held)
time.sleep(600)
"""


async def test_the_room_that_nobody_is_seen_to_have_taken_is_its_own() -> None:
    small = replace(BASE, disk_bytes=256 * MIB)
    async with engine() as made:
        ours, neighbour = await made.create(small), await made.create(small)
        said = await run(ours, "python3", "-c", SEND, timeout_s=LONG_S)
        beside = await run(neighbour, "true")
        await ours.close()
        await neighbour.close()

    assert (said.end.status, beside.end.status) == ("disk_full", "exited")


UNMAPPED = f"""
import ctypes, mmap, os, shutil, struct
os.chdir("/workspace")
if os.path.basename(os.readlink("/proc/self/exe")) != "program":
    shutil.copy(os.path.realpath("/usr/bin/python3"), "program")
    with open("program", "r+b") as program:
        os.posix_fallocate(program.fileno(), os.fstat(program.fileno()).st_size, {300 * MIB})
    os.execv("program", ["program", "-c", open("/proc/self/cmdline").read().split(chr(0))[2]])
os.unlink("program")
lines = [line.split() for line in open("/proc/self/maps") if "/program" in line]
ends = [int(end, 16) for line in lines for end in line[0].split("-")]
low, size = min(ends), max(ends) - min(ends)
code = b"\\x48\\xbf%s\\x48\\xbe%s\\xb8\\x0b\\0\\0\\0\\x0f\\x05\\xb8\\x22\\0\\0\\0\\x0f\\x05\\xeb\\xf7"  # munmap, pause for ever
room = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
room.write(code % (struct.pack("<Q", low), struct.pack("<Q", size)))
ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(room)))()
"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="it is written in this machine's code")
async def test_a_program_that_took_its_own_file_out_of_its_memory_holds_it() -> None:
    async with engine() as made:
        box = await made.create(replace(BASE, disk_bytes=256 * MIB))
        said = await run(box, "python3", "-c", UNMAPPED, timeout_s=LONG_S)
        await box.close()

    assert (said.text, said.end.status) == ("", "disk_full")


HOP = f"""
import os, time
os.chdir("/workspace")
for n in range(10_000):  # so that it takes a while to look at them
    os.close(os.open(f"{{n}}", os.O_CREAT))
held = os.open("f", os.O_CREAT | os.O_RDWR)
os.unlink("f")
if os.fork():
    os.close(held)
    time.sleep(600)
os.posix_fallocate(held, 0, {300 * MIB})
until = time.monotonic() + 600
while time.monotonic() < until:
    if os.fork():
        os._exit(0)
"""


async def test_what_is_handed_from_process_to_process_faster_than_anyone_looks_is_its_own() -> None:
    async with engine() as made:
        box = await made.create(replace(BASE, disk_bytes=256 * MIB))
        said = await run(box, "python3", "-c", HOP, timeout_s=LONG_S)
        await box.close()

    assert (said.text, said.end.status) == ("", "disk_full")


RULE = """
import ctypes, errno
call = ctypes.CDLL(None, use_errno=True).syscall
for number in (444, 445):  # landlock_create_ruleset, landlock_add_rule
    assert call(number, None, 0, 1) == -1 and ctypes.get_errno() == errno.ENOSYS
"""


async def test_no_command_makes_a_ruleset_whose_rules_would_keep_files(lasting_box: DockerSandbox) -> None:
    said = await run(lasting_box, "python3", "-c", RULE)

    assert (said.text, said.end.exit_code) == ("", 0)
