"""What tests of the real thing share: a sandbox, the fake internet, and a client of the `home` that a file says."""

from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest

from server.sandbox.docker_sandbox import DockerSandbox
from tests.egress.world.internet import Internet
from tests.end_to_end.conftest import client
from tests.live import sandbox

__all__ = ["client"]


@pytest.fixture
async def box(anyio_backend: str) -> AsyncGenerator[DockerSandbox]:
    """A sandbox for one test, which may leave it in any state."""
    async with sandbox() as made:
        yield made


@pytest.fixture(scope="module")
async def lasting_box(anyio_backend: str) -> AsyncGenerator[DockerSandbox]:
    """One for all tests of a file, which leave it usable."""
    async with sandbox() as made:
        yield made


@pytest.fixture(scope="module")
def internet(folder: Path) -> Iterator[Internet]:
    with Internet(folder) as made:
        yield made
