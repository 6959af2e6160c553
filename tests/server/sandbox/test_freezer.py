from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import anyio
import pytest

from server.sandbox.docker_sandbox import DockerSandbox
from server.sandbox.engine import NoEngine
from server.sandbox.freezer import Freezer
from server.sandbox.sandbox import SandboxFailed, SandboxLost
from tests.fake_engine import silent_engine
from tests.live import sandbox, shell
from tests.real_engine import client, engine_url
from tests.waiting import PATIENCE_S, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.asyncio_alone]


@pytest.fixture
async def box() -> AsyncGenerator[DockerSandbox]:
    async with sandbox() as made:
        yield made


@pytest.fixture
async def freezer() -> AsyncGenerator[Freezer]:
    async with anyio.create_task_group() as tasks:
        yield Freezer(engine_url, tasks)
        tasks.cancel_scope.cancel()


def is_paused(sandbox_id: str) -> bool:
    with client() as api:
        return bool(api.inspect_container(f"sandgate-{sandbox_id}")["State"]["Paused"])


def is_there(sandbox_id: str) -> bool:
    with client() as api:
        return bool(api.containers(all=True, filters={"name": f"sandgate-{sandbox_id}"}))


async def test_a_frozen_sandbox_stands_still_and_goes_on_as_it_was(box: DockerSandbox, freezer: Freezer) -> None:
    await shell(box, "echo kept > /tmp/kept")
    box.frozen = True
    await freezer.freeze(box.id)
    paused = is_paused(box.id)
    await freezer.thaw(box.id)
    box.frozen = False

    assert paused
    assert box.alive
    assert (await shell(box, "cat /tmp/kept")).text == "kept\n"


@pytest.mark.promise("nothing.left")
async def test_a_frozen_sandbox_can_be_destroyed(box: DockerSandbox, freezer: Freezer) -> None:
    await freezer.freeze(box.id)
    await box.close()

    assert not is_there(box.id)
    with pytest.raises(SandboxLost):
        await freezer.thaw(box.id)


@pytest.mark.promise("nothing.left")
async def test_what_a_server_leaves_frozen_is_woken(box: DockerSandbox) -> None:
    async with anyio.create_task_group() as tasks:
        freezer = Freezer(engine_url, tasks)
        await freezer.freeze(box.id)
        assert is_paused(box.id)
        tasks.cancel_scope.cancel()  # the thawer's input ends, as at the server's death

    await eventually(lambda: not is_paused(box.id))


@pytest.mark.promise("nothing.left")
async def test_a_thawer_that_was_killed_is_replaced_and_told_everything(box: DockerSandbox, freezer: Freezer) -> None:
    async with sandbox() as other, anyio.create_task_group() as tasks:
        freezer = Freezer(engine_url, tasks)
        await freezer.freeze(box.id)
        assert freezer._thawer is not None
        freezer._thawer.kill()
        await freezer._thawer.wait()
        await freezer.freeze(other.id)
        tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True), anyio.fail_after(PATIENCE_S):
            while is_paused(box.id) or is_paused(other.id):
                await anyio.sleep(0.05)


async def test_what_is_so_already_is_no_failure(box: DockerSandbox, freezer: Freezer) -> None:
    await freezer.thaw(box.id)
    await freezer.freeze(box.id)
    await freezer.freeze(box.id)
    await freezer.thaw(box.id)

    assert not is_paused(box.id)


def no_engine() -> str:
    raise NoEngine("none answers")


@pytest.mark.parametrize("find", [lambda: "unix:///nowhere/docker.sock", no_engine])
async def test_without_an_engine_nothing_is_frozen(find: Callable[[], str]) -> None:
    async with anyio.create_task_group() as tasks:
        with pytest.raises(SandboxFailed, match="cannot be paused"):
            await Freezer(find, tasks).freeze("box")
        tasks.cancel_scope.cancel()


async def test_what_an_engine_that_hangs_was_told_to_pause_counts_as_paused_and_is_not_given_up(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may still do it; and that it wakes nothing just now does not make the sandbox gone."""
    with silent_engine(own_folder / "e.sock") as url:
        async with anyio.create_task_group() as tasks:
            freezer = Freezer(lambda: url, tasks)
            with monkeypatch.context() as hurried:
                hurried.setattr("server.sandbox.freezer.PATIENCE_S", 0.05)
                await freezer.freeze("box")
                with pytest.raises(SandboxFailed, match="does not wake it now"):
                    await freezer.thaw("box")
            await freezer.forget("box")
            tasks.cancel_scope.cancel()


async def test_a_sandbox_that_is_not_there_cannot_be_frozen(freezer: Freezer) -> None:
    with pytest.raises(SandboxFailed, match="404"):
        await freezer.freeze("nosuchbox")


@pytest.mark.parametrize(("answers", "frozen"), [([500, 500, 204], True), ([500] * 9, False), ([404, 204], False)])
async def test_an_engine_that_cannot_just_now_is_asked_again_within_bounds(
    freezer: Freezer, monkeypatch: pytest.MonkeyPatch, answers: list[int], frozen: object
) -> None:
    asked: list[int] = []

    def post(_url: str, _path: str, _timeout_s: float) -> int:
        asked.append(answers[len(asked)])
        return asked[-1]

    monkeypatch.setattr("server.sandbox.freezer.post", post)
    monkeypatch.setattr("server.sandbox.freezer.AGAIN_S", 0)
    if frozen:
        await freezer.freeze("0" * 12)
    else:
        with pytest.raises(SandboxFailed, match="cannot be paused: the engine answers"):
            await freezer.freeze("0" * 12)

    assert asked == answers[: {3: 3, 9: 5, 2: 1}[len(answers)]]
