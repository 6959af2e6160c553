"""Whose snapshot is whose, and what is asked of the policy when one is used; the tools themselves over fakes."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest
from mcp.server.mcpserver import Context
from mcp.types import CallToolResult

from policy.verdict import Allow, Deny, Rule
from server.asks import Caller, RunAsk, Target
from server.front.errors import answering
from server.front.front import Front
from server.front.session_tools import SessionTools
from server.sandbox.jobs import Job
from server.sandbox.sandbox import Copy
from server.sandbox.snapshots import Snapshots
from tests.end_to_end.rig import text_of
from tests.fake_gateway import gateway
from tests.fakes import (
    DONE,
    SPEC,
    FakeImages,
    FakeSandbox,
    FakeSource,
    FixedJudge,
    snapshots,
)

pytestmark = pytest.mark.anyio


class Unheard:
    async def report_progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        """A client that gave no token."""


CTX = cast("Context[Any, Any]", Unheard())


@dataclass
class World:
    folder: Path
    source: FakeSource = field(default_factory=FakeSource)
    images: FakeImages = field(default_factory=FakeImages)
    judge: FixedJudge = field(default_factory=lambda: FixedJudge(Allow()))
    copies: tuple[Copy, ...] = ()

    def __post_init__(self) -> None:
        two = {"base": SPEC, "other": replace(SPEC, environment="other", copies=self.copies)}
        self.gateway = gateway(self.folder, judge=self.judge, source=self.source, environments=two)
        self.snapshots: Snapshots = snapshots(self.folder, self.images)

    def of(self, caller: str) -> SessionTools:
        return SessionTools(Front(self.gateway, lambda: Caller(caller), "other", "both", self.snapshots))

    async def kept(self, caller: str, *names: str) -> None:
        await self.gateway.sessions.open(caller, "default", "base", ())
        for name in names:
            await self.of(caller).session_snapshot(name, CTX)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def opened(tools: SessionTools, **arguments: Any) -> CallToolResult:
    return await answering(tools.session_open)(CTX, **arguments)


async def test_a_snapshot_is_opened_in_its_own_environment_and_asked_about_as_such(world: World) -> None:
    await world.kept("ann", "before")

    result = await opened(world.of("ann"), session="fork", snapshot="before")

    assert not result.is_error, text_of(result)
    (image,) = world.images.images
    assert world.source.wanted[-1][0].image == image
    asked = world.judge.asked[-1]
    assert (asked.tool, asked.session.environment) == ("session_open", "base")
    assert asked.call["snapshot"] == "before"


@pytest.mark.promise("session.alone")
async def test_another_callers_snapshot_does_not_exist(world: World) -> None:
    await world.kept("ann", "before")

    result = await opened(world.of("bob"), snapshot="before")

    assert result.is_error
    assert text_of(result) == "There is no snapshot 'before'; yours: none yet"
    assert len(world.source.wanted) == 1, "nothing was made for him"
    assert "before" not in text_of(await world.of("bob").session_list())
    assert "snapshot before: base, 0.0 MB" in text_of(await world.of("ann").session_list())


async def test_a_snapshot_in_another_environment_is_refused_with_the_right_one(world: World) -> None:
    await world.kept("ann", "before")

    result = await opened(world.of("ann"), snapshot="before", environment="other")

    assert text_of(result) == "Snapshot before is of environment base, not other; leave environment out"


async def test_a_session_may_have_one_of_the_operators_folders_alone(tmp_path: Path) -> None:
    lent = tuple(Copy(f"/srv/{name}", f"/srv/{name}", 1, number) for number, name in enumerate(("a", "b")))
    world = World(tmp_path, copies=lent)

    result = await opened(world.of("ann"), session="alone", workspace="b")
    refused = await opened(world.of("ann"), session="none", workspace="c")

    assert "cwd /srv/b." in text_of(result)
    assert [spec.copies for spec, _ in world.source.wanted] == [lent[1:]]
    assert world.judge.asked[0].call["workspace"] == "b"
    assert text_of(refused) == "There is no workspace c; this server lends /srv/a, /srv/b"


async def test_what_gave_way_to_a_snapshot_is_said(world: World) -> None:
    await world.kept("ann", "a", "b")

    result = await world.of("ann").session_snapshot("c", CTX)

    assert "deleted to make room: a" in text_of(result)
    assert "[not in it, being folders of the host: /home/me/project]" in text_of(result)
    assert [kept.name for kept in world.snapshots.of("ann")] == ["b", "c"]


async def test_a_session_that_is_not_there_is_not_made_to_be_kept(world: World) -> None:
    result = await answering(world.of("ann").session_snapshot)("before", CTX, session="nowhere")

    assert result.is_error
    assert "no session nowhere" in text_of(result)
    assert world.source.wanted == []


@pytest.mark.promise("call.permit")
async def test_a_snapshot_that_the_policy_refuses_is_not_taken(world: World) -> None:
    await world.kept("ann")
    world.judge.verdict = Deny((Rule("no.snapshots", "deny", "not here", ""),))

    result = await answering(world.of("ann").session_snapshot)("before", CTX)

    assert result.is_error
    assert not world.images.begun.is_set()


async def silent(job: Job) -> None:
    """No client to tell."""


async def test_session_list_by_default_shows_no_finished_foreground_command(world: World) -> None:
    box = FakeSandbox()
    world.source.boxes.append(box)
    argv = ("/bin/bash", "-c", "true")
    ask = RunAsk("shell", Target("default", "base"), argv, None, None, b"", 10, 0, background=False, arguments={})
    run = world.gateway.run
    await run(Caller("ann"), ask, silent)
    await run(Caller("ann"), replace(ask, background=True), silent)
    box.end = None
    outlived = await run(Caller("ann"), ask, silent)
    running = await run(Caller("ann"), ask, silent)
    outlived.job.ended(DONE)

    listed = (await world.of("ann").session_list()).structured_content
    every = (await world.of("ann").session_list(all=True)).structured_content

    assert listed is not None
    assert every is not None
    told = {"j2": "exited", "j3": "exited", running.job.name: "running"}
    assert listed["sessions"][0]["jobs"] == told
    assert every["sessions"][0]["jobs"] == {"j1": "exited", **told}
    assert world.judge.asked[-1].call == {"all": True}
