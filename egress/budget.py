"""What one session may take of the gate: connections, handshakes, bytes. Pure; the clock is handed in."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

MB = 1_000_000


class BadLimits(ValueError):
    """The limits of sessions cannot be meant; the message says which."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The operator's, for each session. Bytes: 0 is no limit."""

    connections: int = 128
    tls_per_second: float = 30.0  # a handshake takes 3 ms of the one core that all sessions share
    tls_burst: int = 120
    upload_mb: int = 0
    download_mb: int = 0
    held: int = 8  # requests that wait for an answer, at once
    hold_s: float = 60.0

    @classmethod
    def parse(cls, told: Mapping[str, Any]) -> "Limits":
        known = {field.name for field in fields(cls)}
        wrong = [name for name, value in told.items() if name not in known or not isinstance(value, int | float)]
        wrong += [
            name for name in ("connections", "tls_per_second", "tls_burst", "held", "hold_s") if told.get(name, 1) <= 0
        ]
        if wrong:
            raise BadLimits(f"{', '.join(sorted(wrong))} is no limit that the gate can keep.")
        return cls(**told)


class Budget:
    """One session's account."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.bytes_up = 0
        self.bytes_down = 0
        self._tokens = float(limits.tls_burst)
        self._at: float | None = None

    def handshake(self, now: float) -> float:
        """Seconds to wait before the next TLS connection; it is taken into account already."""
        passed = 0.0 if self._at is None else now - self._at
        self._at = now
        self._tokens = min(self.limits.tls_burst, self._tokens + passed * self.limits.tls_per_second) - 1
        return max(0.0, -self._tokens / self.limits.tls_per_second)

    def give_back(self) -> None:
        """A handshake that was refused costs nothing."""
        self._tokens += 1

    def up(self, size: int) -> bool:
        """Count; False once it is too much."""
        self.bytes_up += size
        return _within(self.bytes_up, self.limits.upload_mb)

    def down(self, size: int) -> bool:
        self.bytes_down += size
        return _within(self.bytes_down, self.limits.download_mb)

    @property
    def spent(self) -> str | None:
        """What there is no more of, in a sentence."""
        if not _within(self.bytes_up, self.limits.upload_mb):
            return f"This session has sent the {self.limits.upload_mb} MB that egress.upload_mb allows it."
        if not _within(self.bytes_down, self.limits.download_mb):
            return f"This session has received the {self.limits.download_mb} MB that egress.download_mb allows it."
        return None


def _within(size: int, most_mb: int) -> bool:
    return not most_mb or size <= most_mb * MB
