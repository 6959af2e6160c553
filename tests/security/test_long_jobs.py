"""What runs for long: how long it may, and that its silence is not taken for its end."""

from dataclasses import replace

import anyio
import pytest

from policy.verdict import Limits, permit
from server.sandbox import agent_link
from server.sandbox.docker_sandbox import DockerSandbox
from tests.live import Said, background, run

pytestmark = [pytest.mark.anyio, pytest.mark.promise("result.truthful")]


async def test_a_background_command_lives_as_long_as_the_policy_allows(box: DockerSandbox) -> None:
    asked = background("sleep", "60")  # its call has a timeout of 20 s, which is not a background command's
    allowed = permit(asked.question, replace(asked.allow, limits=Limits(timeout_s=1)))
    bounded, free = Said(), Said()
    job = await box.run(asked, free)
    await box.run(allowed, bounded)
    with anyio.fail_after(20):
        await bounded.over.wait()

    assert bounded.end.status == "timed_out"
    assert not free.over.is_set()
    await job.stop(9, "job_stop", 1)


async def test_a_background_command_lives_no_longer_than_its_session(box: DockerSandbox) -> None:
    said = Said()
    await box.run(background("sleep", "60"), said)
    await box.close()
    with anyio.fail_after(10):
        await said.over.wait()

    assert (said.end.status, said.end.detail) == ("killed", "the session was closed")


async def test_a_command_that_says_nothing_is_not_taken_for_a_dead_one(
    box: DockerSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_link, "PING_EVERY_S", 0.2)
    monkeypatch.setattr(agent_link, "SILENCE_S", 1.2)  # the agent speaks twice a second
    said = await run(box, "sleep", "2.5")

    assert (said.end.status, said.end.exit_code) == ("exited", 0)
