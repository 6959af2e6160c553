"""The agent's volume on the real engine: whole or not there, one for each build, gone when nothing uses it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import docker
import docker.errors
import pytest
from docker.types import Mount

from server.sandbox.agent_volume import LABEL, PREFIX, NotFilled, ensure, fill, name_of, tidy
from server.sandbox.docker_engine import DockerEngine
from server.sandbox.sandbox import AGENT
from tests.live import BASE, engine, run
from tests.real_engine import client, remove_volume

pytestmark = [pytest.mark.anyio, pytest.mark.asyncio_alone]


def agent_image(api: docker.APIClient) -> str:
    return str(api.inspect_image("sandgate/agent")["Id"])  # type: ignore[no-untyped-call]  # docker's types leave it out


@pytest.fixture
def another() -> Iterator[str]:
    """Another build of the agent: the same files, another digest."""
    with client() as api:
        made = api.create_container("sandgate/agent", ["never"], entrypoint=["never"])["Id"]
        image = str(api.commit(made, "sandgate-test", "another-agent")["Id"])
        api.remove_container(made, v=True)
        yield image
        api.remove_image("sandgate-test:another-agent", force=True)
        if name_of(image) in volumes(api):
            api.remove_volume(name_of(image), force=True)


@contextmanager
def looking(api: docker.APIClient, volume: str) -> Iterator[str]:
    """A container that has the volume, as a sandbox does."""
    host = api.create_host_config(mounts=[Mount("/v", volume, read_only=True)], network_mode="none")
    made = api.create_container("sandgate/base", ["-c", "find /v | sort"], entrypoint=["/bin/bash"], host_config=host)
    try:
        yield made["Id"]
    finally:
        api.remove_container(made["Id"], force=True, v=True)


def inside(api: docker.APIClient, volume: str) -> list[str]:
    with looking(api, volume) as container:
        api.start(container)
        api.wait(container, timeout=30)
        return str(api.logs(container).decode()).split()


def volumes(api: docker.APIClient) -> set[str]:
    return {volume["Name"] for volume in api.volumes(filters={"name": PREFIX})["Volumes"] or ()}


def test_the_volume_is_named_by_the_digest_of_its_image() -> None:
    assert name_of("sha256:0123456789abcdef") == "sandgate-agent-0123456789ab"


def test_a_filled_volume_holds_the_whole_runtime_and_nothing_else(another: str) -> None:
    with client() as api:
        found = inside(api, fill(api, another))

    assert "/v/runtime/agent/agent.py" in found
    assert "/v/runtime/lib/ld.so" in found
    assert {path.split("/")[2] for path in found if path != "/v"} == {"runtime"}


def test_servers_that_fill_it_at_the_same_moment_do_not_disturb_each_other(another: str) -> None:
    def once(_: int) -> str:
        with client() as api:
            return fill(api, another)

    with ThreadPoolExecutor(4) as pool:
        names = list(pool.map(once, range(4)))
    with client() as api:
        found = inside(api, names[0])
        left = api.containers(all=True, filters={"label": LABEL})

    assert {path.split("/")[2] for path in found if path != "/v"} == {"runtime"}
    assert len([path for path in found if path.endswith("/agent.py")]) == 1
    assert left == []


def test_what_is_there_is_not_filled_again(another: str) -> None:
    with client() as api:
        api.create_volume(name_of(another))

        assert ensure(api, another) == name_of(another)
        assert inside(api, name_of(another)) == ["/v"]


def test_a_disk_that_is_full_is_a_sentence(another: str) -> None:
    with client() as api:
        api.create_volume(name_of(another), driver_opts={"type": "tmpfs", "device": "tmpfs", "o": "size=1m"})

        with pytest.raises(NotFilled, match=r"could not be put into the volume .*No space left"):
            fill(api, another)
        assert api.containers(all=True, filters={"label": LABEL}) == []


@pytest.mark.promise("nothing.left")
def test_what_no_sandbox_uses_is_removed_and_what_one_uses_stays(another: str) -> None:
    with client() as api:
        ours = ensure(api, agent_image(api))
        old = ensure(api, another)
        with looking(api, old):
            tidy(api, ours)
            assert {ours, old} <= volumes(api)

        tidy(api, ours)
        assert old not in volumes(api)
        assert ours in volumes(api)


async def works(made: DockerEngine) -> bool:
    box = await made.create(BASE)
    said = await run(box, "true")
    await box.close()
    return said.end.exit_code == 0


async def test_a_volume_that_somebody_removed_is_there_again_for_the_next_sandbox() -> None:
    async with engine() as made:
        assert await works(made)
        with client() as api:
            remove_volume(api, name_of(agent_image(api)))
        assert await works(made)


@pytest.mark.promise("nothing.left")
async def test_a_server_removes_what_an_earlier_version_left(another: str) -> None:
    with client() as api:
        old = ensure(api, another)
    async with engine() as made:
        assert await works(made)
    with client() as api:
        assert old not in volumes(api)


async def test_a_sandbox_cannot_change_its_agent() -> None:
    with client() as api:
        name = name_of(agent_image(api))
    async with engine() as made:
        box = await made.create(BASE)
        with client() as api:
            mounts = {each["Destination"]: each for each in api.inspect_container(f"sandgate-{box.id}")["Mounts"]}
        await box.close()

    assert (mounts["/opt/sandgate"]["Name"], mounts["/opt/sandgate"]["RW"]) == (name, False)
    assert all(part.startswith("/opt/sandgate/runtime") for part in AGENT if part.startswith("/"))
