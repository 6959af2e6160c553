"""uid 1000 against its agent: it cannot be killed, traced, read, impersonated or starved, and no command hides from it."""

import os
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from policy.verdict import Access
from server.sandbox.docker_sandbox import DockerSandbox
from server.sandbox.sandbox import HOME, Mount, SandboxFailed
from server.sandbox.workspaces import check
from tests.live import ACCESS, BASE, Said, command, engine, read_file, run, sandbox, shell
from tests.real_engine import client
from tests.waiting import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.promise("sandbox.survives"), pytest.mark.timeout(600)]

CALL = "import ctypes, os, sys; l = ctypes.CDLL(None, use_errno=True); "
CALL += "some = ctypes.create_string_buffer(8); part = ctypes.byref((ctypes.c_size_t * 2)(ctypes.addressof(some), 8)); "
UNHELD = Access(write=("/",))  # as wide as a decision can be: what holds here holds without path rules


def others() -> str:
    """Python for: every process that is not this command's own."""
    return "[int(p) for p in os.listdir('/proc') if p.isdigit() and os.stat('/proc/' + p).st_uid != 1000]"


@pytest.mark.promise("sandbox.powerless")
@pytest.mark.parametrize(
    "attempt",
    [
        "l.ptrace(16, pid, 0, 0)",  # PTRACE_ATTACH
        "l.ptrace(0x4206, pid, 0, 0)",  # PTRACE_SEIZE
        "l.kill(pid, 9)",
        "l.kill(pid, 19)",
        "l.kill(pid, 18)",
        "l.syscall(424, l.syscall(434, pid, 0), 9, None, 0)",  # pidfd_open, pidfd_send_signal
        "l.syscall(438, l.syscall(434, pid, 0), 3, 0)",  # pidfd_getfd
        "l.process_vm_readv(pid, part, 1, part, 1, 0)",
        "l.process_vm_writev(pid, part, 1, part, 1, 0)",
        "l.setpriority(0, pid, 19)",
        "l.prlimit64(pid, 7, ctypes.byref((ctypes.c_size_t * 2)(0, 0)), None)",
        "l.sched_setaffinity(pid, 8, ctypes.byref(ctypes.c_ulong(1)))",
        "l.open(b'/proc/%d/mem' % pid, 2)",
        "l.open(b'/proc/%d/oom_score_adj' % pid, 1)",
        "l.open(b'/proc/%d/root/etc/shadow' % pid, 0)",
        "l.open(b'/proc/%d/fd/3' % pid, 0)",
    ],
)
async def test_nothing_can_be_done_to_a_process_of_ours(lasting_box: DockerSandbox, attempt: str) -> None:
    program = CALL + f"done = [pid for pid in {others()} if ({attempt}) >= 0]; print('done to', done)"
    said = await run(lasting_box, "/usr/bin/python3", "-c", program, access=UNHELD)

    assert said.text == "done to []\n"
    assert (await run(lasting_box, "true")).end.exit_code == 0


async def test_no_other_can_dial_as_the_agent(box: DockerSandbox) -> None:
    dial = "import socket; s = socket.socket(1); s.connect('/run/sandgate/control.sock')"
    said = await run(box, "/usr/bin/python3", "-c", dial, access=UNHELD)

    assert said.end.exit_code == 1
    assert "FileNotFoundError" in said.text


async def test_three_hundred_calls_in_a_storm_of_stops(box: DockerSandbox) -> None:
    storm = "import os, signal\nwhile True:\n    try: os.kill(-1, signal.SIGSTOP)\n    except OSError: pass\n"
    said = Said()
    job = await box.run(command("python3", "-c", storm, timeout_s=600), said)

    ends = [(await run(box, "true")).end.status for _ in range(300)]

    assert ends == ["exited"] * 300
    await job.stop(9, "killed", 1)


async def test_beside_150_busy_loops_files_are_read_and_a_stop_ends_them() -> None:
    loops = command("/bin/bash", "-c", "for i in $(seq 150); do while :; do :; done & done; wait")
    async with sandbox(pids=256) as box:
        await shell(box, "echo x > /workspace/f")
        said = Said()
        job = await box.run(loops, said)
        with anyio.fail_after(60):
            for _ in range(20):
                assert (await read_file(box, "/workspace/f"))[1] == b"x\n"
            await job.stop(9, "killed", 1)
            await said.over.wait()

        assert said.end.status == "killed"
        with anyio.fail_after(60):  # what was killed is there until it has run once more
            while (await shell(box, "pgrep -cx bash; true")).out != b"1\n":
                await anyio.sleep(0.1)


async def test_under_a_fork_bomb_a_close_removes_everything() -> None:
    async with engine() as made:
        box = await made.create(BASE)
        await box.run(command("/bin/bash", "-c", "bomb() { bomb | bomb & }; bomb; sleep 60"), Said())
        with client() as api:
            mine = {"label": f"sandgate.server={made.server_id}"}
            assert len(api.containers(all=True, filters=mine)) == 1
            with anyio.fail_after(30):
                await box.close()
            await eventually(lambda: api.containers(all=True, filters=mine) == [], "it is still there")


@pytest.fixture
def lent(own_folder: Path) -> Mount:
    if os.geteuid() == 0:
        os.chown(own_folder, 1000, 1000)
    made = check(own_folder, "rw", [], allow_root_owned=False).lent
    assert isinstance(made, Mount)
    return made


@pytest.mark.promise("sandbox.powerless")
async def test_a_lent_folder_gets_no_setuid_file_on_the_host(lent: Mount) -> None:
    tries = (
        "cp /bin/true f; chmod 4755 f; chmod 2755 f; chmod 6755 .; install -m 4755 f g; "
        "python3 - <<'E'\n"
        "import ctypes, os, struct\n"
        "l = ctypes.CDLL(None)\n"
        "for act in (lambda: os.mknod('n', 0o104755), lambda: os.open('o', 0o101, 0o4755),\n"
        "            lambda: os.fchmod(os.open('f', 0), 0o4755), lambda: os.chmod('f', 0o6755)):\n"
        "    try: act()\n"
        "    except OSError: pass\n"
        "l.syscall(452, -100, b'f', 0o4755, 0)\n"
        "l.syscall(437, -100, b'p', struct.pack('QQQ', 0o101, 0o4755, 0), 24)\n"
        "E\n"
        "true"
    )
    async with sandbox(mounts=(lent,)) as box:
        access = replace(ACCESS, write=(*ACCESS.write, lent.target))
        await shell(box, f"cd {lent.target} && {tries}", access=access)

    found = [path for path in (Path(lent.source), *Path(lent.source).rglob("*")) if path.lstat().st_mode & 0o6000]
    assert found == []
    assert (Path(lent.source) / "f").exists()


async def test_a_runtime_goes_to_the_engine_and_one_it_lacks_is_named() -> None:
    async with engine() as made:
        with pytest.raises(SandboxFailed, match=r"no-such-runtime"):
            await made.create(replace(BASE, runtime="no-such-runtime"))
        box = await made.create(replace(BASE, runtime="runc"))
        with client() as api:
            assert api.inspect_container(f"sandgate-{box.id}")["HostConfig"]["Runtime"] == "runc"
        await box.close()


async def test_what_fills_its_own_pipes_holds_up_nobody(box: DockerSandbox) -> None:
    """Readers that never read, on both sides: the agent waits for neither."""
    flood = Said()
    job = await box.run(command("/bin/bash", "-c", "yes & yes >&2 & sleep 60"), flood)
    with anyio.fail_after(30):
        for _ in range(20):
            assert (await run(box, "echo", HOME)).text == f"{HOME}\n"
        await job.stop(9, "killed", 1)
        await flood.over.wait()

    assert flood.end.status == "killed"
