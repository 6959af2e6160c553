"""The operator's secrets: the value of each, and the one place that it may go to. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from egress.destination import BadName, Destination, clip
from egress.paths import BadGlob, Paths

SHORTEST, LONGEST = 8, 8192  # characters; shorter ones would be found, and masked, in texts that are not about them
MOST_RETIRED = 3
_VALUE = re.compile(r"[\x20-\x7e\xa0-\xff]+")
_HEADER = re.compile(r"[!#$%&'*+\-.^_`|~0-9a-z]+")
_HTTPS, _HTTP = 443, 80


class BadSecret(ValueError):
    """A secret cannot be used; the message names it, and never holds any of its value."""


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """One secret. `values`: the one in force, then those it had before, which are only looked for in answers.

    `lack` says why there is no value where `values` is empty.
    """

    name: str
    destination: Destination
    headers: frozenset[str]
    paths: Paths
    values: tuple[bytes, ...] = ()
    lack: str = ""

    def __repr__(self) -> str:
        return f"<secret {self.name} of {self.destination}>"  # a value in a traceback is a value in a log

    @property
    def home(self) -> str:
        """Where it may go, in words."""
        return f"{self.destination} in the header {' or '.join(sorted(self.headers))}"

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> "Secret":
        """From `{name, host, headers, paths, value | lack}`; BadSecret where it cannot be meant."""
        name = clip(str(raw.get("name")), 50)
        try:
            destination = Destination.parse(str(raw.get("host")), _HTTPS)
            paths = Paths.parse([str(text) for text in raw.get("paths") or ()])
        except (BadName, BadGlob) as error:
            raise BadSecret(f"The secret {name} has no usable host or paths: {error}") from error
        if destination.port == _HTTP:
            raise BadSecret(f"The secret {name} is bound to a port without TLS.")
        headers = frozenset(str(header).lower() for header in raw.get("headers") or ())
        if not headers or not all(_HEADER.fullmatch(header) for header in headers):
            raise BadSecret(f"The secret {name} names no header, or one that is none.")
        return cls(name, destination, headers, paths, _values(name, raw.get("value")), clip(str(raw.get("lack") or "")))


def _values(name: str, value: Any) -> tuple[bytes, ...]:
    if value is None:
        return ()
    if not isinstance(value, str) or not _VALUE.fullmatch(value) or not SHORTEST <= len(value) <= LONGEST:
        raise BadSecret(
            f"The value of the secret {name} is not {SHORTEST} to {LONGEST} characters that a header can hold."
        )
    return (value.encode("latin1"),)


class Vault:
    """All secrets of this gate. One that gets a new value is looked for in answers under its old ones, too."""

    def __init__(self) -> None:
        self._secrets: dict[str, Secret] = {}

    def replace(self, secrets: Iterable[Secret]) -> None:
        self._secrets = {secret.name: self._with_old_values(secret) for secret in secrets}

    def _with_old_values(self, secret: Secret) -> Secret:
        known = self._secrets.get(secret.name)
        if known is None or not secret.values:
            return secret
        old = tuple(value for value in known.values if value not in secret.values)
        return replace(secret, values=(*secret.values, *old)[: 1 + MOST_RETIRED])

    def named(self, name: str) -> Secret | None:
        return self._secrets.get(name)

    def at(self, destination: Destination) -> tuple[Secret, ...]:
        return tuple(secret for secret in self._secrets.values() if secret.destination == destination)
