"""What runs for long: how long it may, and that its silence is not taken for its end."""

from dataclasses import replace

import anyio
import pytest

from policy.verdict import Limits, permit
from server.sandbox import agent_link
from server.sandbox.docker_sandbox import DockerSandbox
from tests.live import Said, background
from tests.waiting import PATIENCE_S, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.promise("result.truthful")]


async def test_a_background_command_lives_as_long_as_the_policy_allows(box: DockerSandbox) -> None:
    asked = background("sleep", "60")  # its call has a timeout of 20 s, which is not a background command's
    allowed = permit(asked.question, replace(asked.allow, limits=Limits(timeout_s=1)))
    bounded, free = Said(), Said()
    job = await box.run(asked, free)
    await box.run(allowed, bounded)
    with anyio.fail_after(PATIENCE_S):
        await bounded.over.wait()

    assert bounded.end.status == "timed_out"
    assert not free.over.is_set()
    await job.stop(9, "job_stop", 1)


async def test_a_background_command_lives_no_longer_than_its_session(box: DockerSandbox) -> None:
    said = Said()
    await box.run(background("sleep", "60"), said)
    await box.close()
    with anyio.fail_after(PATIENCE_S):
        await said.over.wait()

    assert (said.end.status, said.end.detail) == ("killed", "the session was closed")


async def test_the_agent_of_a_command_that_says_nothing_speaks_unasked(
    box: DockerSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that silence is an agent's, and not a command's: tests/server/sandbox/test_agent_link.py."""
    monkeypatch.setattr(agent_link, "PING_EVERY_S", 10 * PATIENCE_S)
    job = await box.run(background("sleep", "600"), Said())
    for _ in range(3):
        before = box._link._heard
        await eventually(lambda before=before: box._link._heard > before)  # type: ignore[misc]  # of this round
    await job.stop(9, "killed", 1)
