"""HTTP/2 makes a proxy hold what a peer's window has no room for. Whoever sends such bytes waits, so none of it piles up.

mitmproxy's own back-pressure ends at the socket; what a peer does not ask for, it would keep in memory without a bound.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

LINE_BYTES = 4 * 1024 * 1024  # what one line may hold of either direction
SESSION_BYTES = 16 * 1024 * 1024  # and all lines of a session, when each may still hold the little below
LITTLE_BYTES = 64 * 1024
LOOK_EVERY_S = 0.02
LONGEST_PAUSE_S = 0.16  # in which four megabytes are taken at 25 MB/s


def _unsent(speaker: Any) -> int:
    """Bytes that one HTTP/2 connection could not send yet; HTTP/1 sends at once. TLS may lie around the speaker."""
    while speaker is not None and not hasattr(speaker, "h2_conn"):
        speaker = getattr(speaker, "child_layer", None)
    if speaker is None:
        return 0
    queues = speaker.h2_conn.stream_buffers.values()
    return sum(len(piece.data) for queue in queues for piece in queue) + getattr(speaker, "queued", 0)


class Total:
    """What all lines of a session hold, looked at now and then: a hundred lines that wait would each look at a hundred."""

    def __init__(self, lines: Callable[[], Iterable["Pressure"]] = tuple) -> None:
        self._lines = lines
        self._bytes, self._until = 0, 0.0

    def at(self, now: float) -> int:
        if now >= self._until:
            self._bytes = sum(line.held(for_client=True) + line.held(for_client=False) for line in self._lines())
            self._until = now + LOOK_EVERY_S
        return self._bytes


class Pressure:
    """Of one line. `total` is that of its session."""

    def __init__(self, total: Total | None = None) -> None:
        self._total = total or Total()
        self._layers: list[Any] = []

    def carries(self, layer: Any) -> None:
        """From now on the line speaks through this, too: in a tunnel there is HTTP within HTTP."""
        self._layers.append(layer)

    def held(self, *, for_client: bool) -> int:
        """Bytes that wait for the program in the sandbox to take them, or for the origins."""
        return sum(
            _unsent(speaker)
            for layer in self._layers
            for connection, speaker in layer.connections.items()
            if (connection is layer.context.client) is for_client
        )

    async def ease(self, *, for_client: bool, unless: Callable[[], bool] = lambda: False) -> None:
        """Wait until more may be read for that side, unless there is no use in it any more."""
        pause = LOOK_EVERY_S
        while self._too_much(self.held(for_client=for_client)) and not unless():
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _too_much(self, held: int) -> bool:
        if held <= LITTLE_BYTES:
            return False
        return held > LINE_BYTES or self._total.at(asyncio.get_running_loop().time()) > SESSION_BYTES
