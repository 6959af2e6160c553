"""Whatever a command does with what it writes, it is seen from outside; with the real engine."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import anyio
import docker
import pytest

from server.sandbox.disk_watch import Weight
from server.sandbox.docker_sandbox import DockerSandbox
from server.sandbox.engine import NoEngine
from server.sandbox.image_build import ImageOutdated
from server.sandbox.image_recipe import AGENT, recipe
from server.sandbox.sandbox import MIB, SandboxFailed
from server.sandbox.scales import UNWEIGHED, Scales
from tests.live import Said, background, done, sandbox
from tests.real_engine import client
from tests.waiting import PATIENCE_S, eventually

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.asyncio_alone,
    pytest.mark.promise("sandbox.disk"),
    pytest.mark.timeout(300),  # commands are niced: on a busy machine thousands of files take theirs to come and go
]

SIZE = 48 * MIB
SLACK = 2 * MIB  # what an agent and a shell leave
BEGIN = f"""
import ctypes, mmap, os, socket, threading
os.chdir('/workspace')
def full(name, *, named=False):
    made = os.open(name, os.O_CREAT | os.O_RDWR)
    os.posix_fallocate(made, 0, {SIZE})
    if not named: os.unlink(name)
    return made
"""
END = "\nprint('done', flush=True)\ninput()"


@pytest.fixture(scope="module")
async def box(anyio_backend: str) -> AsyncGenerator[DockerSandbox]:
    async with sandbox() as made:
        yield made


@pytest.fixture(scope="module")
async def scales(box: DockerSandbox) -> AsyncGenerator[Scales]:
    said: list[str] = []
    with client() as api:
        made = Scales(lambda: api, lambda _: recipe(AGENT).tag, {"sandgate.test": box.id}, said.append)
        made.place(box.id, int(api.inspect_container(f"sandgate-{box.id}")["State"]["Pid"]), [])
        yield made
        made.close()
    assert said == []


async def weight(scales: Scales, box: DockerSandbox) -> Weight:
    return (await anyio.to_thread.run_sync(scales.weigh))[box.id]


@asynccontextmanager
async def doing(box: DockerSandbox, program: str) -> AsyncGenerator[None]:
    """While a command has done that, and holds what it holds."""
    said = Said()
    job = await box.run(background("python3", "-c", BEGIN + program + END), said)
    try:
        with anyio.fail_after(PATIENCE_S):
            while b"done" not in said.out:
                assert not said.over.is_set(), said.text
                await anyio.sleep(0.01)
        yield
    finally:
        await job.stop(9, "killed", 1)
        await said.over.wait()
        await done(box, "chmod 700 /workspace/d; rm -rf /workspace/*", timeout_s=200)


@pytest.mark.parametrize(
    "program",
    [
        pytest.param("full('f', named=True)", id="a plain file"),
        pytest.param("os.fchmod(full('f', named=True), 0)\nos.mkdir('d'); os.rename('f', 'd/f'); os.chmod('d', 0)", id="a closed folder"),
        pytest.param(f"fd = os.open('f', os.O_CREAT | os.O_RDWR)\nctypes.CDLL(None).fallocate(fd, 1, ctypes.c_long(0), ctypes.c_long({SIZE}))", id="set aside beyond the end"),
        pytest.param("full('f', named=True)\nfor n in range(5): os.link('f', f'f{n}')\nos.unlink('f'); os.rename('f0', 'f')\nfor n in range(1, 5): os.unlink(f'f{n}')", id="several names"),
        pytest.param("held = full('f')", id="no name"),
        pytest.param("held = full('f')\nagain = os.dup(held)", id="no name, held twice"),
        pytest.param("held = full('f')\nctypes.CDLL(None).prctl(4, 0, 0, 0, 0)", id="no name, of one whom nobody may look at"),
        pytest.param("held = full('f')\nmapped = mmap.mmap(held, 4096)\nos.close(held)", id="only mapped"),
        pytest.param("def other():\n    ctypes.CDLL(None).unshare(0x400)\n    full('f')\n    ready.set()\n    threading.Event().wait()\nready = threading.Event()\nthreading.Thread(target=other, daemon=True).start()\nready.wait()", id="a thread with open files of its own"),
        pytest.param("at = os.getcwd()\nfor n in range(300):\n    os.mkdir('d'); os.chdir('d')\nfull('f', named=True)\nos.chdir(at)", id="far down"),
    ],
)  # fmt: skip
async def test_what_it_holds_is_seen(box: DockerSandbox, scales: Scales, program: str) -> None:
    before = await weight(scales, box)
    async with doing(box, program):
        found = await weight(scales, box)

    assert found.whole
    assert SIZE <= found.size - before.size <= SIZE + SLACK
    assert (await weight(scales, box)).size <= before.size + SLACK


async def test_what_is_under_way_between_two_processes_is_known_to_be_missing(
    box: DockerSandbox, scales: Scales
) -> None:
    send = "held = full('f')\na, b = socket.socketpair()\nsocket.send_fds(a, [b'x'], [held])\nos.close(held)"
    async with doing(box, send):
        assert not (await weight(scales, box)).whole

    assert (await weight(scales, box)).whole


async def test_nobody_inside_sees_how_far_it_has_come(box: DockerSandbox, scales: Scales) -> None:
    """By a folder's time of access: a file could be moved to where the walk has been."""
    last_read = "stat -c %x /workspace/d"
    async with doing(box, "os.mkdir('d')\nfull('d/f', named=True)"):
        before = await done(box, last_read)
        assert (await weight(scales, box)).whole
        assert await done(box, last_read) == before
        await done(box, "ls /workspace/d")
        assert await done(box, last_read) != before  # reading it would have shown


async def test_folders_that_go_down_without_end_are_not_followed_and_that_is_said(
    box: DockerSandbox, scales: Scales
) -> None:
    """Each that is open takes 32 KiB, of 128 MiB for all sandboxes together."""
    down = "at = os.getcwd()\nfor n in range(1_500):\n    os.mkdir('d'); os.chdir('d')\nos.chdir(at)"
    async with doing(box, down):
        assert not (await weight(scales, box)).whole

    assert (await weight(scales, box)).whole


async def test_holes_and_memory_weigh_nothing(box: DockerSandbox, scales: Scales) -> None:
    before = await weight(scales, box)
    holes = f"os.truncate(os.open('f', os.O_CREAT | os.O_RDWR), 10 << 30)\nm = os.memfd_create('m')\nos.posix_fallocate(m, 0, {SIZE})"
    async with doing(box, holes):
        found = await weight(scales, box)

    assert found.whole
    assert found.size - before.size <= SLACK


async def test_an_empty_file_weighs_its_inode(box: DockerSandbox, scales: Scales) -> None:
    before = await weight(scales, box)
    async with doing(box, "os.mkdir('d')\nfor n in range(5_000): os.close(os.open(f'd/{n}', os.O_CREAT))"):
        found = await weight(scales, box)

    assert found.size - before.size >= 5_000 * 1024


async def test_a_volume_that_an_image_declares_is_its_own_and_a_lent_folder_is_not(
    box: DockerSandbox, scales: Scales
) -> None:
    writes = ["-c", f"fallocate -l {SIZE} /data/f && echo done && sleep 60"]
    with client() as api:
        made = api.create_container(
            "sandgate/base",
            writes,
            entrypoint=["/bin/bash"],
            volumes=["/data"],
            host_config=api.create_host_config(network_mode="none"),
        )
        try:
            api.start(made["Id"])
            await eventually(lambda: api.logs(made["Id"]) == b"done\n")
            pid = int(api.inspect_container(made["Id"])["State"]["Pid"])
            scales.place("its own", pid, [])
            scales.place("lent", pid, ["/data"])
            found = await anyio.to_thread.run_sync(scales.weigh)
        finally:
            scales.take_off("its own")
            scales.take_off("lent")
            api.remove_container(made["Id"], force=True, v=True)

    assert SIZE <= found["its own"].size <= SIZE + SLACK
    assert found["lent"].size <= SLACK


async def test_one_that_ended_is_made_again_and_none_is_left_with_the_last_sandbox() -> None:
    async with sandbox() as box:
        with client() as api:
            label = {"label": f"sandgate.test={box.id}"}
            scales = Scales(lambda: api, lambda _: recipe(AGENT).tag, {"sandgate.test": box.id}, lambda _: None)
            scales.place(box.id, int(api.inspect_container(f"sandgate-{box.id}")["State"]["Pid"]), [])
            assert (await weight(scales, box)).whole
            (container,) = api.containers(filters=label)
            assert container["HostConfig"]["NetworkMode"] == "none"

            api.kill(container["Id"])
            assert (await weight(scales, box)).whole
            await anyio.to_thread.run_sync(scales.take_off, box.id)
            assert api.containers(all=True, filters=label) == []


def outdated(_: object) -> str:
    raise ImageOutdated("built by another version")


@pytest.mark.parametrize("image", [lambda _: "no-such-image", outdated])
async def test_where_nobody_may_look_the_engine_is_asked_and_that_is_said(
    box: DockerSandbox, image: Callable[[object], str]
) -> None:
    said: list[str] = []
    with client() as api:
        scales = Scales(lambda: api, image, {}, said.append)
        scales.place(box.id, 0, [])
        found = await weight(scales, box)

    assert found.guessed
    assert said == [UNWEIGHED]


async def test_where_no_container_shall_see_the_machine_the_engine_is_asked_and_none_is_made(
    box: DockerSandbox,
) -> None:
    asked: list[object] = []

    def image(api: object) -> str:
        asked.append(api)
        return recipe(AGENT).tag

    with client() as api:
        scales = Scales(lambda: api, image, {}, lambda _: None, asks_the_engine=True)
        scales.place(box.id, 0, [])
        found = await weight(scales, box)

    assert found.guessed
    assert asked == []


def no_engine() -> docker.APIClient:
    raise NoEngine("nothing answers")


async def test_where_not_even_the_engine_answers_that_is_one_failure() -> None:
    scales = Scales(no_engine, outdated, {}, lambda _: None)
    scales.place("box", 0, [])
    with pytest.raises(SandboxFailed, match="NoEngine"):
        scales.weigh()


async def test_none_is_made_for_a_sandbox_that_goes_right_before() -> None:
    class Turn:
        """Whoever weighs gets it once the box is off."""

        def __enter__(self) -> None:
            scales._placed.clear()

        def __exit__(self, *_: object) -> None:
            pass

    def engine() -> docker.APIClient:
        asked.append("to make one")
        return no_engine()

    asked: list[str] = []
    scales = Scales(engine, outdated, {}, lambda _: None)
    scales.place("box", 0, [])
    scales._changing = Turn()  # type: ignore[assignment]

    assert (scales.weigh(), asked) == ({}, [])


async def test_a_sandbox_that_is_gone_is_not_taken_for_an_empty_one(box: DockerSandbox, scales: Scales) -> None:
    scales.place("gone", 4_000_000, [])
    with anyio.fail_after(PATIENCE_S):
        weights = await anyio.to_thread.run_sync(scales.weigh)
    scales.take_off("gone")

    assert not weights["gone"].whole
    assert weights[box.id].whole
