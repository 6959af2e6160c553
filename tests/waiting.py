"""Looking again until something is so, within a bound: for what another process or another task brings about."""

import time
from collections.abc import Callable
from typing import Final

import anyio

PATIENCE_S: Final = 60.0


def until[T](holds: Callable[[], T], what: str | Callable[[], str] = "it never came to be") -> T:
    """What it then is. What the test fails with may be looked up at the end."""
    ends = time.monotonic() + PATIENCE_S
    while not (found := holds()):
        assert time.monotonic() < ends, what() if callable(what) else what
        time.sleep(0.02)
    return found


async def eventually[T](holds: Callable[[], T], what: str = "it never came to be") -> T:
    """The same, while other tasks go on."""
    ends = time.monotonic() + PATIENCE_S
    while not (found := holds()):
        assert time.monotonic() < ends, what
        await anyio.sleep(0.01)
    return found
