"""What a sandbox has in place of secrets: texts that nobody can guess, and that open nothing but the gate's swap."""

import hashlib
import hmac
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

MARK = "sandgate_"  # by which the gate knows one, wherever it turns up


@dataclass(frozen=True, slots=True)
class Lent:
    """A secret as a sandbox knows it: its name, the variable that holds it, what its placeholder begins with."""

    name: str
    variable: str
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Placeholders:
    """One for each secret and sandbox. They are computed, not kept: 128 bits of a MAC under a key that is ours alone."""

    lent: tuple[Lent, ...] = ()
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def by_name(self, sandbox_id: str, names: Collection[str]) -> dict[str, str]:
        """What the gate is told: secret to placeholder, of those that the sandbox has."""
        return {secret.name: self._text(secret, sandbox_id) for secret in self.lent if secret.name in names}

    def variables(self, sandbox_id: str, names: Collection[str]) -> Mapping[str, str]:
        """What its commands find in their environment."""
        return {secret.variable: self._text(secret, sandbox_id) for secret in self.lent if secret.name in names}

    def _text(self, secret: Lent, sandbox_id: str) -> str:
        mac = hmac.new(self.key, f"{sandbox_id}/{secret.name}".encode(), hashlib.sha256)
        return f"{secret.prefix}{MARK}{mac.hexdigest()[:32]}"
