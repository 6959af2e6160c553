"""Noticing that a file changed, without a library: a look a second at a handful of paths is enough here."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import anyio

EVERY_S = 0.9
STILL_S = 0.05

log = logging.getLogger("sandgate")

type Looks = Mapping[Path, tuple[int, int, int] | None]


async def watch(files: Callable[[], Sequence[Path]], take_up: Callable[[], None], every_s: float = EVERY_S) -> None:
    """Call `take_up` after each change of what `files` names. Where it fails, that is said and things stay as they were.

    A file that is still being written waits until it is not: the first half of settings is settings too, of less.
    """
    before = looks(files())
    while True:
        await anyio.sleep(every_s)
        now = looks(files())
        if now == before:
            continue
        await anyio.sleep(STILL_S)
        if now == looks(files()):
            before = now
            taking_up(take_up)


def taking_up(take_up: Callable[[], None]) -> None:
    """A bad file must not end a running server: its sentence is logged."""
    try:
        take_up()
    except Exception as exc:  # noqa: BLE001 - whatever is wrong with them, the old ones hold
        log.warning("the changed settings or rules are not taken up, the old ones hold: %s", exc)


class Unchanged[T]:
    """What `read` answers, asked again only where one of the files looks different: a look costs no more than a stat."""

    def __init__(self, files: Sequence[Path], read: Callable[[], T]) -> None:
        self._files, self._read = files, read
        self._looks, self._answer = looks(files), read()

    def __call__(self) -> T:
        if (now := looks(self._files)) != self._looks:
            self._looks, self._answer = now, self._read()
        return self._answer


def looks(files: Sequence[Path]) -> Looks:
    """Two that are equal: nobody wrote them, or put others in their place, in between."""
    return {path: _look(path) for path in files}


def _look(path: Path) -> tuple[int, int, int] | None:
    try:
        info = path.stat()
    except OSError:
        return None
    return info.st_mtime_ns, info.st_size, info.st_ino
