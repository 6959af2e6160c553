"""A small identity provider on loopback: found by its configuration, it can lose keys, get new ones and talk nonsense."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from tests.loopback_http import Asked, answering


class Issuer:
    """Its keys by their names, what it was asked for, and what it says instead, where a test wants that."""

    def __init__(self) -> None:
        self.keys: dict[str, rsa.RSAPrivateKey] = {}
        self.asked: list[str] = []
        self.url = ""
        self.body: bytes | None = None
        self.code = 200
        self.make("k1")

    def make(self, name: str) -> None:
        self.keys[name] = rsa.generate_private_key(65537, 2048)

    def signed(self, subject: str, key: str = "k1", **more: Any) -> str:
        """A token of its own for sandgate, good for five minutes."""
        claims = {"iss": self.url, "aud": "sandgate", "sub": subject, "exp": time.time() + 300, **more}
        return jwt.encode(claims, self.keys[key], "RS256", headers={"kid": key})

    def answer(self, path: str) -> bytes:
        self.asked.append(path)
        if self.body is not None:
            return self.body
        known = {
            "/.well-known/openid-configuration": {"issuer": self.url, "jwks_uri": f"{self.url}/keys"},
            "/keys": {"keys": [_public(name, key) for name, key in self.keys.items()]},
        }
        return json.dumps(known[path]).encode()


def _public(name: str, key: rsa.RSAPrivateKey) -> dict[str, Any]:
    return {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": name, "use": "sig", "alg": "RS256"}


@contextmanager
def issuing() -> Iterator[Issuer]:
    made = Issuer()

    class Handler(Asked):
        def answer(self, _: bytes) -> None:
            with suppress(OSError):  # the other side had enough
                self.say(made.code, made.answer(self.path), location="http://127.0.0.1:1/")

    with answering(Handler) as port:
        made.url = f"http://127.0.0.1:{port}"
        yield made
