"""An issuer's public keys, from a real small server on loopback that counts how often it is asked."""

from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from server.front.issuer_keys import AGAIN_S, KEPT_S, IssuerKeys
from server.settings.http import JwtSettings
from tests.clock import Clock
from tests.issuer import Issuer, issuing

pytestmark = [pytest.mark.anyio, pytest.mark.asyncio_alone]


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as made:
        yield made


def keys_of(issuer: Issuer, clock: Clock, **more: Any) -> IssuerKeys:
    return IssuerKeys(JwtSettings(issuer=issuer.url, audience="a", **more), clock)


async def test_keys_are_found_by_the_issuers_own_configuration_and_kept(issuer: Issuer) -> None:
    keys = keys_of(issuer, Clock(1000.0))
    assert [await keys.key("k1") for _ in range(3)]
    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]


async def test_a_key_that_is_not_there_is_asked_for_again_but_seldom(issuer: Issuer) -> None:
    clock = Clock(1000.0)
    keys = keys_of(issuer, clock, jwks_url=f"{issuer.url}/keys")
    for _ in range(50):
        with pytest.raises(KeyError):
            await keys.key("k2")
    assert issuer.asked == ["/keys"]
    issuer.make("k2")
    clock.now += AGAIN_S + 1
    assert await keys.key("k2")
    assert issuer.asked == ["/keys"] * 2


async def test_keys_that_somebody_no_longer_waits_for_are_fetched_for_the_next(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a browser that leaves a page meanwhile: all signed tokens were refused for half a minute."""
    keys = keys_of(issuer, Clock(1000.0))
    with monkeypatch.context() as slow:
        slow.setattr("server.front.issuer_keys._fetched", lambda _: anyio.sleep_forever())
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(keys.key, "k1")
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()

    assert await keys.key("k1")


async def test_a_key_that_was_withdrawn_is_not_believed_for_ever(issuer: Issuer) -> None:
    clock = Clock(1000.0)
    keys = keys_of(issuer, clock, jwks_url=f"{issuer.url}/keys")
    await keys.key("k1")
    issuer.keys.clear()
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
        await keys_of(issuer, Clock(1000.0), jwks_url=f"{issuer.url}/keys").key("k1")
