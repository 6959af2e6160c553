"""Imports without sweeps for garbage: they make none, and to look for some takes a tenth of a server's start."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def unswept() -> Iterator[None]:
    """What is made meanwhile counts as old afterwards, so that the next sweep does not look through it either."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.unfreeze()
        gc.enable()
