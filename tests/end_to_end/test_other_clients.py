"""The same steps by clients of other makers, over each transport: run, be refused, be asked, cancel, time out.

Each has a session of its own, so they play side by side: their commands mostly wait.
"""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.client_programs import client, inspected, printed
from tests.end_to_end.http_rig import ANN, HttpServer, serving, tokens
from tests.end_to_end.rig import Home
from tests.installed import CLIENTS
from tests.waiting import until

pytestmark = pytest.mark.timeout(300)  # the first of them waits for what is installed

OLD, NEW = "2025-11-25", "2026-07-28"
TRANSPORTS = ("stdio", "http", "sse")
TOLD, SILENT = ["cancelled", "cancelled"], ["timed_out", "timed_out"]  # by the client that gave up, or by no one
AT_ONCE = 5
SETTINGS = """
environment = "base"
[sandbox]
idle = 0
[limits]
calls_per_second = 1000
burst = 1000
sessions = 64
sessions_each = 64
"""


@dataclass(frozen=True, slots=True)
class Play:
    """One client on one transport, with a session of that name."""

    name: str
    mode: str
    kind: str

    def __str__(self) -> str:
        return f"{self.name}-{self.mode}-{self.kind}"

    def reach(self, stage: "Stage") -> list[str]:
        """How it gets to the server: the rest of its command line."""
        if self.kind == "stdio":
            return [self.kind, *stage.alone.argv]
        return [self.kind, f"{stage.server.url}/{'mcp' if self.kind == 'http' else 'sse'}", ANN]

    def printed(self, stage: "Stage") -> str:
        home, reach = stage.home(self.kind), self.reach(stage)
        if self.name == "inspector":
            return inspected(home, self.mode, str(self), reach)
        if self.name == "curl":
            return printed(home, ["sh", str(CLIENTS / "curl_sse.sh"), *reach[1:], str(self)])
        return printed(home, [*client(self.name), self.mode, str(self), *reach])


@dataclass(frozen=True, slots=True)
class Stage:
    """A server for all who come over HTTP or SSE, and the state that servers on stdio share."""

    server: HttpServer
    alone: Home

    def home(self, kind: str) -> Home:
        return self.alone if kind == "stdio" else self.server.home


@pytest.fixture(scope="module")
def stage(folder: Path) -> Iterator[Stage]:
    approver = tokens(ann=ANN) + 'roles = ["user", "approver"]\n'  # who is asked in the client
    homes = Home(folder / "h", SETTINGS + approver), Home(folder / "s", SETTINGS)
    for home in homes:
        home.folder.mkdir()
        home.write_settings()  # before several at once would
    with serving(homes[0]) as server:
        yield Stage(server, homes[1])
    for home in homes:
        if (home.folder / "state").exists():
            home.remove_images()


@pytest.fixture(scope="module")
def played(request: pytest.FixtureRequest, stage: Stage) -> Iterator[Mapping[Play, Future[str]]]:
    """What each of them printed, begun in the order in which the tests look at it."""
    chosen = [item.callspec.params["play"] for item in request.session.items if item.path == request.path]  # type: ignore[attr-defined]  # all are parametrized
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {play: pool.submit(play.printed, stage) for play in chosen}
        pool.shutdown(cancel_futures=True)


def answer(played: Mapping[Play, Future[str]], play: Play) -> dict[str, Any]:
    return dict(json.loads(played[play].result().splitlines()[-1]))


def given_up(stage: Stage, play: Play) -> list[str]:
    """How the commands of its session ended that did not end by themselves."""
    home = stage.home(play.kind)
    decisions = {line["decision_id"] for line in home.audit("call.started") if line["session"] == str(play)}
    ended = [line for line in home.audit("sandbox.job_ended") if line["decision_id"] in decisions]
    return [line["status"] for line in ended if line["status"] != "exited"]


def each(*rows: tuple[Any, ...], kinds: tuple[str, ...] = TRANSPORTS) -> list[Any]:
    """(name, mode, what is expected of it...) over each transport."""
    plays = [(Play(name, mode, kind), *more) for name, mode, *more in rows for kind in kinds]
    return [pytest.param(*values, id=str(values[0])) for values in plays]


@pytest.mark.parametrize("play", each(("agents_sdk", "legacy"), ("langchain_client", "legacy")))
def test_an_agent_of_a_framework_runs_is_refused_goes_on_cancels_and_times_out(
    played: Mapping[Play, Future[str]], stage: Stage, play: Play
) -> None:
    found = answer(played, play)

    ran, refused, *third = found["outputs"]
    assert found["tools"][:2] == ["shell", "exec"]
    assert r"one\ntwo\n[exit code 3]" in ran.replace("\\\\", "\\")
    assert "privilege.tools" in refused
    assert found["said"] == "done"
    assert found["gone"] == [True, True]
    assert any(said in found["late"][0] for said in ("Timed out", "An error occurred"))
    until(lambda: len(given_up(stage, play)) >= len(SILENT), "both ends are recorded")
    assert given_up(stage, play) == SILENT  # both stand on `mcp` 1.x
    if play.name == "langchain_client":
        assert "one" in found["progress"]
        assert "git push; echo went on" in "".join(found["asked"])
        assert "went on" in third[0]
    else:
        assert found["went_on"] == "done"


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


@pytest.mark.parametrize(("play", "protocol", "ends"), each(*CLIENTS_THAT_STEP))
def test_a_client_runs_is_refused_asked_cancels_and_times_out(
    played: Mapping[Play, Future[str]], stage: Stage, play: Play, protocol: str, ends: list[str]
) -> None:
    found = answer(played, play)

    assert found["protocol"] == (OLD if (play.name, play.kind) == ("fastmcp", "sse") else protocol)
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
    until(lambda: len(given_up(stage, play)) >= len(ends), "both ends are recorded")
    assert given_up(stage, play) == ends


@pytest.mark.parametrize("play", each(("inspector", "legacy")) + each(("inspector", "modern"), kinds=("http",)))
def test_the_inspector_lists_without_objection_and_calls(played: Mapping[Play, Future[str]], play: Play) -> None:
    listed, called = played[play].result().splitlines()

    assert json.loads(listed)["result"]["tools"][0]["name"] == "shell"
    assert json.loads(called)["result"]["structuredContent"]["exit_code"] == 3


@pytest.mark.parametrize("play", each(("curl", "oldest"), kinds=("sse",)))
def test_curl_alone_is_enough_over_sse(played: Mapping[Play, Future[str]], stage: Stage, play: Play) -> None:
    events = [json.loads(line) for line in played[play].result().splitlines() if line.startswith("{")]

    answers = {event["id"]: event["result"] for event in events if "result" in event}
    assert answers[1]["protocolVersion"] == "2024-11-05"
    assert answers[2]["tools"][0]["name"] == "shell"
    assert answers[3]["structuredContent"]["exit_code"] == 3
    assert answers[5]["isError"]
    assert any(event.get("method") == "notifications/progress" for event in events)
    until(lambda: given_up(stage, play) == ["cancelled"], "the call that it cancelled has ended")
