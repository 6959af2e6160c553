"""A sandbox whose sockets lie on a volume, as a server in a container has them: it sees its own folder and no other."""

import os
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from server.sandbox.docker_engine import DockerEngine
from server.sandbox.gate import variables
from server.sandbox.image_recipe import seccomp_file
from server.sandbox.sandbox import LINK_DIR, SandboxFailed
from server.sandbox.socket_folder import SocketVolume, bound
from server.sandbox.surroundings import Surroundings
from tests.live import BASE, shell
from tests.real_engine import client, engine_url
from tests.waiting import until

pytestmark = [pytest.mark.anyio, pytest.mark.asyncio_alone]
NAME = f"sandgate-test-{os.getpid()}"  # one that a killed run left names a folder that is gone


@pytest.fixture
def volume(own_folder: Path) -> Iterator[SocketVolume]:
    """A volume that is a folder of this machine."""
    with client() as api:
        api.create_volume(NAME, driver="local", driver_opts={"type": "none", "o": "bind", "device": str(own_folder)})
        try:
            yield SocketVolume(NAME, own_folder)
        finally:
            until(lambda: not api.containers(all=True, filters={"volume": NAME}), "the engine has removed both")
            api.remove_volume(NAME, force=True)


@asynccontextmanager
async def engine(volume: SocketVolume) -> AsyncGenerator[DockerEngine]:
    async with anyio.create_task_group() as tasks:
        made = DockerEngine(
            find=engine_url,
            directory=volume.root / "s",
            server_id="volume",
            seccomp=seccomp_file(),
            surroundings=Surroundings(variables(LINK_DIR)),
            grace_s=5,
            tasks=tasks,
            weakened=lambda _: None,
            link=volume,
        )
        try:
            yield made
        finally:
            await made.close()
            tasks.cancel_scope.cancel()


@pytest.mark.promise("session.alone")
async def test_a_sandbox_sees_its_own_part_of_the_volume_and_cannot_write_it(volume: SocketVolume) -> None:
    async with engine(volume) as made:
        one, other = await made.create(BASE), await made.create(BASE)
        (volume.root / "s" / other.id / "mine").touch()
        listed = await shell(one, f"find {LINK_DIR}/.. -xdev 2>/dev/null; ls {LINK_DIR} {LINK_DIR}/../{other.id}")
        written = await shell(one, f"touch {LINK_DIR}/x")
        await one.close()
        await other.close()

    assert "mine" not in listed.text
    assert f"cannot access '{LINK_DIR}/../{other.id}'" in listed.text
    assert "Read-only file system" in written.text


def test_an_engine_that_would_mount_the_whole_volume_is_refused() -> None:
    volume = SocketVolume(NAME, Path("/run/sandgate"))

    assert volume(Path("/run/sandgate/a/b"), "1.45")["VolumeOptions"]["Subpath"] == "a/b"
    with pytest.raises(SandboxFailed, match="Docker 26"):
        volume(Path("/run/sandgate/a/b"), "1.44")


def test_elsewhere_it_is_bound_read_only() -> None:
    mount = bound(Path("/run/sandgate/a/b"), "1.30")

    assert (mount["Type"], mount["Source"], mount["ReadOnly"]) == ("bind", "/run/sandgate/a/b", True)
