"""An issuer's public keys, asked for seldom: kept for minutes, and a token with an unknown key asks again only now and then."""

import json
import time
from collections.abc import Callable
from typing import Any, Final

import anyio
import httpx
import jwt

from server.settings.http import JwtSettings

KEPT_S: Final = 600.0
AGAIN_S: Final = 30.0  # between two fetches for keys that were not there, whoever asks
PATIENCE_S: Final = 5.0
MOST_BYTES: Final = 1 << 18
DISCOVERY: Final = "/.well-known/openid-configuration"


class IssuerKeys:
    """Keys by id. The clock is injected for tests."""

    def __init__(self, issuer: JwtSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._issuer, self._clock = issuer, clock
        self._keys: dict[str, Any] = {}
        self._asked: float | None = None
        self._one = anyio.Lock()

    async def key(self, key_id: str) -> Any:
        """Raises KeyError where the issuer has no such key, OSError where it cannot be asked."""
        async with self._one:
            age = None if self._asked is None else self._clock() - self._asked
            if age is None or age > KEPT_S or (key_id not in self._keys and age > AGAIN_S):
                before, self._asked = self._asked, self._clock()
                try:
                    self._keys = await _fetched(self._issuer)
                except (
                    anyio.get_cancelled_exc_class()
                ):  # a page that was left: the others' tokens are good all the same
                    self._asked = before
                    raise
        return self._keys[key_id]


async def _fetched(issuer: JwtSettings) -> dict[str, Any]:
    try:
        async with httpx.AsyncClient(timeout=PATIENCE_S, follow_redirects=False) as client:
            url = issuer.jwks_url or str((await _document(client, issuer.issuer.rstrip("/") + DISCOVERY))["jwks_uri"])
            found = jwt.PyJWKSet.from_dict(await _document(client, url))
    except (httpx.HTTPError, jwt.PyJWTError, KeyError, ValueError, TypeError) as exc:
        raise OSError(f"{type(exc).__name__}: {exc}") from exc
    return {key.key_id: key for key in found.keys if key.key_id}


async def _document(client: httpx.AsyncClient, url: str) -> dict[str, Any]:
    body = bytearray()
    async with client.stream("GET", url) as answer:
        answer.raise_for_status()
        async for part in answer.aiter_bytes():
            body += part
            if len(body) > MOST_BYTES:
                raise ValueError(f"{url} answers with more than {MOST_BYTES} bytes")
    document = json.loads(body)
    if not isinstance(document, dict):
        raise TypeError(f"{url} does not answer with an object")
    return document
