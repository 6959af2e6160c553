"""A client that only drops its connection: what goes on, what ends, and what nobody else can take up from there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.end_to_end.http_rig import ANN, BOB, HttpServer, serving, tokens
from tests.end_to_end.rig import Home
from tests.waiting import PATIENCE_S, until

ABOUT = {"name": "dropper", "version": "1"}


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[HttpServer]:
    home = Home(folder, 'environment = "base"\n' + tokens(ann=ANN, bob=BOB))
    with serving(home) as made:
        yield made
    home.remove_images()


@contextmanager
def client_of(server: HttpServer, token: str, **headers: str) -> Iterator[httpx.Client]:
    sent = {"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream", **headers}
    with httpx.Client(base_url=server.url, headers=sent, timeout=PATIENCE_S) as client:
        yield client


def asked(method: str, number: int | None = None, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": params, **({} if number is None else {"id": number})}


def sleeping(mark: str, long: int, **more: Any) -> dict[str, Any]:
    given = {"command": f"echo begun; exec -a {mark} sleep {long}", "session": mark, "timeout_s": 60}
    return asked("tools/call", 2, name="shell", arguments=given, **more)


def opening(version: str) -> dict[str, Any]:
    return asked("initialize", 1, protocolVersion=version, capabilities={}, clientInfo=ABOUT)


def session_of(client: httpx.Client) -> dict[str, str]:
    """An MCP session of the older era over HTTP; the header that names it."""
    found = {"Mcp-Session-Id": client.post("/mcp", json=opening("2025-11-25")).headers["mcp-session-id"]}
    assert (
        client.post("/mcp", json=asked("notifications/initialized"), headers=found).status_code == httpx.codes.ACCEPTED
    )
    return found


def ends(server: HttpServer, mark: str) -> list[str]:
    decisions = {line["decision_id"] for line in server.home.audit("call.started") if line["session"] == mark}
    ended = server.home.audit("sandbox.job_ended")
    return [line["status"] for line in ended if line["decision_id"] in decisions]


def told(stream: Iterator[str], word: str) -> str:
    return next(line for line in stream if word in line)


def test_over_http_in_the_older_era_a_dropped_connection_is_no_cancellation(server: HttpServer) -> None:
    """As its specification says; the call runs to its end."""
    with client_of(server, ANN) as client:
        session = session_of(client)
        call = sleeping("older", 2, _meta={"progressToken": "p"})
        with client.stream("POST", "/mcp", json=call, headers=session) as answer:
            told(answer.iter_lines(), "begun")
    until(lambda: bool(ends(server, "older")), "it has ended")
    assert ends(server, "older") == ["exited"]


def test_over_http_in_the_newer_era_it_is(server: HttpServer) -> None:
    about = {"protocolVersion": "2026-07-28", "clientCapabilities": {}, "clientInfo": ABOUT}
    meta = {f"io.modelcontextprotocol/{name}": value for name, value in about.items()}
    headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "shell"}
    with client_of(server, ANN, **headers) as client:
        call = sleeping("newer", 50, _meta={**meta, "progressToken": "p"})
        with client.stream("POST", "/mcp", json=call) as answer:
            told(answer.iter_lines(), "begun")
    until(lambda: bool(ends(server, "newer")), "it has ended")
    assert ends(server, "newer") == ["cancelled"]


def test_over_sse_the_session_is_the_stream_and_ends_with_it(server: HttpServer) -> None:
    with client_of(server, ANN) as client:
        with client.stream("GET", "/sse") as events:
            lines = events.iter_lines()
            endpoint = told(lines, "data: /").removeprefix("data: ")
            client.post(endpoint, json=opening("2024-11-05"))
            told(lines, '"id":1')
            client.post(endpoint, json=asked("notifications/initialized"))
            client.post(endpoint, json=sleeping("stream", 50, _meta={"progressToken": "p"}))
            told(lines, "begun")
        until(lambda: bool(ends(server, "stream")), "it has ended")
        assert ends(server, "stream") == ["cancelled"]
        assert client.post(endpoint, json=asked("ping", 3)).status_code == httpx.codes.NOT_FOUND


@pytest.mark.promise("caller.known")
def test_a_stream_is_taken_up_by_its_caller_and_for_anybody_else_is_not_there(server: HttpServer) -> None:
    """A session of the protocol and the stream of SSE alike: another's is as absent as one that never was."""
    with client_of(server, ANN) as ann, client_of(server, BOB) as bob:
        session = session_of(ann)
        resuming = {**session, "Last-Event-ID": "1"}
        never = bob.get("/mcp", headers={"Mcp-Session-Id": "0" * 32, "Last-Event-ID": "1"})
        for answer in (
            bob.get("/mcp", headers=resuming),
            bob.post("/mcp", json=asked("tools/list", 2), headers=session),
            bob.delete("/mcp", headers=session),
        ):
            assert (answer.status_code, answer.json()["error"]) == (never.status_code, never.json()["error"])
        with ann.stream("GET", "/mcp", headers=session) as own:
            assert own.status_code == httpx.codes.OK

        with ann.stream("GET", "/sse") as events:
            lines = events.iter_lines()  # held: what is dropped is closed
            endpoint = told(lines, "data: /").removeprefix("data: ")
            guessed = bob.post("/messages/?session_id=" + "0" * 32, json=asked("ping", 3))
            taken = bob.post(endpoint, json=asked("ping", 3))
            assert (taken.status_code, taken.text) == (guessed.status_code, guessed.text)
            assert ann.post(endpoint, json=opening("2024-11-05")).status_code == httpx.codes.ACCEPTED
