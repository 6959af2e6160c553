"""Noticing that a file changed, without a library: a look every second at a handful of paths is enough here."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import anyio

EVERY_S = 1.0

log = logging.getLogger("sandgate")


async def watch(files: Callable[[], Sequence[Path]], take_up: Callable[[], None], every_s: float = EVERY_S) -> None:
    """Call `take_up` after each change of what `files` names. Where it fails, that is said and things stay as they were."""
    before = _looks(files())
    while True:
        await anyio.sleep(every_s)
        now = _looks(files())
        if now != before:
            before = now
            taking_up(take_up)


def taking_up(take_up: Callable[[], None]) -> None:
    """A bad file must not end a running server: its sentence is logged."""
    try:
        take_up()
    except Exception as exc:  # noqa: BLE001 - whatever is wrong with them, the old ones hold
        log.warning("the changed settings or rules are not taken up, the old ones hold: %s", exc)


def _looks(files: Sequence[Path]) -> dict[Path, tuple[int, int] | None]:
    return {path: _look(path) for path in files}


def _look(path: Path) -> tuple[int, int] | None:
    try:
        info = path.stat()
    except OSError:
        return None
    return info.st_mtime_ns, info.st_ino
