"""One thing at a time happens to a session, and to its name: whoever comes waits for the turn, within bounds."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final
from weakref import WeakValueDictionary

import anyio

from server.sandbox.sandbox import SandboxFailed

PATIENCE_S: Final = 60.0  # a client gives up on a call then


class Turns:
    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._locks: WeakValueDictionary[tuple[str, str], anyio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, owner: str, name: str) -> AsyncGenerator[None]:
        """Raises SandboxFailed where the turn does not come: what is at work with the session takes long, or hangs."""
        lock = self._locks.setdefault((owner, name), anyio.Lock())
        try:
            with anyio.fail_after(self._patience_s):
                await lock.acquire()
        except TimeoutError as exc:
            raise SandboxFailed(
                f"session {name} is still being made, put to rest or closed after {self._patience_s:.0f} s; nothing else "
                "was done to it: try again later, or use another session"
            ) from exc
        try:
            yield
        finally:
            lock.release()
