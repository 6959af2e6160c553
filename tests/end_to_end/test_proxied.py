"""Behind a real reverse proxy: who came, how, and by which name is the proxy's to say where it is trusted, and nobody else's."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.end_to_end.http_rig import ANN, HttpServer, over_sse, serving, streamable, tokens
from tests.end_to_end.rig import Home, heard_while_it_runs
from tests.free_port import free_port
from tests.waiting import PATIENCE_S, until

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.promise("caller.known"),
    pytest.mark.skipif(NGINX is None, reason="needs nginx (Debian: nginx-light)"),
]
PUBLIC = "https://sandgate.example"
SETTINGS = f"""
environment = "base"
[http]
public_url = "{PUBLIC}"
trusted_proxies = ["127.0.0.2"]
"""
# As a proxy with TLS before it says it; what a client said itself is kept in front of what nginx adds.
CONFIG = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass {url};
      proxy_bind {source};
      proxy_http_version 1.1;
      proxy_buffering off;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto https;
    }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Behind:
    """The server, and the two proxies before it."""

    server: HttpServer
    trusted: HttpServer
    stranger: HttpServer


@contextmanager
def proxied(folder: Path, server: HttpServer, source: str) -> Iterator[HttpServer]:
    """nginx, which comes to the server from that address; as a server of its own."""
    folder.mkdir()
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, port=port, url=server.url, source=source))
    with subprocess.Popen([str(NGINX), "-p", str(folder), "-c", str(config)]) as process:
        found = HttpServer(server.home, f"http://127.0.0.1:{port}", process)
        try:
            until(found.answers, "nginx hands on")
            yield found
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def behind(folder: Path) -> Iterator[Behind]:
    home = Home(folder / "h", SETTINGS + tokens(ann=ANN))
    home.folder.mkdir()
    with (
        serving(home) as server,
        proxied(folder / "t", server, "127.0.0.2") as trusted,
        proxied(folder / "s", server, "127.0.0.3") as stranger,
    ):
        yield Behind(server, trusted, stranger)
    home.remove_images()


def get(server: HttpServer, path: str, **headers: str) -> int:
    """From an address of the client's own."""
    with httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.9"), timeout=PATIENCE_S) as client:
        return client.get(server.url + path, headers=headers).status_code


@pytest.mark.parametrize(
    ("by", "address"), [("trusted", "127.0.0.9"), ("stranger", "127.0.0.3"), ("server", "127.0.0.9")]
)
def test_who_came_is_whom_the_trusted_proxy_saw_whatever_the_client_says(behind: Behind, by: str, address: str) -> None:
    before = len(behind.server.home.audit("auth.refused"))
    spoofed = {"X-Forwarded-For": "203.0.113.7", "Authorization": "Bearer guess"}

    assert get(getattr(behind, by), "/mcp", **spoofed) == httpx.codes.UNAUTHORIZED
    assert [line["address"] for line in behind.server.home.audit("auth.refused")[before:]] == [address]


@pytest.mark.parametrize(("by", "code"), [("trusted", 200), ("stranger", 403), ("server", 403)])
def test_how_it_came_is_the_trusted_proxys_to_say(behind: Behind, by: str, code: int) -> None:
    page = {"Host": "localhost", "Origin": "https://localhost", "X-Forwarded-Proto": "https"}
    assert get(getattr(behind, by), "/healthz", **page) == code


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Host": "sandgate.example"}, 200),
        ({"Host": "sandgate.example", "Origin": PUBLIC}, 200),
        ({"Host": "sandgate.example", "Origin": "https://evil.example"}, 403),
        ({"Host": "evil.example"}, 421),
        ({"Host": "localhost", "X-Forwarded-Host": "evil.example"}, 200),
    ],
)
def test_host_and_origin_are_checked_behind_it_as_before_it(behind: Behind, headers: dict[str, str], code: int) -> None:
    assert get(behind.trusted, "/healthz", **headers) == code


@pytest.mark.parametrize("reach", [streamable, over_sse])
async def test_calls_and_their_progress_come_through_it(behind: Behind, reach: Any) -> None:
    async with reach(behind.trusted, ANN) as client:
        stdout = await heard_while_it_runs(client, "echo one", "one", session="work")

    assert stdout == "one\nheard\n"
