"""One engine object stands for the server that died, a second one for the next; the container between them is real."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from docker.utils.socket import frames_iter

from server.sandbox.adoption import find_left, move_here
from server.sandbox.docker_engine import DockerEngine
from server.sandbox.docker_sandbox import DockerSandbox
from server.sandbox.engine import Unreachable
from server.sandbox.image_recipe import seccomp_file
from server.sandbox.sandbox import MIB, Mount, SandboxFailed, SandboxLost, SandboxSpec
from server.sandbox.surroundings import Surroundings
from tests.live import BASE, Said, command, shell
from tests.real_engine import client, engine_url, put_to_sleep
from tests.waiting import PATIENCE_S

pytestmark = [pytest.mark.anyio, pytest.mark.asyncio_alone, pytest.mark.promise("nothing.left")]

SURROUNDINGS = Surroundings()
LENT = Mount("/nowhere", "/nowhere", read_only=True, device=0, inode=0)

RACE = """
import os, socket, threading, time
until, met = time.monotonic() + 60, threading.Event()
def race():
    while time.monotonic() < until and not met.is_set():
        s = socket.socket(socket.AF_UNIX)
        try:
            s.connect('/run/sandgate/control.sock')
            s.send(b'\\0' * 64)
            data = s.recv(1)
        except ConnectionResetError:
            data = b''
        except OSError:
            time.sleep(0.01)
            continue
        finally:
            s.close()
        print('heard' if data else 'hung up', flush=True)
        met.set()
racers = [threading.Thread(target=race) for _ in range(20)]
for each in racers: each.start()
print('racing', flush=True)
for each in racers: each.join()
"""


@dataclass(frozen=True, slots=True)
class Halfway(Surroundings):
    """Asked when the agent has been welcomed; `then` happens in that moment."""

    then: Callable[[], None] = lambda: None

    def of(self, spec: SandboxSpec, sandbox_id: str, image_env: Mapping[str, str], shell: str) -> dict[str, str]:
        self.then()
        return Surroundings.of(self, spec, sandbox_id, image_env, shell)


def silent() -> None:
    raise Unreachable("no answer")


@asynccontextmanager
async def server(runtime: Path, name: str, around: Surroundings = SURROUNDINGS) -> AsyncGenerator[DockerEngine]:
    """Leaving it closes the lines to its agents and nothing else, as a death does."""
    async with anyio.create_task_group() as tasks:
        yield DockerEngine(engine_url, runtime / name, name, seccomp_file(), around, 60, tasks, lambda _: None)
        tasks.cancel_scope.cancel()


async def left(runtime: Path) -> DockerSandbox:
    """By a server that died while a command ran."""
    async with server(runtime, "one") as first:
        box = await first.create(BASE)
        await shell(box, "echo kept > /workspace/kept")
        await box.run(command("/bin/sh", "-c", "sleep 300; echo > /workspace/ran-on"), Said())
    return box


async def gone(sandbox_id: str) -> None:
    """Until the engine has done what it began when the agent ended."""
    with client() as api, anyio.fail_after(PATIENCE_S):
        while api.containers(all=True, filters={"name": f"sandgate-{sandbox_id}"}):
            await anyio.sleep(0.02)


async def test_a_sandbox_whose_server_died_is_taken_over_with_its_files_and_without_its_processes(
    own_folder: Path,
) -> None:
    box = await left(own_folder)
    async with server(own_folder, "two") as second:
        taken = await second.adopt(BASE, box.id, box.key)
        said = await shell(taken, "cat kept; ls; pgrep -f 'sleep 30[0]' | wc -l; echo $PATH | tr : '\\n' | head -1")
        assert said.text.splitlines()[:3] == ["kept", "kept", "0"]
        assert not (own_folder / "one" / box.id).exists()
        await taken.close()
        await gone(box.id)


async def test_one_that_is_left_asleep_is_woken_to_be_taken_over(own_folder: Path) -> None:
    box = await left(own_folder)
    with client() as api:
        put_to_sleep(api, f"sandgate-{box.id}")
    async with server(own_folder, "two") as second:
        taken = await second.adopt(BASE, box.id, box.key)
        assert (await shell(taken, "cat kept")).text == "kept\n"
        await taken.close()


async def test_one_that_shows_another_key_is_destroyed(own_folder: Path) -> None:
    box = await left(own_folder)
    async with server(own_folder, "two") as second:
        with pytest.raises(SandboxLost, match="not the one that was left"):
            await second.adopt(BASE, box.id, "another")

    await gone(box.id)


@pytest.mark.promise("sandbox.powerless")
async def test_whoever_else_dials_when_the_server_comes_back_is_hung_up_on(own_folder: Path) -> None:
    """Twenty that dial all the time, as commands do that outlived the server's loss; one byte would be an order heard.
    Where the agent came before any of them, there is a next server."""
    box = await left(own_folder)
    key, names = box.key, iter(("two", "three", "four", "five"))
    with client() as api:
        made = api.exec_create(f"sandgate-{box.id}", ["python3", "-c", RACE], user="1000")

        async def are_over() -> bool:
            with anyio.move_on_after(5):
                while api.exec_inspect(made["Id"])["Running"]:
                    await anyio.sleep(0.05)
                return True
            return False

        line: Any = api.exec_start(made["Id"], socket=True)
        with closing(line), closing(line._response):  # of a stream the docker package closes neither
            racers = (data for _, data in frames_iter(line, tty=False))  # type: ignore[no-untyped-call]  # docker leaves it untyped
            assert next(racers) == b"racing\n"
            met = False
            while not met:
                async with server(own_folder, next(names)) as another:
                    taken = await another.adopt(BASE, box.id, key)
                    key = taken.key
                    assert (await shell(taken, "cat kept")).text == "kept\n"
                    if met := await are_over():
                        await taken.close()
            said = b"".join(await anyio.to_thread.run_sync(lambda: list(racers)))

    assert b"heard" not in said
    assert b"hung up" in said


async def test_one_that_is_taken_over_twice_waits_for_the_third(own_folder: Path) -> None:
    box = await left(own_folder)
    async with server(own_folder, "two") as second:
        again = await second.adopt(BASE, box.id, box.key)
    async with server(own_folder, "three") as third:
        taken = await third.adopt(BASE, box.id, again.key)
        assert (await shell(taken, "cat kept")).text == "kept\n"
        await taken.close()


async def test_one_whose_taking_over_was_cut_short_waits_for_the_next_who_tries(own_folder: Path) -> None:
    """Whatever cut it short: an engine that fell silent, a caller who gave up, the end of the server itself."""
    box = await left(own_folder)
    async with server(own_folder, "two", Halfway(then=silent)) as second:
        with pytest.raises(SandboxFailed, match="does not say what is left"):
            await second.adopt(BASE, box.id, box.key)
    with anyio.CancelScope() as scope:
        async with server(own_folder, "three", Halfway(then=scope.cancel)) as third:
            await third.adopt(replace(BASE, mounts=(LENT,)), box.id, box.key)
    async with server(own_folder, "four") as fourth:
        taken = await fourth.adopt(BASE, box.id, box.key)
        assert (await shell(taken, "cat kept")).text == "kept\n"
        await taken.close()
    assert scope.cancelled_caught


@pytest.mark.promise("sandbox.disk")
async def test_what_was_taken_over_still_has_its_share_of_the_disk_and_no_more(own_folder: Path) -> None:
    small = replace(BASE, disk_bytes=64 * MIB)
    async with server(own_folder, "one") as first:
        box = await first.create(small)
    async with server(own_folder, "two") as second:
        taken = await second.adopt(small, box.id, box.key)
        said = await shell(taken, "fallocate -l 100M /workspace/much; sleep 40", timeout_s=60)
        await taken.close()

    assert said.end.status == "disk_full"


async def test_one_that_is_gone_is_lost(own_folder: Path) -> None:
    box = await left(own_folder)
    with client() as api:
        api.remove_container(f"sandgate-{box.id}", force=True, v=True)
    async with server(own_folder, "two") as second:
        with pytest.raises(SandboxLost, match="it is gone"):
            await second.adopt(BASE, box.id, box.key)


def test_without_its_folder_of_sockets_it_cannot_come_back(tmp_path: Path) -> None:
    with pytest.raises(SandboxLost, match="folder of its sockets"):
        move_here(tmp_path, tmp_path / "two/box")


def test_an_engine_that_is_away_does_not_say_what_is_left() -> None:
    with pytest.raises(Unreachable):
        find_left("unix:///nowhere/docker.sock", "box")
