"""Bombs and storms of one command: the agent lives, answers, and tells the truth about what happened."""

import anyio
import pytest

from server.sandbox.docker_sandbox import DockerSandbox
from server.sandbox.sandbox import Exit
from tests.live import Said, command, read_file, run, shell
from tests.real_engine import client
from tests.waiting import PATIENCE_S, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.promise("sandbox.survives")]


async def until(box: DockerSandbox, script: str) -> None:
    """Until a look from inside says so; bounded."""
    with anyio.fail_after(90):
        while (await shell(box, script)).end.exit_code != 0:
            await anyio.sleep(0.05)


async def test_under_a_fork_bomb_files_are_read_and_a_stop_ends_it(box: DockerSandbox) -> None:
    said = Said()
    job = await box.run(
        command("/bin/bash", "-c", "echo x > /workspace/f; bomb() { bomb | bomb & }; bomb; sleep 60"), said
    )
    with anyio.fail_after(PATIENCE_S):
        while True:
            found = await box.resolve("/workspace/f")
            if found.size:
                break

    assert (await read_file(box, "/workspace/f"))[1] == b"x\n"
    with anyio.fail_after(PATIENCE_S):
        await job.stop(9, "killed", 1)
        await said.over.wait()
    assert said.end.status == "killed"
    await until(box, "[ $(pgrep -cu agent) -le 3 ]")


async def test_what_runs_out_of_memory_is_told_as_that_and_the_agent_lives(box: DockerSandbox) -> None:
    said = await run(box, "python3", "-c", "x = bytearray(4 << 30)")

    assert said.end.status == "out_of_memory"
    assert (await run(box, "true")).end.status == "exited"


async def test_memory_that_belongs_to_no_process_kills_the_command_not_the_agent(box: DockerSandbox) -> None:
    program = (
        "import os\n"
        "fds = []\n"
        "while True:\n"
        "    fd = os.memfd_create('x'); fds.append(fd)\n"
        "    for _ in range(64): os.write(fd, b'x' * (1 << 20))\n"
    )
    said = await run(box, "python3", "-c", program, timeout_s=60)

    assert said.end.status == "out_of_memory"
    assert (await run(box, "true")).end.status == "exited"


OUTLIVING = """
import ctypes, os
l = ctypes.CDLL(None, use_errno=True)
l.shmat.restype = ctypes.c_void_p
def files():
    os.close(os.open(f'/dev/shm/{n:0200}', os.O_CREAT | os.O_EXCL))
def shared_memory():
    at = l.shmat(l.shmget(0, ctypes.c_size_t(4 << 20), 0o1600), None, 0)
    if at == ctypes.c_void_p(-1).value: raise OSError(ctypes.get_errno())
    ctypes.memset(at, 1, 4 << 20)
    l.shmdt(ctypes.c_void_p(at))
def semaphores():
    if l.semget(0, 250, 0o1600) < 0: raise OSError(ctypes.get_errno())
def messages():
    if (made := l.msgget(0, 0o1600)) < 0: raise OSError(ctypes.get_errno())
    while l.msgsnd(made, ctypes.create_string_buffer(8), 0, 0o4000) == 0: pass
for leave in (files, shared_memory, semaphores, messages):
    try:
        for n in range(500_000): leave()
    except OSError: print(leave.__name__, n)
"""


async def test_what_outlives_a_command_in_memory_leaves_room_for_the_next(box: DockerSandbox) -> None:
    said = await run(box, "python3", "-c", OUTLIVING, timeout_s=120)

    assert said.end.status == "exited"
    assert [line.split()[0] for line in said.text.splitlines()] == ["files", "shared_memory", "semaphores", "messages"]
    room = f"bytearray({box.spec.memory_bytes // 2})"
    assert (await run(box, "python3", "-c", room)).end.exit_code == 0


async def test_a_process_whose_first_thread_has_ended_is_ended_by_a_stop(box: DockerSandbox) -> None:
    """The kernel shows it as a zombie, while what else runs in it goes on."""
    ends_first = (
        "import ctypes, threading, time\n"
        "threading.Thread(target=lambda: time.sleep(60)).start()\n"
        "print('up', flush=True)\n"
        "ctypes.CDLL(None).pthread_exit(None)\n"
    )
    said = Said()
    job = await box.run(command("python3", "-c", ends_first), said)
    await until(box, "grep -qs ^State:.Z $(grep -ls ^Name:.python3 /proc/[0-9]*/status)")
    with anyio.fail_after(20):
        await job.stop(15, "job_stop", 1)
        await said.over.wait()

    assert said.end.status == "killed"


async def test_a_chain_of_forks_is_counted_and_ended_by_a_stop(box: DockerSandbox) -> None:
    """Each of it is gone before /proc, which a hundred others make long, is looked through."""
    chain = "import os\nif os.fork() == 0:\n  while True:\n    if os.fork(): os._exit(0)"
    others = "for i in {1..90}; do sleep 60 & done; echo up; wait"
    await box.run(command("/bin/bash", "-c", others, timeout_s=60), hay := Said())
    await eventually(lambda: hay.out)
    said = Said()
    job = await box.run(command("python3", "-c", chain, timeout_s=60), said)
    with anyio.fail_after(PATIENCE_S):
        await said.over.wait()
        assert said.end.left_behind
        await job.stop(9, "job_stop", 1)
        await said.gone.wait()

    assert (said.end.status, said.end.exit_code) == ("exited", 0)
    assert not hay.over.is_set()


async def test_a_command_that_ignores_the_deadline_is_killed_with_all_it_started(box: DockerSandbox) -> None:
    script = "trap '' TERM; (setsid sleep 77 &); (setsid setsid sleep 77 & disown) & sleep 77 & sleep 77"
    said = await shell(box, script, timeout_s=0.5)

    assert said.end.status == "timed_out"
    await until(box, "! pgrep -fx 'sleep 77'")


async def test_what_a_command_leaves_behind_is_counted(box: DockerSandbox) -> None:
    said = await shell(box, "sleep 60 & echo started")

    assert said.text == "started\n"
    assert (said.end.status, said.end.left_behind) == ("exited", 1)


@pytest.mark.promise("result.truthful")
@pytest.mark.parametrize(
    ("script", "end"),
    [
        ("exit 0", ("exited", 0, None)),
        ("exit 3", ("exited", 3, None)),
        ("kill -SEGV $$", ("killed", None, 11)),
        ("exec /nowhere", ("exited", 127, None)),
        ("exec /etc", ("exited", 126, None)),
    ],
)
async def test_every_end_is_told_as_it_was(
    lasting_box: DockerSandbox, script: str, end: tuple[str, int | None, int | None]
) -> None:
    said = await shell(lasting_box, script)

    assert (said.end.status, said.end.exit_code, said.end.signal) == end


async def test_a_program_that_is_not_there_is_said_so(lasting_box: DockerSandbox) -> None:
    said = await run(lasting_box, "no-such-program")

    assert said.end.exit_code == 127
    assert "command not found" in said.text


@pytest.mark.promise("result.truthful")
async def test_a_flood_of_output_arrives_whole(lasting_box: DockerSandbox) -> None:
    said = await shell(lasting_box, "head -c 50000000 /dev/zero; head -c 3000000 /dev/zero >&2")

    assert (len(said.out), len(said.err)) == (50_000_000, 3_000_000)


async def test_standard_input_of_any_size_reaches_the_program(lasting_box: DockerSandbox) -> None:
    said = await run(lasting_box, "wc", "-c", stdin=b"x" * 3_000_000)

    assert said.text == "3000000\n"


async def test_resources_are_accounted_for(box: DockerSandbox) -> None:
    said = await run(box, "python3", "-c", "x = bytearray(100 << 20); sum(range(3_000_000))")

    assert said.end.cpu_s > 0.01
    assert said.end.peak_memory_kb > 100 << 10


async def test_a_closed_sandbox_ends_its_commands_truthfully(box: DockerSandbox) -> None:
    said = Said()
    await box.run(command("sleep", "60"), said)
    await box.close()
    with anyio.fail_after(PATIENCE_S):
        await said.over.wait()

    assert said.end == Exit("killed", detail="the session was closed")


async def test_a_relay_that_dies_is_there_again(box: DockerSandbox) -> None:
    look = "python3 -c 'import socket; print(socket.gethostbyname(\"docs.example\"))'"
    await until(box, look)
    with client() as api:
        made = api.exec_create(f"sandgate-{box.id}", ["/bin/bash", "-c", "kill -9 -1"], user="1001")
        api.exec_start(made["Id"])

    await until(box, "pgrep -u relay")
    await until(box, look)
    assert (await shell(box, look)).text.startswith("127.")


async def test_what_a_dead_keeper_leaves_does_not_live_on(box: DockerSandbox) -> None:
    said = Said()
    await box.run(command("/bin/bash", "-c", "(setsid sleep 78 &); sleep 78"), said)
    await until(box, "[ $(pgrep -cfx 'sleep 78') = 2 ]")
    with client() as api:
        script = "kill -9 $(ps -o ppid= -p $(pgrep -ofx 'sleep 78'))"
        made = api.exec_create(f"sandgate-{box.id}", ["/bin/bash", "-c", script], user="0")
        api.exec_start(made["Id"])
    with anyio.fail_after(PATIENCE_S):
        await said.over.wait()

    assert said.end.status == "killed"
    await until(box, "! pgrep -fx 'sleep 78'")
    assert (await run(box, "true")).end.status == "exited"
