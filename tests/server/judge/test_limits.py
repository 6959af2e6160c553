import pytest

from server.judge.limits import Limits, TooMany

pytestmark = pytest.mark.anyio


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_a_burst_is_admitted_and_the_next_call_is_told_when() -> None:
    limits = Limits(2, 3, 10, Clock())
    for _ in range(3):
        async with limits.admit("ann"):
            pass

    with pytest.raises(TooMany) as refused:
        async with limits.admit("ann"):
            pass

    assert refused.value.retry_after_s == pytest.approx(0.5)


async def test_time_fills_the_bucket() -> None:
    clock = Clock()
    limits = Limits(2, 1, 10, clock)
    async with limits.admit("ann"):
        pass
    clock.now = 0.5

    async with limits.admit("ann"):
        pass


async def test_calls_that_run_take_places() -> None:
    limits = Limits(100, 100, 1, Clock())

    async with limits.admit("ann"):
        with pytest.raises(TooMany, match="running"):
            async with limits.admit("ann"):
                pass
    async with limits.admit("ann"):
        pass


async def test_one_callers_spending_is_not_anothers() -> None:
    limits = Limits(1, 1, 10, Clock())
    async with limits.admit("ann"):
        pass

    async with limits.admit("bob"):
        pass


async def test_callers_not_heard_of_are_forgotten() -> None:
    clock = Clock()
    limits = Limits(1, 1, 10, clock)
    async with limits.admit("ann"):
        pass
    clock.now = 4000
    async with limits.admit("bob"):
        pass

    assert list(limits._buckets) == ["bob"]
