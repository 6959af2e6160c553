"""How many sandboxes of each kind are wanted ahead of the claims that will come, from those that came of late."""

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from server.sandbox.sandbox import SandboxSpec

RECENT_S: Final = 30.0  # long enough for a burst's second wave, short enough that a quiet server gives memory back
MOST: Final = 8  # ahead of one kind, however many were claimed: each one idle is about 25 MB


class Demand:
    """`least` of an environment's newest kind are always wanted once it was asked for; beyond that, as many as were
    claimed within `recent_s`, up to `most`. A kind that nobody asks for any more is wanted no more."""

    def __init__(
        self,
        least: int,
        by_environment: Mapping[str, int] | None = None,
        most: int = MOST,
        recent_s: float = RECENT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`by_environment`: another `least` for some of them."""
        self._least, self._by_environment, self._most = least, by_environment or {}, most
        self.recent_s, self._clock = recent_s, clock
        self._claims: dict[SandboxSpec, deque[float]] = {}
        self._newest: dict[str, SandboxSpec] = {}

    def claimed(self, spec: SandboxSpec) -> None:
        self._claims.setdefault(spec, deque(maxlen=self._most)).append(self._clock())
        self._newest[spec.environment] = spec

    def wanted(self, spec: SandboxSpec) -> int:
        """How many should be warm now."""
        least = self._by_environment.get(spec.environment, self._least)
        if not least:
            return 0  # the operator wants none ahead
        since = self._clock() - self.recent_s
        recent = sum(1 for moment in self._claims.get(spec, ()) if moment >= since)
        return max(least if self._newest.get(spec.environment) == spec else 0, min(self._most, recent))
