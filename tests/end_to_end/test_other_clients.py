"""The same steps by clients of other makers, over each transport: run, be refused, be asked, cancel, time out.

A few of all combinations run with every test; the rest is soak.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.client_programs import client, printed
from tests.end_to_end.http_rig import ANN, HttpServer, serving, tokens
from tests.end_to_end.rig import Home, until
from tests.installed import CLIENTS, node, node_modules

OLD, NEW = "2025-11-25", "2026-07-28"
TRANSPORTS = ("stdio", "http", "sse")
TOLD, SILENT = ["cancelled", "cancelled"], ["timed_out", "timed_out"]  # by the client that gave up, or by no one


@dataclass(frozen=True, slots=True)
class Reach:
    """The rest of a client's command line: how it gets to the server; and where that one writes its record."""

    words: list[str]
    home: Home


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[HttpServer]:
    approver = tokens(ann=ANN) + 'roles = ["user", "approver"]\n'  # who is asked in the client
    home = Home(folder / "h", approver)
    home.folder.mkdir()
    with serving(home) as made:
        yield made
    home.remove_images()


@pytest.fixture(scope="module")
def alone(folder: Path) -> Iterator[Home]:
    """Where servers on stdio live, one after the other."""
    home = Home(folder / "s")
    home.folder.mkdir()
    yield home
    home.remove_images()


@pytest.fixture
def reach(request: pytest.FixtureRequest, kind: str) -> Reach:
    if kind == "stdio":
        home: Home = request.getfixturevalue("alone")
        return Reach([kind, *home.argv], home)
    server: HttpServer = request.getfixturevalue("server")
    return Reach([kind, f"{server.url}/{'mcp' if kind == 'http' else 'sse'}", ANN], server.home)


def answer(name: str, mode: str, reach: Reach) -> dict[str, Any]:
    """What a client program printed after its session with the real server."""
    return dict(json.loads(printed(reach.home, [*client(name), mode, *reach.words]).splitlines()[-1]))


def given_up(home: Home) -> list[str]:
    """How the commands ended that did not end by themselves."""
    return [line["status"] for line in home.audit("sandbox.job_ended") if line["status"] != "exited"]


QUICK = {
    ("py_v1", "legacy", "stdio"),
    ("ts_v1", "legacy", "stdio"),
    ("ts_v2", "auto", "http"),
}
CLIENTS_THAT_STEP = [
    ("py_v1", "legacy", OLD, SILENT),  # it gives up without a word, so the command runs to its own deadline
    ("py_v2", "legacy", OLD, TOLD),
    ("py_v2", "auto", NEW, TOLD),
    ("fastmcp", "legacy", OLD, TOLD),
    ("fastmcp", "auto", NEW, TOLD),
    ("ts_v1", "legacy", OLD, TOLD),
    ("ts_v2", "legacy", OLD, TOLD),
    ("ts_v2", "auto", NEW, TOLD),
]


@pytest.mark.parametrize(
    ("name", "mode", "protocol", "ends", "kind"),
    [
        pytest.param(*row, kind, marks=() if (*row[:2], kind) in QUICK else pytest.mark.soak)
        for row in CLIENTS_THAT_STEP
        for kind in TRANSPORTS
    ],
)
def test_a_client_runs_is_refused_asked_cancels_and_times_out(
    reach: Reach, name: str, mode: str, protocol: str, ends: list[str], kind: str
) -> None:
    before = len(given_up(reach.home)) if (reach.home.folder / "state").exists() else 0
    found = answer(name, mode, reach)

    assert found["protocol"] == (OLD if (name, kind) == ("fastmcp", "sse") else protocol)
    assert found["tools"][:2] == ["shell", "exec"]
    assert (found["ran"]["status"], found["ran"]["exit_code"], found["ran"]["stdout"]) == ("exited", 3, "one\ntwo\n")
    assert "one" in found["progress"]
    is_error, said = found["refused"]
    assert is_error
    assert "privilege.tools" in said
    assert "git push; echo went on" in "".join(found["asked"])
    is_error, said = found["allowed"]
    assert not is_error
    assert "went on" in said
    assert found["gone"] == [True, True]
    until(lambda: len(given_up(reach.home)) >= before + len(ends), "both ends are recorded")
    assert given_up(reach.home)[before:] == ends


@pytest.mark.soak
@pytest.mark.parametrize("kind", TRANSPORTS)
@pytest.mark.parametrize("name", ["agents_sdk", "langchain_client"])
def test_an_agent_of_a_framework_runs_is_refused_and_goes_on(reach: Reach, name: str, kind: str) -> None:
    found = answer(name, "legacy", reach)

    ran, refused, third = found["outputs"]
    assert found["tools"][:2] == ["shell", "exec"]
    assert r"one\ntwo\n[exit code 3]" in ran.replace("\\\\", "\\")
    assert "privilege.tools" in refused
    assert found["said"] == "done"
    if name == "langchain_client":
        assert "one" in found["progress"]
        assert "git push; echo went on" in "".join(found["asked"])
        assert "went on" in third
    else:
        assert "slept" in third  # it takes longer than the SDK waits where it is not told otherwise


@pytest.mark.soak
@pytest.mark.parametrize(
    ("kind", "era"), [("stdio", "legacy"), ("http", "legacy"), ("http", "modern"), ("sse", "legacy")]
)
def test_the_inspector_lists_without_objection_and_calls(reach: Reach, kind: str, era: str) -> None:
    program = node_modules() / "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"
    inspector = [node(), str(program), "--cli"]
    era_words = ["--protocol-era", era]
    _, *rest = reach.words
    call = ["--method", "tools/call", "--tool-name", "shell", "--tool-arg", "command=echo one; exit 3"]
    listing = ["--method", "tools/list", "--strict"]
    if kind == "stdio":
        environ = [word for name, value in reach.home.environ.items() for word in ("-e", f"{name}={value}")]
        listed, called = ([*inspector, *environ, *words, *era_words, "--", *rest] for words in (listing, call))
    else:
        reached = [rest[0], "--transport", kind, "--header", f"Authorization: Bearer {rest[1]}", *era_words]
        listed, called = ([*inspector, *reached, *words] for words in (listing, call))

    assert json.loads(printed(reach.home, listed))["tools"][0]["name"] == "shell"
    assert json.loads(printed(reach.home, called))["structuredContent"]["exit_code"] == 3


@pytest.mark.parametrize("kind", ["sse"])
def test_curl_alone_is_enough_over_sse(reach: Reach, kind: str) -> None:
    events = [
        json.loads(line)
        for line in printed(reach.home, ["sh", str(CLIENTS / "curl_sse.sh"), *reach.words[1:]]).splitlines()
        if line.startswith("{")
    ]

    answers = {event["id"]: event["result"] for event in events if "id" in event}
    assert answers[1]["protocolVersion"] == "2024-11-05"
    assert answers[2]["tools"][0]["name"] == "shell"
    assert answers[3]["structuredContent"]["exit_code"] == 3
    assert answers[4]["isError"]
    assert any(event.get("method") == "notifications/progress" for event in events)
