"""Signed tokens at a real server, from a small identity provider on loopback: found by its configuration, rotated, let go."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.end_to_end.http_rig import HttpServer, serving, streamable
from tests.end_to_end.rig import Home, structured, text_of
from tests.issuer import Issuer, issuing
from tests.waiting import PATIENCE_S

pytestmark = [pytest.mark.anyio, pytest.mark.promise("caller.known")]
SETTINGS = """
environment = "base"
[http.jwt]
issuer = "{url}"
audience = "sandgate"
roles = {{"night-shift" = "auditor"}}
"""


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with issuing() as made:
        yield made


@pytest.fixture(scope="module")
def server(folder: Path, issuer: Issuer) -> Iterator[HttpServer]:
    home = Home(folder, SETTINGS.format(url=issuer.url))
    with serving(home) as made:
        yield made
    home.remove_images()


async def test_a_call_is_its_subjects_and_so_is_the_session(server: HttpServer, issuer: Issuer) -> None:
    async with (
        streamable(server, issuer.signed("ann")) as ann,
        streamable(server, issuer.signed("ann", iat=time.time())) as later,
        streamable(server, issuer.signed("bob")) as bob,
    ):
        ran = await ann.call_tool("shell", {"command": "echo hers > note; cat note", "session": "work"})
        again = await later.call_tool("file_read", {"path": "note", "session": "work"})
        absent = text_of(await bob.call_tool("job_output", {"session": "nothing-there"}))
        other = text_of(await bob.call_tool("job_output", {"session": "work"}))

    assert structured(ran)["stdout"] == text_of(again) == "hers\n"
    assert other == absent.replace("nothing-there", "work")
    assert {line["caller"] for line in server.home.audit("call.started") if line["session"] == "work"} == {
        f"{issuer.url}|ann",
        f"{issuer.url}|bob",
    }
    assert issuer.asked[:2] == ["/.well-known/openid-configuration", "/keys"]


def test_a_group_is_a_role_and_a_role_opens_what_it_names(server: HttpServer, issuer: Issuer) -> None:
    def metrics(**claims: Any) -> int:
        return server.get("/metrics", Authorization=f"Bearer {issuer.signed('eve', **claims)}").status_code

    assert metrics(groups=["night-shift"]) == httpx.codes.OK
    assert metrics(groups=["day-shift"]) == metrics() == httpx.codes.FORBIDDEN


def test_guessed_keys_do_not_make_it_ask_the_issuer_each_time(server: HttpServer, issuer: Issuer) -> None:
    server.get("/mcp", Authorization=f"Bearer {issuer.signed('ann')}")
    before = len(issuer.asked)
    issuer.make("new")
    codes = {
        server.get("/mcp", Authorization=f"Bearer {issuer.signed('ann', key='new')}").status_code for _ in range(5)
    }

    assert codes == {
        httpx.codes.UNAUTHORIZED
    }  # until it may ask again: AGAIN_S, tests/server/front/test_issuer_keys.py
    assert len(issuer.asked) <= before + 2


def test_whoever_has_no_token_is_told_where_one_comes_from(server: HttpServer, issuer: Issuer) -> None:
    refused = server.get("/mcp")
    where = refused.headers["www-authenticate"].partition('resource_metadata="')[2].partition('"')[0]
    told = httpx.get(where, timeout=PATIENCE_S).json()

    assert refused.status_code == httpx.codes.UNAUTHORIZED
    assert told["resource"] == f"{server.url}/mcp"
    assert [url.rstrip("/") for url in told["authorization_servers"]] == [issuer.url]
