"""The tools over HTTP and SSE, with real clients: every caller has a token, and nothing of another's."""

import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import anyio
import anyio.to_thread
import httpx
import pytest

from server.front.holdings import MOST_OPEN
from tests.end_to_end.http_rig import ANN, BOB, HttpServer, cli, over_sse, serving, serving_by, streamable, tokens
from tests.end_to_end.rig import Home, structured, text_of
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[HttpServer]:
    home = Home(folder, tokens(ann=ANN, bob=BOB))
    with serving(home) as made:
        yield made
    home.remove_images()


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_command_runs_and_its_session_is_named_by_an_unguessable_name(server: HttpServer, mode: str) -> None:
    async with streamable(server, ANN, mode) as client:
        first = await client.call_tool("shell", {"command": "echo one > kept; echo hello"})
        name = structured(first)["session"]
        second = await client.call_tool("shell", {"command": "cat kept", "session": name})
        other = await client.call_tool("shell", {"command": "ls"})

        assert structured(first)["stdout"] == "hello\n"
        assert name in text_of(first)
        assert len(name) >= len("s-") + 16
        assert structured(second)["stdout"] == "one\n"
        assert structured(other)["session"] != name
        for used in (name, structured(other)["session"]):
            await client.call_tool("session_close", {"session": used})


async def test_older_clients_are_served_over_sse(server: HttpServer) -> None:
    async with over_sse(server, ANN) as client:
        result = await client.call_tool("exec", {"argv": ["id", "-u"]})

        assert structured(result)["stdout"] == "1000\n"
        await client.call_tool("session_close", {"session": structured(result)["session"]})


@pytest.mark.promise("caller.known")
async def test_another_caller_never_learns_that_a_session_exists(server: HttpServer) -> None:
    async with streamable(server, ANN) as ann, streamable(server, BOB) as bob:
        await ann.call_tool("session_open", {"session": "work"})
        await ann.call_tool("shell", {"command": "echo secret > note; sleep 300", "session": "work", "wait_s": 0})

        absent = text_of(await bob.call_tool("job_output", {"session": "nothing-there"}))
        for tool, arguments in (
            ("job_output", {}),
            ("job_stop", {}),
            ("job_input", {"job": "j1", "text": "x"}),
            ("session_close", {}),
            ("session_snapshot", {"name": "mine"}),
        ):
            answer = await bob.call_tool(tool, {**arguments, "session": "work"})
            assert answer.is_error, tool
            assert text_of(answer) == absent.replace("nothing-there", "work"), tool
        listed = text_of(await bob.call_tool("session_list", {}))
        read = await bob.call_tool(
            "file_read", {"path": "note", "session": "work"}
        )  # a session of his own by that name

        assert "work" not in listed
        assert read.is_error
        await bob.call_tool("session_close", {"session": "work"})
        assert "work" in text_of(await ann.call_tool("session_list", {}))
        await ann.call_tool("session_close", {"session": "work"})


@pytest.mark.promise("caller.known")
async def test_another_callers_snapshot_does_not_exist(server: HttpServer) -> None:
    async with streamable(server, ANN) as ann, streamable(server, BOB) as bob:
        for client, word in ((ann, "hers"), (bob, "his")):
            await client.call_tool("session_open", {"session": "work"})
            await client.call_tool("shell", {"command": f"echo {word} > note", "session": "work"})
        assert not (await ann.call_tool("session_snapshot", {"name": "kept", "session": "work"})).is_error

        absent = text_of(await bob.call_tool("session_open", {"snapshot": "nothing-there"}))
        answer = await bob.call_tool("session_open", {"snapshot": "kept"})
        assert answer.is_error
        assert text_of(answer) == absent.replace("nothing-there", "kept")
        assert "kept" not in text_of(await bob.call_tool("session_list", {}))

        assert not (await bob.call_tool("session_snapshot", {"name": "kept", "session": "work"})).is_error
        for client, word in ((ann, "hers"), (bob, "his")):
            await client.call_tool("session_open", {"session": "fork", "snapshot": "kept"})
            read = await client.call_tool("file_read", {"path": "note", "session": "fork"})
            assert text_of(read) == f"{word}\n"
            for used in ("work", "fork"):
                await client.call_tool("session_close", {"session": used})


async def test_what_needs_a_session_says_so_where_none_is_named(server: HttpServer) -> None:
    async with streamable(server, ANN) as client:
        result = await client.call_tool("session_close", {})
    assert result.is_error
    assert "session_list" in text_of(result)


@pytest.mark.promise("caller.known")
@pytest.mark.parametrize("path", ["/mcp", "/sse", "/messages/"])
@pytest.mark.parametrize("token", [None, "wrong", ANN[:-1], "a.b.c", "x" * 20_000])
def test_nobody_gets_in_without_a_good_token(folder: Path, server: HttpServer, path: str, token: str | None) -> None:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=server.url, headers={**headers, "x-test": path}, timeout=PATIENCE_S) as client:
        ask = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        answer = client.get(path) if path == "/sse" else client.post(path, json=ask)
    assert answer.status_code in (401, 429)
    assert "bearer" in answer.headers.get("www-authenticate", "bearer").lower()


@pytest.mark.promise("caller.known")
async def test_failures_are_recorded_and_bounded_and_do_not_name_the_token(tmp_path: Path, folder: Path) -> None:
    home = Home(folder / "f", tokens(ann=ANN))
    home.folder.mkdir()
    with serving(home) as server:
        codes = [server.get("/mcp", Authorization="Bearer guess-123").status_code for _ in range(25)]
        async with streamable(server, ANN) as client:  # from the same address
            assert (await client.list_tools()).tools
        lines = home.audit("auth.refused")

    assert codes == [401] * 20 + [429] * 5
    assert len(lines) == 20
    assert {line["address"] for line in lines} == {"127.0.0.1"}
    assert "guess-123" not in (home.folder / "state/audit/audit.jsonl").read_text()


@pytest.mark.promise("caller.known")
@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "localhost.evil.example:80"}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost.evil.example"}, 403),
        ({"Origin": "http://localhost:3000"}, 200),
        ({"Host": "LOCALHOST:9999"}, 200),
    ],
)
def test_host_and_origin_are_checked_on_every_path(server: HttpServer, headers: dict[str, str], code: int) -> None:
    assert server.get("/healthz", **headers).status_code == code


@pytest.mark.promise("limits.fair")
def test_a_token_spelled_otherwise_is_no_other_caller(server: HttpServer) -> None:
    host, port = server.url.removeprefix("http://").split(":")

    def opened(held: ExitStack, scheme: str, token: str) -> tuple[bytes, bool]:
        """The status, and whether that was the last of the connection."""
        client = held.enter_context(socket.create_connection((host, int(port)), timeout=60))
        client.sendall(f"GET /sse HTTP/1.1\r\nHost: {host}\r\nAuthorization: {scheme} {token}\r\n\r\n".encode())
        said = client.recv(2000)
        return said[9:12], b"connection: close" in said

    with ExitStack() as held:
        for _ in range(MOST_OPEN // 2):
            assert opened(held, "Bearer", ANN) == opened(held, "bEARER", ANN) == (b"200", False)
        assert opened(held, "BEARER", ANN) == (b"429", True)
        assert opened(held, "Bearer", BOB) == (b"200", False)


@pytest.mark.promise("caller.known")
async def test_a_token_is_made_rotated_listed_and_revoked_while_the_server_runs(folder: Path) -> None:
    home = Home(folder / "t")
    home.folder.mkdir()
    first = cli(home, "token", "new", "carl", "--role", "dev", "--days", "30").stdout.strip()
    with serving(home) as server:

        def gets_in(token: str) -> bool:
            """Asked often enough, an address without a good token is told to wait, which is no entry either."""
            code = server.get("/mcp", Authorization=f"Bearer {token}").status_code
            return code not in {httpx.codes.UNAUTHORIZED, httpx.codes.TOO_MANY_REQUESTS}

        assert gets_in(first)
        second = cli(home, "token", "new", "carl").stdout.strip()
        until(lambda: gets_in(second), "the new one is good")
        assert not gets_in(first)
        listed = cli(home, "token", "list").stdout
        with httpx.stream(
            "GET", f"{server.url}/sse", headers={"Authorization": f"Bearer {second}"}, timeout=PATIENCE_S
        ) as open_now:
            revoked = cli(home, "token", "revoke", "carl")
            with pytest.raises(httpx.RemoteProtocolError):  # closed in the middle
                open_now.read()
        until(lambda: not gets_in(second), "the revoked one is not")

    assert "carl" in listed
    assert second not in listed
    assert revoked.returncode == 0
    assert second not in (home.folder / ".config/sandgate/sandgate.toml").read_text()


READS_AND_THEN_SERVES = """
import anyio, sys
from server.front.http import Address, serve_http
from server.settings.files import Source, user_file

source = Source(None, {})
settings = source.read()
user_file().write_text("")
anyio.run(serve_http, settings, source, Address("127.0.0.1", int(sys.argv[1])))
"""


@pytest.mark.promise("caller.known")
def test_a_token_that_is_revoked_while_the_server_starts_is_not_good_for_long(folder: Path) -> None:
    home = Home(folder / "r", tokens(ann=ANN))
    home.folder.mkdir()
    with serving_by(home, lambda port: [sys.executable, "-c", READS_AND_THEN_SERVES, str(port)]) as server:
        until(lambda: server.get("/mcp", Authorization=f"Bearer {ANN}").status_code == httpx.codes.UNAUTHORIZED)
        until(lambda: home.audit("server.reloaded"), "the policy is not taken up")


def test_without_any_caller_it_does_not_start_and_says_what_to_do(folder: Path) -> None:
    home = Home(folder / "n")
    home.folder.mkdir()
    done = cli(home, "serve", "--http", "127.0.0.1:0")
    assert done.returncode == 1
    assert "sandgate token new" in done.stderr


@pytest.mark.promise("nothing.left")
async def test_a_server_told_to_end_leaves_nothing(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Whoever listens meanwhile is let go of, on whatever transport."""
    home = Home(folder / "e", tokens(ann=ANN))
    home.folder.mkdir()
    with serving(home) as server:
        async with (
            streamable(server, ANN) as client,
            streamable(server, ANN, "legacy") as older,
            over_sse(server, ANN) as oldest,
        ):
            await client.call_tool("shell", {"command": "sleep 300", "wait_s": 0})
            await older.list_tools()
            await oldest.list_tools()
            code = await anyio.to_thread.run_sync(server.end)
        home.wait_until_nothing_is_left()
    assert code == 0
    assert "Traceback" not in capfd.readouterr().err
