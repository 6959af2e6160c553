"""A process that outlives its server by a moment: it wakes the sandboxes that the server left paused.

Awake, a sandbox finds its server gone, waits to be adopted and then ends itself; paused, it could do neither. Each line
of the input is `frozen ID` or `thawed ID`; the end of the input is the server's.
"""

import signal
import sys
import time
from collections.abc import Iterable
from typing import Final

from server.sandbox.engine import Unreachable, post

PATIENCE_S: Final = 10.0
AGAIN_S: Final = 1.0
TRIES: Final = 30  # once a second, of an engine that does not answer: where it comes back, what was paused is still so


def left_frozen(lines: Iterable[str]) -> set[str]:
    """Those told to be frozen and not woken since, at the end of the lines."""
    frozen: set[str] = set()
    for line in lines:
        match line.split():
            case ["frozen", sandbox_id]:
                frozen.add(sandbox_id)
            case ["thawed", sandbox_id]:
                frozen.discard(sandbox_id)
            case _:
                continue  # half a line: the server died in the middle of it
    return frozen


def wake(url: str, sandbox_ids: Iterable[str], pause_s: float = 1.0, tries: int = TRIES) -> None:
    """Each of them, as long as it takes the engine to answer, within bounds."""
    waiting = set(sandbox_ids)
    for _ in range(tries):
        for sandbox_id in list(waiting):
            try:
                post(url, f"/containers/sandgate-{sandbox_id}/unpause", PATIENCE_S)
            except Unreachable:
                continue
            waiting.discard(sandbox_id)
        if not waiting:
            return
        time.sleep(pause_s)


def main() -> None:
    """Twice, a moment apart: the server's last order may still have been on its way to the engine."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends when its work is done, not with its server
    left = left_frozen(sys.stdin)
    for _ in range(2 if left else 0):
        wake(sys.argv[1], left)
        time.sleep(AGAIN_S)


if __name__ == "__main__":
    main()
