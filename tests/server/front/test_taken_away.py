"""What is under way with a token when it is taken away, and what of it ends."""

from datetime import date
from typing import Any

import anyio
import pytest
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from starlette.types import Message, Receive, Scope, Send

from server.front.bearers import Bearers
from server.front.taken_away import WhileGood
from server.settings.http import HttpSettings, JwtSettings, TokenSettings, digest

pytestmark = [pytest.mark.anyio, pytest.mark.promise("caller.known")]
ANN, BOB = (TokenSettings(name=name, sha256=digest(name)) for name in ("ann", "bob"))
ISSUER = JwtSettings(issuer="https://id.example", audience="sandgate")


class Keyless:
    async def key(self, key_id: str) -> Any:
        raise KeyError(key_id)


def bearers(*tokens: TokenSettings) -> Bearers:
    return Bearers(HttpSettings(tokens=tokens, jwt=ISSUER), lambda _: Keyless(), lambda: date(2030, 1, 1))


class Use:
    """One request with a token that goes on until it is ended, begun to be answered or not."""

    def __init__(self, good: Bearers, *, answers: bool) -> None:
        self.app, self.answers = WhileGood(self._app, bearers=good), answers
        self.good, self.sent = good, list[Message]()
        self.over = False

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.answers:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        await anyio.sleep_forever()

    async def __call__(self, token: str) -> None:
        access = await self.good.verify_token(token)
        scope: Scope = {"type": "http", "user": AuthenticatedUser(access) if access else None}
        await self.app(scope, self._receive, self._send)
        self.over = True

    async def _receive(self) -> Message:
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        self.sent.append(message)


async def test_what_a_token_is_used_for_ends_with_it_and_anothers_goes_on() -> None:
    good = bearers(ANN, BOB)
    streamed, waiting, other = (Use(good, answers=answers) for answers in (True, False, True))
    async with anyio.create_task_group() as tasks:
        for use, token in ((streamed, "ann"), (waiting, "ann"), (other, "bob")):
            tasks.start_soon(use, token)
        await anyio.wait_all_tasks_blocked()
        good.replace(HttpSettings(tokens=(BOB,), jwt=ISSUER))
        await anyio.wait_all_tasks_blocked()
        ended = [use.over for use in (streamed, waiting, other)]
        tasks.cancel_scope.cancel()

    assert ended == [True, True, False]
    assert [message.get("status") for message in streamed.sent] == [200]
    assert [message.get("status") for message in waiting.sent] == [401, None]


async def test_the_same_tokens_with_another_setting_end_nothing() -> None:
    good = bearers(ANN)
    use = Use(good, answers=True)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(use, "ann")
        await anyio.wait_all_tasks_blocked()
        good.replace(HttpSettings(tokens=(ANN, BOB), jwt=None))
        await anyio.wait_all_tasks_blocked()
        assert not use.over
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("issuer", [None, ISSUER, JwtSettings(issuer="https://other.example", audience="sandgate")])
async def test_a_signed_token_is_good_for_as_long_as_its_issuer_is_believed(issuer: JwtSettings | None) -> None:
    good = bearers(ANN)
    access = await good.verify_token("ann")
    assert access is not None
    with good.used(access.model_copy(update={"claims": {"iss": ISSUER.issuer, "roles": []}})) as use:
        good.replace(HttpSettings(jwt=issuer))
        assert use.cancel_called == (issuer != ISSUER)
