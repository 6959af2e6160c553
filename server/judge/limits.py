"""How often and how many at once: a token bucket and a count of running calls for each caller."""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

IDLE_S = 3600.0  # a caller not heard of for this long is forgotten
MAX_CALLERS = 10_000


class TooMany(Exception):
    """The caller has spent its calls for now, or has as many running as it may."""

    def __init__(self, reason: str, retry_after_s: float) -> None:
        super().__init__(f"{reason}; try again in {retry_after_s:.1f} s")
        self.retry_after_s = retry_after_s


@dataclass
class _Bucket:
    tokens: float
    seen: float
    running: int = 0


class Limits:
    """`rate_per_s` calls in the long run, `burst` at once, `concurrent` running. The clock is injected for tests."""

    def __init__(
        self, rate_per_s: float, burst: int, concurrent: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate, self._burst, self._concurrent, self._clock = rate_per_s, burst, concurrent, clock
        self._buckets: dict[str, _Bucket] = {}

    @asynccontextmanager
    async def admit(self, caller: str) -> AsyncGenerator[None]:
        """Hold one of the caller's places while the call lasts. Raises TooMany."""
        bucket = self._bucket(caller)
        if bucket.running >= self._concurrent:
            raise TooMany(f"{bucket.running} of your calls are running, as many as allowed", 1.0)
        if bucket.tokens < 1:
            raise TooMany("you are calling faster than allowed", (1 - bucket.tokens) / self._rate)
        bucket.tokens -= 1
        bucket.running += 1
        try:
            yield
        finally:
            bucket.running -= 1

    def _bucket(self, caller: str) -> _Bucket:
        now = self._clock()
        if caller not in self._buckets:
            self._forget(now)
            self._buckets[caller] = _Bucket(self._burst, now)
        bucket = self._buckets[caller]
        bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.seen) * self._rate)
        bucket.seen = now
        return bucket

    def _forget(self, now: float) -> None:
        idle = [name for name, bucket in self._buckets.items() if not bucket.running and now - bucket.seen > IDLE_S]
        for name in idle if len(self._buckets) < MAX_CALLERS else [*idle, *list(self._buckets)[:1]]:
            self._buckets.pop(name, None)
