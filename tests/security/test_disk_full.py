"""A disk that really is full, and a quota that the file system holds: an engine of the test's own on a loop mount."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from server.ops import private_engine
from server.ops.machine import engine_checks
from server.sandbox.engine import get_json, probe
from server.sandbox.sandbox import MIB
from tests.live import BASE, engine, run, shell
from tests.real_engine import client

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.promise("sandbox.disk"),
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.geteuid() != 0, reason="mounting a file system takes root"),
]

FILL = ("dd", "if=/dev/zero", "of=/workspace/full", "bs=1M", "count=100000")


@contextmanager
def mounted(kind: str, options: str, size: int) -> Iterator[Path]:
    """A fresh file system of that many bytes, gone afterwards."""
    make = shutil.which(f"mkfs.{kind}", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if make is None:
        pytest.skip(f"mkfs.{kind} is not installed")
    folder = Path(tempfile.mkdtemp(prefix="sg"))
    image, point = folder / "image", folder / "m"
    point.mkdir()
    with image.open("wb") as file:
        file.truncate(size)
    try:
        subprocess.run([make, "-q", str(image)], check=True)
        tried = subprocess.run(
            ["mount", "-o", options, str(image), str(point)], capture_output=True, text=True, check=False
        )
        if tried.returncode:
            pytest.skip(f"this kernel does not mount {kind} with {options}: {tried.stderr.strip()}")
        try:
            yield point
        finally:
            subprocess.run(["umount", "--lazy", str(point)], check=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def engine_on(point: Path) -> Iterator[str]:
    """Our own engine with its data there and what a sandbox needs in it. Its address."""
    started = private_engine.start(point, os.environ, lambda _: None)
    try:
        with client() as here:
            there = docker.APIClient(base_url=started.url, timeout=120)
            for image in ("sandgate/base:latest", "sandgate/agent:latest"):
                for _ in there.load_image(here.get_image(image)):  # type: ignore[no-untyped-call]  # the package has no types for it
                    """Each line of its answer says how far it is."""
            there.close()
        yield started.url
    finally:
        private_engine.stop(point, lambda _: None)


async def test_a_command_that_meets_the_end_of_the_disk_is_told_as_that() -> None:
    with mounted("ext4", "loop", 1200 * MIB) as point, engine_on(point) as url:
        async with engine(find=lambda: url) as made:
            box = await made.create(BASE)
            filled = await run(box, *FILL, timeout_s=150)
            tidied = await run(box, "rm", "/workspace/full")
            after = await shell(box, "echo x > /workspace/fine")
            await box.close()

    assert filled.end.status == "disk_full"
    assert (tidied.end.status, after.end.status) == ("exited", "exited")


async def test_a_quota_of_the_file_system_holds_each_sandbox_to_its_share() -> None:
    with mounted("xfs", "loop,pquota", 2048 * MIB) as point, engine_on(point) as url:
        checks = list(engine_checks(probe(url, "the test"), get_json(url, "/info", 10)))
        async with engine(find=lambda: url) as made:
            box, neighbour = [await made.create(replace(BASE, disk_bytes=128 * MIB)) for _ in range(2)]
            filled = await run(box, *FILL, timeout_s=150)
            beside = await shell(neighbour, "head -c 60000000 /dev/zero > /workspace/fine")
            await box.close()
            await neighbour.close()

    assert (filled.end.status, filled.end.exit_code) == ("disk_full", 1)
    assert beside.end.exit_code == 0
    assert next(check for check in checks if check.id == "disk_quota").outcome == "ok"
