"""What tests of the real server share; each file says of what `home` it is."""

from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest
from mcp import Client

from server.ops.demo_origin import Origin, serving
from tests.end_to_end.rig import Home, connected


@pytest.fixture(scope="module")
def origin(folder: Path) -> Iterator[Origin]:
    """The demo's host, on loopback."""
    with serving(folder) as made:
        yield made


@pytest.fixture(scope="module")
async def client(home: Home, anyio_backend: str) -> AsyncGenerator[Client]:
    """One for all tests of a file."""
    async with connected(home) as made:
        yield made
