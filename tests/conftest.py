"""Shared by all tests: pure async code runs on both backends, what needs the real server on its own."""

import pytest


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)
