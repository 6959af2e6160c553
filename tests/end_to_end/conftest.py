"""One backend here: what runs is the real server, in a process of its own."""

import pytest


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"
