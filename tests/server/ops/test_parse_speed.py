"""That it measures; how fast it was is never a test's business."""

import pytest

from policy.reading.bounds import refusal
from server.ops.parse_speed import COMMANDS, TARGET_MS, parse_speed
from tests.policy.reader import read

pytestmark = pytest.mark.anyio


async def test_a_speed_has_both_percentiles_and_says_whether_the_target_is_met() -> None:
    found = await parse_speed(1)

    assert 0 < found.p50_ms <= found.p99_ms
    assert found.met == (found.p50_ms <= TARGET_MS)


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_timed_is_really_read(command: str) -> None:
    assert refusal(command) is None
    assert read(command).script.parse_error is None
    assert read(command).commands
