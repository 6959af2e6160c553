"""One session's questions to DNS, a few at once: one that nobody answers keeps a thread for as long as the system waits."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress

AT_ONCE = 4
THREADS = 64  # of all sessions


class Lookups:
    """Turns at the threads that all sessions share, so that no session takes all of them."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def ask[T](self, question: Callable[[], T], threads: Executor) -> T:
        """Run it in a thread when it is this session's turn, which ends with the thread's work, wanted or not."""
        loop = asyncio.get_running_loop()

        def over(_: object) -> None:
            with suppress(RuntimeError):  # the loop is closed, and nobody waits for a turn
                loop.call_soon_threadsafe(self._turns.release)

        await self._turns.acquire()
        asked = threads.submit(question)
        asked.add_done_callback(over)
        return await asyncio.wrap_future(asked)
