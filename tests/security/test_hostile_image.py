"""An image whose maker wants to be PID 1: whatever it holds, nothing of it runs as root or is loaded by the agent."""

import io
import tarfile
from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace

import pytest

from server.sandbox.docker_sandbox import DockerSandbox
from tests import foreign
from tests.live import BASE, engine, run, shell
from tests.real_engine import client
from tests.real_engine import run as run_container
from tests.waiting import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.promise("sandbox.powerless")]

# Real libraries under the names that an interpreter asks for, in every place that a loader or Python would look.
HOSTILE = r"""
FROM sandgate/base
RUN set -eu; mkdir /evil; \
    for name in libz.so.1 libc.so.6 libm.so.6 libexpat.so.1 libffi.so.8; do cp -L /lib/*-linux-gnu/$name /evil/; done; \
    cp /evil/libz.so.1 /evil/preload.so; cp /evil/libz.so.1 /evil/by-file.so; \
    echo /evil >/etc/ld.so.conf.d/000.conf; /usr/sbin/ldconfig; \
    echo 'open("/evil/python-ran", "w")' >/evil/sitecustomize.py; \
    for name in json os contextlib agent kernel; do cp /evil/sitecustomize.py /evil/$name.py; done; \
    cp /evil/*.py /workspace/; cp /evil/*.py /; \
    mkdir -p /opt/lib /opt/sandgate/lib /opt/sandgate/runtime/agent; \
    (cd /evil && python3 -I -S -m zipfile -c /opt/lib/python313.zip *.py); \
    cp /opt/lib/python313.zip /opt/sandgate/lib/; cp /opt/lib/python313.zip /lib/; \
    cp /evil/agent.py /opt/sandgate/runtime/agent/; \
    printf '#!/bin/sh\ntouch /evil/busybox-ran\n' >/opt/sandgate/runtime/busybox; chmod 755 /opt/sandgate/runtime/busybox; \
    chmod 777 /evil; \
    echo /evil/by-file.so >/etc/ld.so.preload
ENV LD_PRELOAD=/evil/preload.so LD_LIBRARY_PATH=/evil LD_AUDIT=/evil/preload.so LD_DEBUG_OUTPUT=/evil/debug LD_DEBUG=all
ENV PYTHONPATH=/evil PYTHONHOME=/evil PYTHONSTARTUP=/evil/json.py PYTHONINSPECT=1 GLIBC_TUNABLES=glibc.malloc.check=3
ENV LC_ALL=de_DE LOCPATH=/evil TZ=/evil/zone HOME=/evil BASH_ENV=/evil/bash-env
WORKDIR /evil
USER 1000
VOLUME /opt
VOLUME /run/sandgate
HEALTHCHECK --interval=1s --timeout=1s CMD touch /evil/health-ran
ENTRYPOINT ["/bin/sh", "-c", "touch /evil/entrypoint-ran"]
"""


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    with foreign.built("hostile", HOSTILE) as tag:
        yield tag


@pytest.fixture(scope="module")
async def box(anyio_backend: str, image: str) -> AsyncGenerator[DockerSandbox]:
    async with engine() as made:
        box = await made.create(replace(BASE, image=image))
        yield box
        await box.close()


def as_all_powerful(box: DockerSandbox, script: str) -> str:
    """What a look with every capability shows, which no sandbox has; by a program that itself loads nothing."""
    name = f"sandgate-{box.id}"
    argv = ["/opt/sandgate/runtime/busybox", "env", "-i", "/opt/sandgate/runtime/busybox", "sh", "-c", script]
    with client() as api:
        made = api.exec_create(name, argv, user="0", privileged=True)
        return str(api.exec_start(made["Id"]).decode())


def test_the_traps_work_on_others(image: str) -> None:
    """The image does what it is meant to: an ordinary program in it loads both preloaded libraries."""
    _, said = run_container(image, "/bin/cat", ["/proc/self/maps"], network_mode="none")
    asks = ["-u", "PYTHONHOME", "/usr/bin/python3", "-c", "import json; print(json.__file__)"]
    _, python = run_container(image, "/usr/bin/env", asks, network_mode="none")

    assert "/evil/by-file.so" in said
    assert "/evil/preload.so" in said
    assert "/evil/json.py" in python


async def test_the_agent_maps_its_own_files_only(box: DockerSandbox) -> None:
    await run(box, "true")
    maps = as_all_powerful(box, "/opt/sandgate/runtime/busybox cat /proc/[0-9]*/maps").split("\n")
    files = {line.split(maxsplit=5)[5] for line in maps if len(line.split(maxsplit=5)) == 6}
    mapped = {name for name in files if name.startswith("/")}

    assert any(name.endswith("/libc.so.6") for name in mapped)
    assert {name for name in mapped if not name.startswith("/opt/sandgate/runtime/")} == set()


async def test_the_agents_environment_is_what_we_gave_it(box: DockerSandbox) -> None:
    said = as_all_powerful(box, "/opt/sandgate/runtime/busybox tr '\\0' '\\n' </proc/1/environ")

    assert sorted(said.split()) == ["LC_ALL=C", "TZ=UTC0", "TZDIR=/opt/sandgate/none"]


async def test_nothing_of_the_images_ran_as_root(box: DockerSandbox) -> None:
    with client() as api:
        assert "Health" not in api.inspect_container(f"sandgate-{box.id}")["State"]
    found = as_all_powerful(box, "/opt/sandgate/runtime/busybox ls /evil")

    assert {name for name in found.split() if name.endswith("-ran") or name.startswith("debug")} == set()


async def test_commands_get_the_images_environment_and_are_nobody_all_the_same(box: DockerSandbox) -> None:
    said = await shell(box, "echo got $UID $LD_PRELOAD $PWD $HOME")

    assert "got 1000 /evil/preload.so /workspace /home/agent\n" in said.out.decode()


@pytest.mark.promise("nothing.left")
async def test_the_volumes_that_an_image_declares_go_with_the_sandbox(image: str) -> None:
    def volumes() -> set[str]:
        return {volume["Name"] for volume in api.volumes()["Volumes"] or ()}

    with client() as api:
        async with engine() as made:
            box = await made.create(replace(BASE, image=image))
            mounts = api.inspect_container(f"sandgate-{box.id}")["Mounts"]
            own = {mount["Name"] for mount in mounts if mount["Destination"] == "/opt"}
            assert own & volumes()
            await box.close()
        await eventually(lambda: not own & volumes())


async def test_what_a_session_plants_is_not_run_by_the_agent_of_its_snapshot() -> None:
    plant = (
        "for d in /workspace /home/agent /home/agent/.local/lib/python3.13/site-packages /tmp; do mkdir -p $d; "
        'for n in json agent sitecustomize usercustomize; do echo \'open("/tmp/ran", "w")\' > $d/$n.py; done; done; '
        "echo 'export X=1; touch /tmp/ran' > /home/agent/.bashrc"
    )
    async with engine() as made:
        first = await made.create(BASE)
        await shell(first, plant)
        with client() as api:
            api.commit(f"sandgate-{first.id}", "sandgate-test/planted", "latest")
        try:
            second = await made.create(replace(BASE, image="sandgate-test/planted"))
            said = await shell(second, "ls /workspace; test -e /tmp/ran && echo ran")
            await second.close()
        finally:
            await first.close()
            with client() as api:
                api.remove_image("sandgate-test/planted", force=True)

    assert said.text.split() == ["agent.py", "json.py", "sitecustomize.py", "usercustomize.py"]


async def test_a_list_of_users_that_is_a_link_is_not_followed() -> None:
    dockerfile = "FROM sandgate/base\nRUN mv /etc/passwd /etc/elsewhere && sed -i /1000/d /etc/elsewhere && ln -s elsewhere /etc/passwd"
    with foreign.built("linked-passwd", dockerfile) as tag:
        async with engine() as made:
            box = await made.create(replace(BASE, image=tag))
            said = await shell(box, "grep -c 1000 /etc/elsewhere")
            await box.close()

    assert said.text == "0\n"


def test_the_agent_needs_no_file_of_an_image() -> None:
    """The modules, libraries and loader in the volume are all that it maps or imports: none is looked for elsewhere."""
    with client() as api:
        made = api.create_container("sandgate/agent", ["never"], entrypoint=["never"])["Id"]
        try:
            pieces, _ = api.get_archive(made, "/opt/sandgate/runtime")
            with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as tar:
                loader = tar.extractfile("runtime/lib/ld.so")
                assert loader is not None
                program = loader.read()
                owners = {(entry.uid, entry.gid, entry.mode & 0o077) for entry in tar if not entry.issym()}
        finally:
            api.remove_container(made)

    assert b"/etc/ld.so.preload" not in program
    assert owners == {(0, 0, 0)}
