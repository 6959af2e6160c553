"""Noticing that a file changed, without a library: a look a second at a handful of paths is enough here."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import anyio

from server.looks import Looks, looks

EVERY_S = 0.9
STILL_S = 0.05

log = logging.getLogger("sandgate")


async def watch(
    files: Callable[[], Sequence[Path]], take_up: Callable[[], None], since: Looks, every_s: float = EVERY_S
) -> None:
    """Call `take_up` after each change of what `files` names. Where it fails, that is said and things stay as they were.

    since: how those looked that were read already, before they were; the others count as they are now. A file that is
    still being written waits until it is not: the first half of settings is settings too, of less.
    """
    before: Looks = {**looks(files()), **since}
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
