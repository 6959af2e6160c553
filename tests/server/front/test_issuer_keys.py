"""An issuer's keys, from a real small server on loopback that counts how often it is asked."""

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from server.front.issuer_keys import AGAIN_S, KEPT_S, IssuerKeys
from server.http_settings import JwtSettings

pytestmark = [pytest.mark.anyio, pytest.mark.asyncio_alone]


class Issuer:
    """What it answers, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.url = ""
        self.keys: list[dict[str, Any]] = [self.key("k1")]
        self.body: bytes | None = None
        self.code = 200

    def key(self, name: str) -> dict[str, Any]:
        public = rsa.generate_private_key(65537, 2048).public_key()
        return {**RSAAlgorithm.to_jwk(public, as_dict=True), "kid": name, "use": "sig", "alg": "RS256"}

    def answer(self, path: str) -> bytes:
        self.asked.append(path)
        if self.body is not None:
            return self.body
        found = {"jwks_uri": f"{self.url}/keys"} if path.endswith("openid-configuration") else {"keys": self.keys}
        return json.dumps(found).encode()


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    made = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = made.answer(self.path)
            self.send_response(made.code)
            self.send_header("location", "http://127.0.0.1:1/")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            with suppress(OSError):  # the other side had enough
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield made
        server.shutdown()
        thread.join()


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def keys_of(issuer: Issuer, clock: Clock, **more: Any) -> IssuerKeys:
    return IssuerKeys(JwtSettings(issuer=issuer.url, audience="a", **more), clock)


async def test_keys_are_found_by_the_issuers_own_configuration_and_kept(issuer: Issuer) -> None:
    keys = keys_of(issuer, Clock())
    assert [await keys.key("k1") for _ in range(3)]
    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]


async def test_a_key_that_is_not_there_is_asked_for_again_but_seldom(issuer: Issuer) -> None:
    clock = Clock()
    keys = keys_of(issuer, clock, jwks_url=f"{issuer.url}/keys")
    for _ in range(50):
        with pytest.raises(KeyError):
            await keys.key("k2")
    assert issuer.asked == ["/keys"]
    issuer.keys.append(issuer.key("k2"))
    clock.now += AGAIN_S + 1
    assert await keys.key("k2")
    assert issuer.asked == ["/keys"] * 2


async def test_a_key_that_was_withdrawn_is_not_believed_for_ever(issuer: Issuer) -> None:
    clock = Clock()
    keys = keys_of(issuer, clock, jwks_url=f"{issuer.url}/keys")
    await keys.key("k1")
    issuer.keys = []
    clock.now += KEPT_S + 1
    with pytest.raises((KeyError, OSError)):
        await keys.key("k1")


@pytest.mark.parametrize(
    ("code", "body"),
    [(500, b"{}"), (302, b"{}"), (200, b"no json"), (200, b"[]"), (200, b'{"keys": 5}'), (200, b" " * (1 << 19))],
)
async def test_an_answer_that_makes_no_sense_is_no_key(issuer: Issuer, code: int, body: bytes) -> None:
    issuer.code, issuer.body = code, body
    with pytest.raises(OSError, match=r"."):
        await keys_of(issuer, Clock(), jwks_url=f"{issuer.url}/keys").key("k1")
