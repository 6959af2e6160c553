"""Static and signed tokens: who they stand for, and every way in which one is not good."""

import base64
import hmac
import json
import time
from collections.abc import Mapping
from datetime import date
from typing import Any

import anyio
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from server.asks import Caller
from server.front.bearers import Bearers
from server.front.caller import caller_of
from server.settings.http import HttpSettings, JwtSettings, TokenSettings, digest

pytestmark = [pytest.mark.anyio, pytest.mark.promise("caller.known")]
TODAY = date(2030, 1, 1)
KEY, STRANGER = (rsa.generate_private_key(65537, 2048) for _ in range(2))
ISSUER = JwtSettings(issuer="https://id.example", audience="sandgate", roles={"team": "admin", "all": "dev"})


class OneKey:
    """An issuer with one key."""

    async def key(self, key_id: str) -> Any:
        return {"k1": KEY.public_key()}[key_id]


class Unreachable:
    async def key(self, key_id: str) -> Any:
        raise OSError(key_id)


def bearers(*tokens: TokenSettings, keys: Any = OneKey) -> Bearers:
    return Bearers(HttpSettings(tokens=tokens, jwt=ISSUER), lambda _: keys(), lambda: TODAY)


def signed(key: Any = KEY, headers: Mapping[str, Any] | None = None, algorithm: str = "RS256", **changed: Any) -> str:
    claims = {"iss": ISSUER.issuer, "aud": "sandgate", "sub": "ann", "exp": time.time() + 60, "groups": ["all"]}
    kept = {name: value for name, value in {**claims, **changed}.items() if value is not None}
    return jwt.encode(kept, key, algorithm, headers={"kid": "k1"} if headers is None else dict(headers))


def confused() -> str:
    """Good claims, under a MAC whose secret is what everybody knows: the issuer's public key."""
    head = b64url(json.dumps({"alg": "HS256", "typ": "JWT", "kid": "k1"}).encode())
    said = head + b"." + signed().split(".")[1].encode()
    secret = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return (said + b"." + b64url(hmac.digest(secret, said, "sha256"))).decode()


def b64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


async def caller(found: Bearers, token: str) -> Caller | None:
    access = await found.verify_token(token)
    return None if access is None else caller_of(access)


async def test_a_static_token_stands_for_its_name_and_roles() -> None:
    found = bearers(TokenSettings(name="ann", sha256=digest("t1"), roles=("dev",)))
    assert await caller(found, "t1") == Caller("sandgate|ann", ("dev",))
    assert await caller(found, "t2") is None


async def test_a_static_token_ends_on_its_day() -> None:
    good, over = (TokenSettings(name=str(day), sha256=digest(str(day)), expires=date(2030, 1, day)) for day in (2, 1))
    found = bearers(good, over)
    assert await caller(found, "2") is not None
    assert await caller(found, "1") is None


async def test_what_is_no_longer_in_the_settings_is_no_longer_good() -> None:
    found = bearers(TokenSettings(name="ann", sha256=digest("t1")))
    found.replace(HttpSettings())
    assert await caller(found, "t1") is None
    assert await caller(found, signed()) is None


async def test_a_token_whose_issuer_is_taken_away_while_its_keys_are_fetched_is_not_good() -> None:
    """What it is used for would not end either: `replace` ends what it is used for then."""
    fetched, answers = anyio.Event(), list[Caller | None]()

    class Slow(OneKey):
        async def key(self, key_id: str) -> Any:
            await fetched.wait()
            return await super().key(key_id)

    found = bearers(keys=Slow)

    async def verify() -> None:
        answers.append(await caller(found, signed()))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(verify)
        await anyio.wait_all_tasks_blocked()
        found.replace(HttpSettings())
        fetched.set()

    assert answers == [None]


async def test_a_signed_token_stands_for_issuer_and_subject_with_the_roles_of_its_groups() -> None:
    assert await caller(bearers(), signed(groups=["team", "all", "other", 5])) == Caller(
        "https://id.example|ann", ("admin", "dev")
    )
    assert await caller(bearers(), signed(groups=None)) == Caller("https://id.example|ann", ("user",))


async def test_the_same_subject_of_two_issuers_is_two_callers() -> None:
    ours = bearers(TokenSettings(name="ann", sha256=digest("t1")))
    assert await caller(ours, "t1") != await caller(ours, signed())


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(lambda: signed(exp=time.time() - 60), id="over"),
        pytest.param(lambda: signed(exp=None), id="without an end"),
        pytest.param(lambda: signed(sub=None), id="for nobody"),
        pytest.param(lambda: signed(aud="another"), id="for another server"),
        pytest.param(lambda: signed(aud=None), id="for no server"),
        pytest.param(lambda: signed(iss="https://evil.example"), id="another issuer"),
        pytest.param(lambda: signed(nbf=time.time() + 600), id="not yet"),
        pytest.param(lambda: signed(STRANGER), id="another key"),
        pytest.param(lambda: signed(headers={"kid": "k2"}), id="an unknown key"),
        pytest.param(lambda: signed(headers={}), id="no key named"),
        pytest.param(lambda: signed("x" * 64, algorithm="HS256"), id="another algorithm"),
        pytest.param(confused, id="the public key as a secret"),
        pytest.param(lambda: jwt.encode({"sub": "ann"}, "", "none", headers={"kid": "k1"}), id="no signature"),
        pytest.param(lambda: signed()[:-4] + "AAAA", id="a changed signature"),
        pytest.param(lambda: "a.b.c", id="garbage"),
        pytest.param(lambda: "\x00.\ud800.c", id="no text"),
        pytest.param(lambda: "x" * 20_000, id="too long"),
    ],
)
async def test_a_signed_token_that_is_not_good_is_for_nobody(token: Any) -> None:
    assert await caller(bearers(), token()) is None


async def test_where_the_issuer_cannot_be_asked_nobody_gets_in() -> None:
    assert await caller(bearers(keys=Unreachable), signed()) is None


async def test_clocks_may_differ_a_little() -> None:
    assert await caller(bearers(), signed(exp=time.time() - 10)) is not None
