"""Folders that lie where tests of the real thing need them."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def short_folder() -> Iterator[Path]:
    """Gone when left. The path of a socket in it has to fit in 107 bytes, which pytest's own folders leave no room for;
    others than root may go through it."""
    made = Path(tempfile.mkdtemp(prefix="sg"))
    made.chmod(0o755)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
