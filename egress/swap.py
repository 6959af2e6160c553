"""A sandbox's placeholders become the secrets that they stand for, in the one place that each may go to. Pure.

Anywhere else in a request's head a placeholder is refused: somebody is trying what it opens.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from egress.destination import Destination
from egress.refusal import Refused, refuse
from egress.secrets import Secret, Vault

MARK = b"sandgate_"  # what every placeholder holds, whatever an operator put before it
TOKEN = re.compile(MARK + rb"[0-9a-f]{32}")
LONGEST_TOKEN = len(MARK) + 32
_BASIC = re.compile(rb"\s*basic\s+(\S+)\s*", re.IGNORECASE)

type Fields = tuple[tuple[bytes, bytes], ...]
type Placeholders = Mapping[bytes, str]  # text to the name of its secret


@dataclass(frozen=True, slots=True)
class Head:
    """A request that was admitted. secure: it will go over TLS that is verified. path: with its query."""

    destination: Destination
    secure: bool
    path: bytes
    fields: Fields
    method: bytes


@dataclass(frozen=True, slots=True)
class Swapped:
    """The header fields as they go out, and the names of the secrets in them."""

    fields: Fields
    secrets: tuple[str, ...]


def swapped(head: Head, placeholders: Placeholders, vault: Vault) -> Swapped:
    """Refused where a placeholder is somewhere it may not be, or its secret has no value."""
    return _Swap(head, placeholders, vault).done()


class _Swap:
    def __init__(self, head: Head, placeholders: Placeholders, vault: Vault) -> None:
        self._head, self._placeholders, self._vault = head, placeholders, vault
        self._used: dict[str, None] = {}

    def done(self) -> Swapped:
        for where, text in (
            ("its path or query", unquote_to_bytes(self._head.path)),
            ("its method", self._head.method),
        ):
            if (found := self._first_in(text)) is not None:
                raise self._misplaced(found, where)
        fields = tuple((name, self._value(name, value)) for name, value in self._head.fields)
        return Swapped(fields, tuple(self._used))

    def _value(self, name: bytes, value: bytes) -> bytes:
        if (found := self._first_in(name.lower())) is not None:
            raise self._misplaced(found, "the name of a header")
        header = name.decode("latin1").lower()
        if basic := _BASIC.fullmatch(value):
            opened = _opened(basic[1])
            if MARK in opened:
                return b"Basic " + base64.b64encode(self._replaced(header, opened))
        return self._replaced(header, value) if MARK in value else value

    def _replaced(self, header: str, text: bytes) -> bytes:
        for placeholder, name in self._placeholders.items():
            if placeholder in text:
                text = text.replace(placeholder, self._secret(name, header).values[0])
                self._used[name] = None
        if TOKEN.search(text):
            raise self._misplaced("", f"the header {header}")
        return text

    def _secret(self, name: str, header: str) -> Secret:
        secret, head = self._vault.named(name), self._head
        if secret is None or not secret.values:
            why = secret.lack if secret and secret.lack else "it has been taken out of the settings."
            raise self._no(f"The secret {name} has no value at the moment: {why}")
        path = head.path.partition(b"?")[0].decode("latin1")
        at_home = head.secure and secret.destination == head.destination and secret.paths.admits(path)
        if not at_home or header not in secret.headers:
            raise self._misplaced(name, f"the header {header}")
        return secret

    def _first_in(self, text: bytes) -> str | None:
        """The secret whose placeholder is in the text; empty for a placeholder that is not this session's."""
        if not TOKEN.search(text):
            return None
        return next(self._named_in(text), "")

    def _named_in(self, text: bytes) -> Iterator[str]:
        return (name for placeholder, name in self._placeholders.items() if placeholder in text)

    def _misplaced(self, name: str, where: str) -> Refused:
        return self._no(misplaced(name, self._vault, f"in {where}", self._head))

    def _no(self, reason: str) -> Refused:
        return refuse("egress.secret", reason, self._head.destination.host, self._head.destination.port)


def misplaced(name: str, vault: Vault, where: str, head: Head) -> str:
    """The sentence for a placeholder that is not where it may be."""
    going = f"{where} to {head.destination}{'' if head.secure else ' without TLS'}"
    secret = vault.named(name)
    if secret is None:
        return f"A placeholder was sent {going} that is not one of this session's, or not whole."
    on = " on the paths that its settings name" if secret.paths.globs else ""
    return f"The placeholder of the secret {name} may go to {secret.home}{on}, and was sent {going}."


def _opened(credentials: bytes) -> bytes:
    try:
        return base64.b64decode(credentials + b"=" * (-len(credentials) % 4))
    except binascii.Error:
        return b""
