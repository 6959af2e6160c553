from pathlib import Path

import anyio
import pytest

from server.watching import watch

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
        tasks.start_soon(watch, lambda: [path], take_up, 0.005)
        with anyio.fail_after(5):
            for number, text in enumerate(["one", "bad", "two"], 1):
                await anyio.wait_all_tasks_blocked() if number == 1 else None
                path.write_text(text)
                while len(taken) < number:
                    await anyio.sleep(0.005)
        tasks.cancel_scope.cancel()

    assert taken == ["one", "bad", "two"]
    assert "not TOML" in caplog.text
