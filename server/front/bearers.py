"""Which bearer tokens are good, and for whom: static ones of the settings, and signed ones of an issuer."""

import hmac
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from typing import Any, Final, Protocol

import anyio
import jwt
from mcp.server.auth.provider import AccessToken

from server.settings.http import HttpSettings, JwtSettings, TokenSettings, digest

OURS: Final = "sandgate"  # the issuer of static tokens
LONGEST: Final = 16_384  # characters of a token that is looked at
PARTS: Final = 3  # of a signed token
REQUIRED: Final = ["exp", "iss", "aud", "sub"]

log = logging.getLogger("sandgate")


class Keys(Protocol):
    """An issuer's public keys. Raises KeyError where it has none of that id, OSError where it cannot be asked."""

    async def key(self, key_id: str) -> Any: ...


class Bearers:
    """The SDK's token verifier. What the settings say can be replaced while it runs."""

    def __init__(self, settings: HttpSettings, keys: Callable[[JwtSettings], Keys], today: Callable[[], date]) -> None:
        self._make_keys, self._today = keys, today
        self._in_use: dict[anyio.CancelScope, AccessToken] = {}
        self._issuer: JwtSettings | None = None
        self.replace(settings)

    def replace(self, settings: HttpSettings) -> None:
        """From now on; a token that is no longer in the settings is no longer good, and what it is used for now ends."""
        same_issuer = settings.jwt == self._issuer
        self._tokens, self._issuer = settings.tokens, settings.jwt
        self._keys = self._make_keys(settings.jwt) if settings.jwt else None
        for scope, token in list(self._in_use.items()):
            ours = (token.claims or {}).get("iss") == OURS
            if not (self._known(token.token) if ours else same_issuer):
                scope.cancel()

    @contextmanager
    def used(self, token: AccessToken) -> Iterator[anyio.CancelScope]:
        """What it is used for. Cancelled where the token is taken away; one that only runs out lets it come to its end."""
        with anyio.CancelScope() as scope:
            self._in_use[scope] = token
            try:
                yield scope
            finally:
                del self._in_use[scope]

    async def verify_token(self, token: str) -> AccessToken | None:
        """For whom it stands; None for every token that is not good, and nobody is told why."""
        if len(token) > LONGEST:
            return None
        if (known := self._known(token)) is not None:
            return _granted(token, known) if known.expires is None or self._today() < known.expires else None
        if self._issuer and self._keys and token.count(".") == PARTS - 1:
            issuer = self._issuer
            found = await _signed(token, issuer, self._keys)
            return found if self._issuer == issuer else None  # who was taken away while its keys were fetched
        return None

    def _known(self, token: str) -> TokenSettings | None:
        return _static(token, self._tokens)


def _static(token: str, known: Iterable[TokenSettings]) -> TokenSettings | None:
    """All are compared, each in constant time: how long it takes says nothing of any."""
    given, found = digest(token), None
    for each in known:
        if hmac.compare_digest(each.sha256, given):
            found = each
    return found


def _granted(token: str, known: TokenSettings) -> AccessToken:
    ends = datetime.combine(known.expires, time(), UTC) if known.expires else None
    return _access(token, OURS, known.name, known.roles, int(ends.timestamp()) if ends else None)


async def _signed(token: str, issuer: JwtSettings, keys: Keys) -> AccessToken | None:
    try:
        key = await keys.key(str(jwt.get_unverified_header(token)["kid"]))
        claims = jwt.decode(
            token,
            key,
            algorithms=list(issuer.algorithms),
            audience=issuer.audience,
            issuer=issuer.issuer,
            leeway=issuer.leeway_s,
            options={"require": REQUIRED},
        )
    except (jwt.PyJWTError, KeyError, ValueError, TypeError) as exc:
        log.info("a signed token was refused: %s", exc)
        return None
    except OSError as exc:
        log.warning("the keys of %s cannot be had, so its tokens are refused: %s", issuer.issuer, exc)
        return None
    return _access(token, str(claims["iss"]), str(claims["sub"]), _roles(claims, issuer), int(claims["exp"]))


def _roles(claims: Mapping[str, Any], issuer: JwtSettings) -> tuple[str, ...]:
    groups = claims.get(issuer.groups_claim)
    named = groups if isinstance(groups, list) else [groups]
    found = {issuer.roles[group] for group in named if isinstance(group, str) and group in issuer.roles}
    return tuple(sorted(found)) or ("user",)


def _access(token: str, issuer: str, subject: str, roles: tuple[str, ...], ends: int | None) -> AccessToken:
    return AccessToken(
        token=token,
        client_id=subject,
        scopes=list(roles),
        expires_at=ends,
        subject=subject,
        claims={"iss": issuer, "roles": list(roles)},
    )
