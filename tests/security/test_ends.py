"""Every way a command can end, each made to happen in a real container, told as it was."""

import errno
import os
import signal
from pathlib import Path

import anyio
import pytest

from policy.verdict import Access
from server.sandbox.docker_sandbox import DockerSandbox
from server.sandbox.ends import AGENT_OUT_OF_MEMORY, NO_PIDS, OOM_BESIDE
from server.sandbox.sandbox import Exit, FileRefused, Running
from tests.live import BASE, Said, background, command, engine, run, shell
from tests.real_engine import client
from tests.waiting import PATIENCE_S, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.promise("result.truthful")]

TREE = "(setsid sleep 66 &); (setsid setsid bash -c 'trap \"\" TERM; sleep 66; sleep 66' & disown) & sleep 66 & "


async def over(said: Said) -> Exit:
    with anyio.fail_after(100):
        await said.over.wait()
    return said.end


async def gone(box: DockerSandbox, pattern: str) -> None:
    with anyio.fail_after(PATIENCE_S):
        while (await run(box, "pgrep", "-fx", pattern)).end.exit_code == 0:
            await anyio.sleep(0.05)


async def spoken(said: Said, text: bytes) -> None:
    await eventually(lambda: text in said.out)


async def started(box: DockerSandbox) -> Said:
    """A command that stays, over where it could not even start."""
    said = Said()
    await box.run(command("sleep", "60"), said)
    with anyio.move_on_after(1):
        await said.over.wait()
    return said


async def test_a_stopped_job_says_who_stopped_it_and_takes_its_daemons_along(box: DockerSandbox) -> None:
    said = Said()
    job = await box.run(command("/bin/bash", "-c", f"{TREE} echo up; sleep 66"), said)
    await spoken(said, b"up")
    await job.stop(signal.SIGTERM, "job_stop", 1)
    end = await over(said)

    assert (end.status, end.signal, end.exit_code, end.detail) == ("killed", signal.SIGTERM, None, "job_stop")
    await gone(box, "sleep 66")


@pytest.mark.parametrize(
    ("argv", "exit_code", "told"),
    [
        (("printf", "%s", "\udcff"), 0, b"\xff"),
        (("printf", "%.1s", *["x" * 8000] * 100), 0, b"x" * 100),
        (("true", "x" * 200_000), 127, b"sandgate: cannot start: exec: Argument list too long\n"),
        (("true", "\0"), 127, b"sandgate: cannot start: exec: Invalid argument\n"),
        (("true", "\ud800"), 127, b"sandgate: cannot start: exec: Invalid argument\n"),
        (("nothing-of-that-name",), 127, b"sandgate: cannot start: command not found\n"),
        (("",), 127, b"sandgate: cannot start: command not found\n"),
        (("/etc/passwd",), 127, b"sandgate: cannot start: exec: Permission denied\n"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, bytes) else "",
)
async def test_arguments_arrive_byte_for_byte_or_it_is_said_why_not(
    lasting_box: DockerSandbox, argv: tuple[str, ...], exit_code: int, told: bytes
) -> None:
    said = await run(lasting_box, *argv)

    assert (said.end.status, said.end.exit_code, bytes(said.out + said.err)) == ("exited", exit_code, told)


async def test_what_a_finished_job_left_behind_is_stopped_and_its_going_is_told(box: DockerSandbox) -> None:
    said = Said()
    stands = "until [ $(pgrep -cfx 'sleep 66') = 3 ]; do sleep 0.05; done"  # what still forks may be missed by one look
    job = await box.run(command("/bin/bash", "-c", f"{TREE} {stands}; exit 4"), said)
    end = await over(said)
    assert (end.status, end.exit_code) == ("exited", 4)
    assert end.left_behind >= 4

    await job.stop(signal.SIGTERM, "job_stop", 1)
    with anyio.fail_after(PATIENCE_S):
        await said.gone.wait()
    await gone(box, "sleep 66")


async def test_a_cancelled_command_is_told_as_that(box: DockerSandbox) -> None:
    said = Said()
    job = await box.run(command("sleep", "60"), said)
    await job.stop(signal.SIGKILL, "cancelled", 1)

    assert (await over(said)).status == "cancelled"


async def test_a_command_that_ends_itself_by_a_signal_has_nobody_named(lasting_box: DockerSandbox) -> None:
    end = (await shell(lasting_box, "kill -KILL $$")).end

    assert (end.status, end.signal, end.detail) == ("killed", signal.SIGKILL, "")


async def test_a_child_that_the_kernel_killed_for_memory_is_mentioned(box: DockerSandbox) -> None:
    said = await shell(box, "python3 -c 'x = bytearray(4 << 30)'; echo went on")

    assert said.out == b"went on\n"
    assert (said.end.status, said.end.exit_code, said.end.detail) == ("exited", 0, OOM_BESIDE)


async def test_a_program_that_meets_the_limit_of_processes_is_told_so(box: DockerSandbox) -> None:
    program = "import subprocess\nkept = [subprocess.Popen(['sleep', '60']) for _ in range(500)]"
    said = await run(box, "python3", "-c", program)

    assert (said.end.status, said.end.exit_code, said.end.detail) == ("exited", 1, NO_PIDS)


async def test_a_command_that_could_not_even_start_has_no_exit_code(box: DockerSandbox) -> None:
    said = Said()
    hog = "import os, time\ntry:\n    while os.fork(): pass\nexcept OSError: print('full', flush=True)\ntime.sleep(60)"
    job = await box.run(command("python3", "-c", hog), said)
    await spoken(said, b"full")
    with anyio.fail_after(PATIENCE_S):
        while not (refused := await started(box)).over.is_set():
            """What was forked ahead takes a command still."""

    assert (refused.end.status, refused.end.exit_code) == ("killed", None)
    assert "no room for another process" in refused.end.detail
    await job.stop(signal.SIGKILL, "job_stop", 1)
    await over(said)
    assert (await run(box, "true")).end.status == "exited"


async def test_a_container_that_is_taken_away_ends_its_commands_as_lost(box: DockerSandbox) -> None:
    said = Said()
    await box.run(command("sleep", "60"), said)
    with client() as api:
        await anyio.to_thread.run_sync(lambda: api.kill(f"sandgate-{box.id}"))

    assert await over(said) == Exit("killed", detail="the sandbox was lost")


async def test_an_agent_that_the_kernel_killed_for_memory_is_told_as_that(box: DockerSandbox) -> None:
    """Memory that belongs to no process, and an agent that nothing protects: the kernel then takes that."""
    hog = "import os\ninput()\nwhile True: os.write(os.memfd_create('x'), b'x' * (8 << 20))"
    said = Said()
    job = await box.run(background("python3", "-c", hog), said)
    with client() as api:
        agent = api.inspect_container(f"sandgate-{box.id}")["State"]["Pid"]
    Path(f"/proc/{agent}/oom_score_adj").write_text("1000")
    await job.send(b"\n", close=True)

    assert await over(said) == AGENT_OUT_OF_MEMORY


async def test_commands_of_a_lost_server_are_ended_at_once_while_the_sandbox_waits() -> None:
    async with engine(grace_s=60) as made:
        lost = await made.create(BASE)
        said = Said()
        await lost.run(command("/bin/bash", "-c", f"{TREE} echo up; exec sleep 66"), said)
        await spoken(said, b"up")
        lost._link.close("the server was lost")
        end = await over(said)
        with client() as api, anyio.fail_after(PATIENCE_S):
            while any("sleep" in line[-1] for line in api.top(f"sandgate-{lost.id}")["Processes"]):
                await anyio.sleep(0.05)
            assert api.inspect_container(f"sandgate-{lost.id}")["State"]["Running"]
        await lost.close()

    assert end == Exit("killed", detail="the server was lost")


# --- standard input ----------------------------------------------------------------------------------------------------


async def test_input_reaches_a_running_program_line_by_line_until_it_is_closed(box: DockerSandbox) -> None:
    said = Said()
    job = await box.run(background("/bin/bash", "-c", 'while read -r x; do echo "<$x>"; done; echo end'), said)
    await job.send(b"one\n", close=False)
    await spoken(said, b"<one>\n")
    await job.send("zwei ä\n".encode(), close=True)

    assert (await over(said)).exit_code == 0
    assert said.text == "<one>\n<zwei ä>\nend\n"


async def test_input_to_a_closed_stream_is_refused(box: DockerSandbox) -> None:
    job = await box.run(command("sleep", "60"), Said())
    with pytest.raises(FileRefused) as refused:
        await job.send(b"x", close=False)

    assert os.strerror(refused.value.number) == "Broken pipe"


async def test_input_that_nobody_reads_is_refused_before_it_fills_the_agent(box: DockerSandbox) -> None:
    job = await box.run(background("sleep", "60"), Said())
    with anyio.fail_after(PATIENCE_S), pytest.raises(FileRefused) as refused:
        await _send_for_ever(job)

    assert os.strerror(refused.value.number) == "Resource temporarily unavailable"


async def _send_for_ever(job: Running) -> None:
    while True:
        await job.send(b"x" * 900_000, close=False)


# --- what a command starts with ------------------------------------------------------------------------------------------


@pytest.mark.promise("sandbox.powerless")
async def test_a_command_holds_no_descriptor_but_its_streams(lasting_box: DockerSandbox) -> None:
    said = await run(
        lasting_box, "python3", "-c", "import os; print(sorted(os.listdir('/proc/self/fd'), key=int)[:-1])"
    )

    assert said.text == "['0', '1', '2']\n"


async def test_open_files_are_bounded_for_every_command(lasting_box: DockerSandbox) -> None:
    opening = "import os\nopened = []\ntry:\n    while True: opened.append(os.open('/', 0))\nexcept OSError as e: print(len(opened), e.errno)"
    said = await run(lasting_box, "python3", "-c", opening)

    assert said.text == f"{lasting_box.spec.open_files - 3} {errno.EMFILE}\n"


async def test_a_command_may_take_its_time(lasting_box: DockerSandbox) -> None:
    assert (await run(lasting_box, "sleep", "2.5")).end.exit_code == 0


async def test_a_pipe_whose_reader_left_ends_its_writer_in_silence(lasting_box: DockerSandbox) -> None:
    said = await shell(lasting_box, "yes | head -n 1; echo ${PIPESTATUS[0]}")

    assert said.text == "y\n141\n"


async def test_a_program_is_found_along_path_and_never_in_the_folder_it_starts_in(lasting_box: DockerSandbox) -> None:
    await shell(lasting_box, "cd /workspace; printf '#!/bin/sh\\necho planted' > nowhere-else; chmod 755 nowhere-else")

    assert "command not found" in (await run(lasting_box, "nowhere-else")).text
    assert (await run(lasting_box, "./nowhere-else")).text == "planted\n"


async def test_one_commands_resources_are_not_the_next_ones(box: DockerSandbox) -> None:
    hungry = (await run(box, "python3", "-c", "x = bytearray(200 << 20); sum(range(5_000_000))")).end
    modest = [(await run(box, "true")).end for _ in range(3)]

    assert hungry.peak_memory_kb > 200 << 10
    assert all(end.peak_memory_kb < 50 << 10 and end.cpu_s < hungry.cpu_s for end in modest)


async def test_many_commands_one_after_the_other_leave_no_process(box: DockerSandbox) -> None:
    ends = [(await run(box, "true")).end.exit_code for _ in range(200)]

    assert set(ends) == {0}
    with client() as api:
        assert len(api.top(f"sandgate-{box.id}")["Processes"]) <= 10


async def test_a_command_that_is_stopped_as_it_starts_never_outlives_the_stop(box: DockerSandbox) -> None:
    for number in range(50):
        said = Said()
        job = await box.run(command("/bin/bash", "-c", f"exec -a early-{number} sleep 67"), said)
        await job.stop(signal.SIGKILL, "cancelled", 1)
        assert (await over(said)).status == "cancelled"

    assert (await run(box, "pgrep", "-f", "early-")).end.exit_code == 1


async def test_a_path_that_is_made_again_is_held_as_it_is_now(box: DockerSandbox) -> None:
    access = Access(write=("/workspace/later", "/dev"))
    write = ("/bin/bash", "-c", "echo x > /workspace/later/f")
    before = await run(box, *write, access=access)
    await shell(box, "mkdir /workspace/later")

    assert "No such file" in before.text
    assert (await run(box, *write, access=access)).end.exit_code == 0
