"""A sandbox's share of the disk, on an engine without a quota: held by measuring, told by its own status."""

import errno
from collections.abc import AsyncGenerator
from dataclasses import replace

import anyio
import pytest

from server.ops.machine import engine_checks
from server.sandbox.docker_sandbox import DockerSandbox
from server.sandbox.engine import get_json, probe
from server.sandbox.sandbox import MIB, FileRefused
from tests.live import BASE, engine, run, shell, using
from tests.real_engine import engine_url
from tests.waiting import PATIENCE_S

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.promise("sandbox.disk"),
    pytest.mark.usefixtures("no_quota"),
    pytest.mark.timeout(300),
]

LIMIT = 256 * MIB
FILL = "while head -c 20000000 /dev/zero >> /workspace/full; do :; done"
LONG_S = 200  # on a busy machine; who is found out is stopped at once


@pytest.fixture(scope="module")
def no_quota() -> None:
    url = engine_url()
    if any(
        check.id == "disk_quota" and check.outcome == "ok"
        for check in engine_checks(probe(url, "the test"), get_json(url, "/info", 10))
    ):
        pytest.skip("this engine has a quota: test_disk_full.py makes one of its own with it")


@pytest.fixture
async def boxes(anyio_backend: str) -> AsyncGenerator[tuple[DockerSandbox, DockerSandbox]]:
    async with engine() as made:
        ours, neighbour = await made.create(SMALL), await made.create(SMALL)
        try:
            yield ours, neighbour
        finally:
            await ours.close()
            await neighbour.close()


SMALL = replace(BASE, disk_bytes=LIMIT)


async def write(box: DockerSandbox, path: str, content: bytes) -> None:
    found = await box.resolve(path)
    await box.write(using(found.real), found, content, "overwrite")


@pytest.mark.promise("result.truthful")
async def test_who_fills_the_disk_is_stopped_with_that_status_and_the_neighbour_goes_on(
    boxes: tuple[DockerSandbox, DockerSandbox],
) -> None:
    ours, neighbour = boxes
    said = await shell(ours, FILL, timeout_s=LONG_S)
    assert (said.end.status, said.end.exit_code) == ("disk_full", None)
    assert "disk is full" in said.end.detail

    with pytest.raises(FileRefused, match="disk is full") as refused:
        await write(ours, "/workspace/more", b"x")
    assert refused.value.number == errno.ENOSPC
    await write(neighbour, "/workspace/more", b"x")
    assert (await shell(neighbour, "head -c 50000000 /dev/zero > /workspace/fine")).end.exit_code == 0

    assert (await run(ours, "rm", "/workspace/full")).end.exit_code == 0
    with anyio.fail_after(PATIENCE_S):
        while await ours._engine.disk_is_full(ours.id):
            await anyio.sleep(0.1)
    await write(ours, "/workspace/more", b"x")


async def test_room_that_a_neighbour_frees_meanwhile_hides_nothing() -> None:
    async with engine() as made:
        neighbour = await made.create(SMALL)
        await run(neighbour, "fallocate", "-l", "240M", "/workspace/much")
        ours = await made.create(SMALL)
        half = await run(ours, "fallocate", "-l", "150M", "/workspace/half")
        await run(neighbour, "rm", "/workspace/much")
        said = await shell(ours, "fallocate -l 150M /workspace/more; sleep 600", timeout_s=LONG_S)
        beside = await run(neighbour, "true")
        await ours.close()
        await neighbour.close()

    assert (half.end.status, said.end.status, beside.end.status) == ("exited", "disk_full", "exited")


@pytest.mark.parametrize(
    "fill",
    [
        pytest.param("exec 3>full; rm full; fallocate -l 300M /proc/self/fd/3", id="a file without a name"),
        pytest.param("touch empty; fallocate -n -l 300M empty", id="room set aside beyond the end of a file"),
    ],
)
async def test_what_no_folder_shows_counts_as_well(boxes: tuple[DockerSandbox, DockerSandbox], fill: str) -> None:
    ours, neighbour = boxes
    said = await shell(ours, f"{fill}; sleep 600", timeout_s=LONG_S)

    assert said.end.status == "disk_full"
    assert (await run(neighbour, "true")).end.status == "exited"


async def test_a_file_of_holes_fills_nothing(boxes: tuple[DockerSandbox, DockerSandbox]) -> None:
    ours, _ = boxes
    said = await shell(ours, "truncate -s 10G /workspace/holes && sleep 1.5 && stat -c %s /workspace/holes")

    assert (said.end.status, said.text) == ("exited", "10737418240\n")
    await write(ours, "/workspace/more", b"x")


async def test_a_hundred_thousand_files_are_made_listed_and_removed(boxes: tuple[DockerSandbox, DockerSandbox]) -> None:
    ours, neighbour = boxes
    make = "import os\nos.mkdir('/workspace/many')\nfor n in range(100_000): os.close(os.open(f'/workspace/many/{n}', os.O_CREAT))"
    assert (await run(ours, "python3", "-c", make, timeout_s=LONG_S)).end.exit_code == 0

    found = await ours.resolve("/workspace/many")
    listing = await ours.entries(using(found.real), found, 100)
    assert (len(listing.entries), listing.total) == (100, 100_000)
    assert (await run(neighbour, "true")).end.exit_code == 0
    assert (await run(ours, "rm", "-r", "/workspace/many", timeout_s=LONG_S)).end.exit_code == 0
