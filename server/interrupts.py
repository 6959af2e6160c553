"""Ctrl-C while a command is only being read and imported: there is nothing to put away yet, so the process is gone at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ends_at_once() -> Iterator[None]:
    """As shells expect it, by the signal itself: an import that is cut short tells of it in errors of its own.

    Whoever ignores interrupts, or hears them in another way, goes on doing so.
    """
    hears = threading.current_thread() is threading.main_thread()
    if not hears or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
