"""TLS by certificate files, a proxy that is trusted and one that is not, and an end that waits for nobody."""

import re
import select
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from server.front.http import MOST_CONNECTIONS, check_certificate
from server.ops.process_memory import peak_mb
from server.settings.http import HttpSettings
from server.settings.settings import BadSettings
from tests.end_to_end.http_rig import ANN, HttpServer, cli, serving, streamable, tokens
from tests.end_to_end.rig import Home
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def certificate(folder: Path) -> tuple[Path, Path]:
    """For localhost, signed by itself; and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert_file, key_file


@pytest.fixture
def home(own_folder: Path) -> Home:
    return Home(own_folder)


def with_settings(home: Home, text: str) -> Home:
    return Home(home.folder, f"[http]\n{text}\n{tokens(ann=ANN)}")


def test_with_a_certificate_it_speaks_tls_1_2_or_later_and_nothing_else(
    home: Home, certificate: tuple[Path, Path]
) -> None:
    cert, key = certificate
    trust = ssl.create_default_context(cafile=str(cert))
    with serving(with_settings(home, f'tls_cert = "{cert}"\ntls_key = "{key}"'), trust=trust) as server:
        port = int(server.url.rpartition(":")[2])
        with httpx.Client(verify=trust, base_url=f"https://localhost:{port}", timeout=PATIENCE_S) as client:
            assert client.get("/healthz").json() == {"status": "ok"}
            assert client.get("/mcp").status_code == 401
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"https://localhost:{port}/healthz", timeout=PATIENCE_S)
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://localhost:{port}/healthz", timeout=PATIENCE_S)
        old = ssl.create_default_context(cafile=str(cert))
        old.set_ciphers("DEFAULT:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"https://localhost:{port}/healthz", verify=old, timeout=PATIENCE_S)


def test_a_certificate_that_cannot_be_used_is_said_before_anything_is_served(
    home: Home, certificate: tuple[Path, Path]
) -> None:
    cert, key = certificate
    absent, garbage = home.folder / "none.pem", home.folder / "garbage.pem"
    garbage.write_text("nothing")
    for wrong in (HttpSettings(tls_cert=garbage, tls_key=key), HttpSettings(tls_cert=cert)):
        with pytest.raises(BadSettings, match="are no certificate"):
            check_certificate(wrong)
    made = with_settings(home, f'tls_cert = "{absent}"\ntls_key = "{key}"')
    made.write_settings()
    done = cli(made, "serve", "--http", "127.0.0.1:0")
    assert done.returncode == 1
    assert str(absent) in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.promise("caller.known")
@pytest.mark.parametrize(("proxies", "address"), [("", "127.0.0.1"), ('"127.0.0.0/8"', "203.0.113.7")])
def test_who_came_is_told_by_a_trusted_proxy_and_by_nobody_else(home: Home, proxies: str, address: str) -> None:
    with serving(with_settings(home, f"trusted_proxies = [{proxies}]")) as server:
        server.get("/mcp", **{"X-Forwarded-For": "203.0.113.7", "Authorization": "Bearer guess"})
        (line,) = server.home.audit("auth.refused")
    assert line["address"] == address


def test_a_server_at_any_free_port_says_at_which(home: Home) -> None:
    made = with_settings(home, "")
    program, *_ = made.argv
    argv = [program, "serve", "--http", "localhost:0"]
    with subprocess.Popen(argv, env=made.environ, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        said = next(found for line in process.stderr if (found := re.search(rb"serving MCP at (\S+)/mcp", line)))
        url = said[1].decode()
        until(lambda: HttpServer(made, url, process).answers(), "it answers there")
        process.terminate()
    assert process.returncode == 0


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[HttpServer]:
    """For what no server is the worse for."""
    place = folder / "lasting"
    place.mkdir()
    with serving(Home(place, tokens(ann=ANN))) as made:
        anyio.run(_use, made)  # it grows no more by itself
        yield made
    made.home.remove_images()


async def _use(server: HttpServer) -> None:
    async with streamable(server, ANN) as client:
        await client.call_tool("shell", {"command": "true", "session": "desk"})
        await client.call_tool("session_close", {"session": "desk"})


@pytest.fixture
def opened(home: Home) -> Iterator[tuple[HttpServer, ExitStack]]:
    with serving(with_settings(home, "")) as server, ExitStack() as stack:
        yield server, stack


@pytest.mark.promise("nothing.left")
async def test_it_ends_in_bounded_time_whatever_clients_hold_open(opened: tuple[HttpServer, ExitStack]) -> None:
    server, stack = opened
    host, port = server.url.removeprefix("http://").split(":")
    head = f"Host: {host}\r\nAuthorization: Bearer {ANN}\r\n"
    async with streamable(server, ANN) as client:
        await client.call_tool("shell", {"command": "sleep 300", "wait_s": 0, "session": "desk"})
        for said in (
            "",
            "GET / HTTP/1.1\r\n",
            f"GET /sse HTTP/1.1\r\n{head}\r\n",
            f"POST /mcp HTTP/1.1\r\n{head}Content-Length: 1000\r\nContent-Type: application/json\r\n\r\n" + "{",
            f"PUT /files/desk/a HTTP/1.1\r\n{head}Content-Length: 1000\r\n\r\nabc",
        ):
            sock = stack.enter_context(socket.create_connection((host, int(port))))
            sock.sendall(said.encode())
        assert server.end(signal.SIGTERM) == 0
    server.home.wait_until_nothing_is_left()


@pytest.mark.promise("limits.fair")
async def test_thousands_who_have_no_token_keep_nobody_out_who_has_one(home: Home) -> None:
    with serving(with_settings(home, 'trusted_proxies = ["127.0.0.1"]')) as server, ExitStack() as stack:
        host, port = server.url.removeprefix("http://").split(":")
        async with streamable(server, ANN) as client:  # on connections of its own, the first ones
            tools = (await client.list_tools()).tools
            for number in range(MOST_CONNECTIONS + 100):
                sock = stack.enter_context(socket.create_connection((host, int(port)), timeout=30))
                if number % 4 == 0:  # an answer keeps it open for longer than silence does
                    sock.sendall(f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            assert (await client.list_tools()).tools == tools
            async with streamable(server, ANN) as another:
                assert (await another.list_tools()).tools == tools
            assert server.get("/healthz").status_code == httpx.codes.OK


def flooded(url: str, head: bytes, piece: bytes) -> bytes:
    """What is answered to a request whose head has no end, of 16 MB at most."""
    host, port = url.removeprefix("http://").split(":")
    answer = bytearray()
    with socket.create_connection((host, int(port)), timeout=30) as sock, suppress(ConnectionError):
        sock.sendall(head)
        for _ in range((16 << 20) // len(piece)):
            sock.sendall(piece)
            if select.select([sock], [], [], 0)[0]:
                break
        while data := sock.recv(1 << 16):
            answer += data
    return bytes(answer)


@pytest.mark.parametrize(
    "piece",
    [b"X-A: b\r\n" * 1000, b"X-A: " + b"b" * 8192, b"X" * 8192],
    ids=["a million headers", "a header without end", "a name without end"],
)
def test_a_head_without_end_is_cut_short_and_held_nowhere(server: HttpServer, piece: bytes) -> None:
    grown = []
    for _ in range(6):
        before = peak_mb(server.process.pid)
        answer = flooded(server.url, b"GET /mcp HTTP/1.1\r\n", piece)
        assert not answer or answer.startswith(b"HTTP/1.1 400 "), answer[:60]
        grown.append(peak_mb(server.process.pid) - before)
    assert sum(grown[1:]) < 8  # the first of all requests has modules loaded
    assert server.get("/healthz").status_code == httpx.codes.OK


GARBAGE = [
    b"",
    b"garbage",
    b"\xff\xfe",
    b"null",
    b"[1]",
    b'{"jsonrpc":"2.0","id":1}',
    b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
    b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":' + b"9" * 5000 + b"}}",
    b'{"jsonrpc":"2.0","id":"\\ud800","method":"ping","params":[]}',
]


def test_what_is_no_message_is_answered_as_such_and_guessed_streams_are_not_there(server: HttpServer) -> None:
    sent = {"Authorization": f"Bearer {ANN}", "Accept": "application/json, text/event-stream"}
    with httpx.Client(base_url=server.url, headers=sent, timeout=PATIENCE_S) as client:
        for era in ("2025-11-25", "2026-07-28"):
            headers = {"content-type": "application/json", "mcp-protocol-version": era, "mcp-method": "ping"}
            for body in GARBAGE:
                answer = client.post("/mcp", content=body, headers=headers)
                assert answer.status_code == httpx.codes.BAD_REQUEST, (era, body[:40])
                assert answer.json()["error"]["code"] in (-32700, -32600, -32602), (era, body[:40])
        too_long = client.post("/mcp", content=b"x" * (9 << 20), headers=headers)
        guessed = [
            client.post("/messages/", params={"session_id": guess}, json={}).status_code
            for guess in ("0" * 32, "x", "", "../..", "\0")
        ]
        unknown = client.post("/mcp", content=b"{}", headers={**headers, "mcp-session-id": "0" * 32})
        assert client.get("/healthz").json() == {"status": "ok"}

    assert too_long.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE
    assert set(guessed) <= {400, 404}
    assert unknown.status_code in (400, 404)
