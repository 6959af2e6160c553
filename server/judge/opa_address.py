"""Where an OPA server is, and what may be sent there."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from server.in_clear import in_clear


class BadOpaAddress(Exception):
    """The address or a credential of the OPA server cannot be used; the sentence names the setting."""


@dataclass(frozen=True, slots=True)
class OpaAddress:
    """Where the server is, whom to trust there, and as whom to come. `deadline_s` is for one whole answer."""

    url: str
    ca: Path | None = None
    cert: Path | None = None  # certificate and key in one PEM
    token: str | None = None
    deadline_s: float = 1.0

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/") or parts.query:
            raise BadOpaAddress(f"policy.opa_url is {self.url!r}; write https://HOST:PORT and nothing after it")
        if self.token and in_clear(self.url):
            raise BadOpaAddress("policy.opa_token_file would send its token in clear over http; use https")
