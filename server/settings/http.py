"""The settings of HTTP: who may call, by which names, and whose word is believed."""

import hashlib
from datetime import date
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from server.settings.table import Table


class TokenSettings(Table):
    """[[http.tokens]]: one caller's static token, as `sandgate token new` writes it. The token itself is nowhere."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._@-]{1,64}$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    roles: tuple[str, ...] = ("user",)
    expires: date | None = None  # the first day on which it is no longer good, in UTC


def digest(token: str) -> str:
    """As the settings hold it. Tokens are 256 random bits, so a plain hash cannot be guessed back."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class JwtSettings(Table):
    """[http.jwt]: whose signed tokens are believed, and what their groups mean here."""

    issuer: Annotated[str, Field(pattern=r"^https?://[^\s]+$")]
    audience: str
    jwks_url: str | None = None  # nothing: as the issuer's OpenID configuration says
    algorithms: tuple[Literal["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"], ...] = ("RS256", "ES256")
    groups_claim: str = "groups"
    roles: dict[str, str] = Field(default_factory=dict)  # group -> role; a caller in none of them is a "user"
    leeway_s: Annotated[float, Field(ge=0, le=300)] = 30.0  # by which clocks may differ


class HttpSettings(Table):
    hosts: tuple[str, ...] = ()  # names that clients call this server by, beside localhost
    origins: tuple[str, ...] = ()  # web pages that may call it
    public_url: str | None = None  # how clients reach it, where a proxy stands before it
    tls_cert: Path | None = None  # a PEM chain; tls_key: its key
    tls_key: Path | None = None
    trusted_proxies: tuple[str, ...] = ()  # addresses whose X-Forwarded-* are believed
    body_mb: Annotated[int, Field(ge=1, le=512)] = 8  # of one request
    upload_mb: Annotated[int, Field(ge=1, le=32)] = 32  # of one file that is put to /files
    download_mb: Annotated[int, Field(ge=1)] = 1024  # of one that is fetched from there
    tokens: tuple[TokenSettings, ...] = ()
    jwt: JwtSettings | None = None

    @field_validator("trusted_proxies")
    @classmethod
    def _named(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            try:
                everybody = ip_network(proxy).prefixlen == 0
            except ValueError as exc:
                raise ValueError(f"{proxy!r} is no address or network: write 10.0.0.2 or 10.0.0.0/24") from exc
            if everybody:
                raise ValueError("to trust everybody's X-Forwarded-For is to let everybody choose an address")
        return proxies
