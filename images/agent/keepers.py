"""Keepers that wait for their next command: started ahead, or from a command that is over."""

import contextlib
import errno
import selectors
from collections.abc import Callable

from spawn import Keeper

AHEAD = 2  # one takes the next command while the other makes a new leader; about 0.2 MB each
KEPT = 3  # one more than are made: else each command that takes a while would cost one, and its own be sent away


class Keepers:
    """`make` starts one. Their channels are watched here, for their whole life."""

    def __init__(self, make: Callable[[], Keeper], selector: selectors.BaseSelector) -> None:
        self._make, self._selector = make, selector
        self._spares: list[Keeper] = []

    @property
    def pids(self) -> set[int]:
        return {keeper.pid for keeper in self._spares}

    @property
    def enough(self) -> bool:
        return len(self._spares) >= AHEAD

    def fill(self) -> None:
        """As far as there is room."""
        for _ in range(AHEAD - len(self._spares)):
            self.make_a_spare()

    def make_a_spare(self) -> None:
        with contextlib.suppress(OSError):  # the sandbox is full of processes
            self.spare(self._new())

    def give[R](self, use: Callable[[Keeper], R]) -> R:
        """Use a spare one, or a new one where none of them lives. Raises OSError where there is no room for that."""
        while True:
            ahead = bool(self._spares)
            keeper = self._spares.pop(0) if ahead else self._new()  # the one that rested longest: its leader is ready
            try:
                return use(keeper)
            except OSError as exc:
                self.dismiss(keeper)
                if not ahead:
                    full = exc.errno == errno.EPIPE  # it is gone already: it found no room for a leader
                    raise OSError(errno.EAGAIN if full else exc.errno, exc.strerror) from exc

    def spare(self, keeper: Keeper) -> None:
        """Its command is over."""

        def hear(message: bytes) -> None:
            if not message:  # the OOM killer's, or it found no room for a leader
                self.dismiss(keeper)

        if len(self._spares) < KEPT:
            keeper.hears = hear
            self._spares.append(keeper)
        else:
            self.dismiss(keeper)

    def dismiss(self, keeper: Keeper) -> None:
        """Without its channel a keeper ends, and its leader with it."""
        if keeper in self._spares:
            self._spares.remove(keeper)
        self._selector.unregister(keeper.channel)
        keeper.channel.close()

    def _new(self) -> Keeper:
        keeper = self._make()
        self._selector.register(keeper.channel, selectors.EVENT_READ, keeper.hear)
        return keeper
