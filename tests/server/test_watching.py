from pathlib import Path

import anyio
import pytest

from server.looks import looks
from server.watching import watch
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.anyio


async def test_each_change_is_taken_up_and_a_failing_one_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "sandgate.toml"
    taken: list[str] = []

    def take_up() -> None:
        taken.append(path.read_text())
        if taken[-1] == "bad":
            raise ValueError("line 1 is not TOML")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch, lambda: [path], take_up, {}, 0.005)
        with anyio.fail_after(PATIENCE_S):
            for number, text in enumerate(["one", "bad", "two"], 1):
                await anyio.wait_all_tasks_blocked() if number == 1 else None
                path.write_text(text)
                while len(taken) < number:
                    await anyio.sleep(0.005)
        tasks.cancel_scope.cancel()

    assert taken == ["one", "bad", "two"]
    assert "not TOML" in caplog.text


async def test_what_is_still_being_written_is_not_taken_up_by_halves(tmp_path: Path) -> None:
    path = tmp_path / "sandgate.toml"
    comes, taken = iter(["", "the first", "the first half", "the first half and the second"]), list[str]()

    def files() -> list[Path]:
        """At each look there is more of it."""
        if (text := next(comes, None)) is not None:
            path.write_text(text)
        return [path]

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch, files, lambda: taken.append(path.read_text()), {}, 0.005)
        with anyio.fail_after(PATIENCE_S):
            while not taken:
                await anyio.sleep(0.005)
        tasks.cancel_scope.cancel()

    assert taken == ["the first half and the second"]


async def test_what_changed_since_it_was_read_is_taken_up_though_nobody_watched_yet(tmp_path: Path) -> None:
    path, taken = tmp_path / "sandgate.toml", anyio.Event()
    path.write_text("one")
    at_first = looks([path])
    path.write_text("another")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch, lambda: [path, tmp_path / "none"], taken.set, at_first, 0.005)
        with anyio.fail_after(PATIENCE_S):
            await taken.wait()
        tasks.cancel_scope.cancel()
