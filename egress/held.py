"""A bound on bytes that a parser has taken and nobody has made sense of yet."""

import asyncio

HELD_BYTES = 192 * 1024  # more than a whole head and two reads; the parser's own bound is exact
PATIENCE_S = 5.0  # what was parsed is made sense of in a task of its own, which a busy machine comes to late


class Held:
    """Counts while it is on; mitmproxy itself would hold an unfinished head of any length."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._on = True
        self._bytes = 0
        self._eased = asyncio.Event()

    def at_once(self, wanted: int, piece: int) -> int:
        """How much may be read now: a piece of a body, or what is asked for while it is not known to be one."""
        return wanted if self._on else piece

    async def takes(self, size: int) -> bool:
        """Count so many more bytes. Where too many are held, wait for somebody to make sense of them; False: nobody did.

        The first read is handed on however large it is: it may have begun when nothing was counted yet.
        """
        if not self._on:
            return True
        before, self._bytes = self._bytes, self._bytes + size
        if before == 0 or self._bytes <= HELD_BYTES:
            return True
        self._eased.clear()
        try:
            async with asyncio.timeout(self._patience_s):
                await self._eased.wait()
        except TimeoutError:
            return False
        return True

    def lift(self) -> None:
        self._on = False
        self._eased.set()

    def restart(self) -> None:
        self._on = True
        self._bytes = 0
        self._eased.set()
