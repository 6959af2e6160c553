"""What was sent into a sandbox, remembered by its hashes: what `sandgate diff` compares with.

It travels inside the sandbox, in a file of root's that no command can change, so that it is there wherever the files are:
in a parked session, in a snapshot, in a fork of one. It carries the installation's seal, so that it is believed only if
this server wrote it.
"""

import hashlib
import hmac
import json
import secrets
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from server.sandbox.made_once import made_once
from server.sandbox.survey import Kind

INSIDE: Final = "/var/lib/sandgate/sent"  # root's, readable by all
KEY_FILE: Final = "copies.key"
MAX_PLAIN: Final = 512 << 20
_SEAL: Final = hashlib.sha256().digest_size
_FORMAT: Final = 1
_KINDS: Final[Mapping[str, Kind]] = {"f": "file", "d": "folder", "l": "link"}


class NotOurs(Exception):
    """A sandbox's record of what was sent into it does not carry this installation's seal."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, folder or link. `content` is the sha256 of a file, the target of a link, nothing of a folder."""

    kind: Kind
    mode: int
    content: str = ""

    def same_as(self, other: "Entry | None") -> bool:
        """Links have no mode of their own."""
        return (
            other is not None
            and (self.kind, self.content) == (other.kind, other.content)
            and (self.kind == "link" or self.mode == other.mode)
        )


@dataclass(frozen=True, slots=True)
class Sent:
    """One folder as it was copied: from where on the host, to where inside, and every path in it."""

    source: str
    target: str
    entries: Mapping[str, Entry] = field(default_factory=dict)


def seal(copies: tuple[Sent, ...], key: bytes) -> bytes:
    body = zlib.compress(json.dumps([_FORMAT, [_plain(sent) for sent in copies]]).encode(), 1)
    return hmac.digest(key, body, "sha256") + body


def unseal(data: bytes, key: bytes) -> tuple[Sent, ...]:
    """Raises NotOurs. Nothing of it is looked at before the seal was found to be right."""
    body = data[_SEAL:]
    if not hmac.compare_digest(hmac.digest(key, body, "sha256"), data[:_SEAL]):
        raise NotOurs("the sandbox's record of what was copied into it is not this installation's; open a new session")
    form, copies = json.loads(zlib.decompressobj().decompress(body, MAX_PLAIN))
    if form != _FORMAT:
        raise NotOurs("the sandbox's record of what was copied into it is another version's; open a new session")
    return tuple(_sent(*copy) for copy in copies)


def _plain(sent: Sent) -> list[object]:
    short = {kind: letter for letter, kind in _KINDS.items()}
    entries = [[path, short[entry.kind], entry.mode, entry.content] for path, entry in sent.entries.items()]
    return [sent.source, sent.target, entries]


def _sent(source: str, target: str, entries: list[tuple[str, str, int, str]]) -> Sent:
    return Sent(source, target, {path: Entry(_KINDS[kind], mode, content) for path, kind, mode, content in entries})


def key_of(state_dir: Path) -> bytes:
    """The installation's own."""
    return made_once(state_dir / KEY_FILE, secrets.token_bytes(32))
