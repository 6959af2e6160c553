"""Signed tokens at a real server, from a small identity provider on loopback: found by its configuration, rotated, let go."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from tests.end_to_end.http_rig import HttpServer, serving, streamable
from tests.end_to_end.rig import Home, structured, text_of

pytestmark = [pytest.mark.anyio, pytest.mark.promise("caller.known")]
SETTINGS = """
environment = "base"
[http.jwt]
issuer = "{url}"
audience = "sandgate"
roles = {{"night-shift" = "auditor"}}
"""


class Issuer(BaseHTTPRequestHandler):
    keys: dict[str, Any]
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        public = [
            {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": name, "alg": "RS256", "use": "sig"}
            for name, key in self.keys.items()
        ]
        here = f"http://127.0.0.1:{self.server.server_port}"  # type: ignore[attr-defined]  # an HTTPServer
        known = {
            "/.well-known/openid-configuration": {"issuer": here, "jwks_uri": f"{here}/keys"},
            "/keys": {"keys": public},
        }
        body = json.dumps(known[self.path]).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def issuer() -> Iterator[type[Issuer]]:
    class Ours(Issuer):
        keys = {"k1": rsa.generate_private_key(65537, 2048)}  # noqa: RUF012 - one class for one server
        asked: list[str] = []  # noqa: RUF012
        url = ""

    with ThreadingHTTPServer(("127.0.0.1", 0), Ours) as listening:
        Ours.url = f"http://127.0.0.1:{listening.server_port}"
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield Ours
        listening.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def server(folder: Path, issuer: Any) -> Iterator[HttpServer]:
    home = Home(folder, SETTINGS.format(url=issuer.url))
    with serving(home) as made:
        yield made
    home.remove_images()


def signed(issuer: Any, subject: str, key: str = "k1", **more: Any) -> str:
    claims = {"iss": issuer.url, "aud": "sandgate", "sub": subject, "exp": time.time() + 300, **more}
    return jwt.encode(claims, issuer.keys[key], "RS256", headers={"kid": key})


async def test_a_call_is_its_subjects_and_so_is_the_session(server: HttpServer, issuer: Any) -> None:
    async with (
        streamable(server, signed(issuer, "ann")) as ann,
        streamable(server, signed(issuer, "ann", iat=time.time())) as later,
        streamable(server, signed(issuer, "bob")) as bob,
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


def test_a_group_is_a_role_and_a_role_opens_what_it_names(server: HttpServer, issuer: Any) -> None:
    def metrics(**claims: Any) -> int:
        return server.get("/metrics", Authorization=f"Bearer {signed(issuer, 'eve', **claims)}").status_code

    assert metrics(groups=["night-shift"]) == httpx.codes.OK
    assert metrics(groups=["day-shift"]) == metrics() == httpx.codes.FORBIDDEN


def test_guessed_keys_do_not_make_it_ask_the_issuer_each_time(server: HttpServer, issuer: Any) -> None:
    server.get("/mcp", Authorization=f"Bearer {signed(issuer, 'ann')}")
    before = len(issuer.asked)
    issuer.keys["new"] = rsa.generate_private_key(65537, 2048)
    codes = {
        server.get("/mcp", Authorization=f"Bearer {signed(issuer, 'ann', key='new')}").status_code for _ in range(5)
    }

    assert codes == {
        httpx.codes.UNAUTHORIZED
    }  # until it may ask again: AGAIN_S, tests/server/front/test_issuer_keys.py
    assert len(issuer.asked) <= before + 2


def test_whoever_has_no_token_is_told_where_one_comes_from(server: HttpServer, issuer: Any) -> None:
    refused = server.get("/mcp")
    where = refused.headers["www-authenticate"].partition('resource_metadata="')[2].partition('"')[0]
    told = httpx.get(where, timeout=30).json()

    assert refused.status_code == httpx.codes.UNAUTHORIZED
    assert told["resource"] == f"{server.url}/mcp"
    assert [url.rstrip("/") for url in told["authorization_servers"]] == [issuer.url]
