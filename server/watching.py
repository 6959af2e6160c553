"""Noticing that a file changed, without a library: a look every second at a handful of paths is enough here."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import anyio

EVERY_S = 1.0

log = logging.getLogger("sandgate")


async def watch(files: Sequence[Path], take_up: Callable[[], None], every_s: float = EVERY_S) -> None:
    """Call `take_up` after each change. Where it fails, its sentence is logged and things stay as they were."""
    before = _looks(files)
    while True:
        await anyio.sleep(every_s)
        now = _looks(files)
        if now != before:
            before = now
            try:
                take_up()
            except Exception as exc:  # noqa: BLE001 - a bad file must not end a running server
                log.warning("the changed settings are not taken up: %s", exc)


def _looks(files: Sequence[Path]) -> list[tuple[int, int] | None]:
    return [_look(path) for path in files]


def _look(path: Path) -> tuple[int, int] | None:
    try:
        info = path.stat()
    except OSError:
        return None
    return info.st_mtime_ns, info.st_ino
