"""Whether somebody between here and an address could read what is sent there, or answer in its place."""

from typing import Final
from urllib.parse import urlsplit

_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


def in_clear(url: str) -> bool:
    """Plain HTTP to another machine: on loopback there is nobody between, and what is no URL leads nowhere."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "http" and parts.hostname not in _LOOPBACK
