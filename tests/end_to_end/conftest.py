"""One backend here: what runs is the real server, in a process of its own."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Short, because socket paths below it are bounded; not pytest's own, which are long."""
    made = Path(tempfile.mkdtemp(prefix="sg"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)
