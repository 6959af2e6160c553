"""Figures and their certainty, from times that are known."""

import itertools

import pytest

from server.ops.measures.row import Target, Times, by_turns, row

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("target", "value", "baseline", "met", "text"),
    [
        (Target(5), 4.9, None, True, "<= 5 ms"),
        (Target(5), 5.1, None, False, "<= 5 ms"),
        (Target(1 / 25, of_ratio=True), 2.0, 51.0, True, "ratio <= 1/25"),
        (Target(1 / 25, of_ratio=True), 2.0, 49.0, False, "ratio <= 1/25"),
        (Target(1.3, of_ratio=True), 130.0, 100.0, True, "ratio <= 1.3"),
        (Target(1.3, of_ratio=True), 130.0, None, False, "ratio <= 1.3"),
        (Target(150, at_least=True), 149.0, 10.0, False, ">= 150 ms"),
    ],
)
def test_a_target_bounds_the_value_or_its_ratio(
    target: Target, value: float, baseline: float | None, *, met: bool, text: str
) -> None:
    found = row("a", "b", value, "ms", baseline=baseline, target=target)

    assert (found.met, found.target) == (met, text)


def test_the_middle_and_the_slowest_are_over_the_middle_of_the_baseline() -> None:
    ours = [[float(number) for number in range(1, 101)]] * 3
    middle, slowest = Times(ours, [[10.0, 20.0, 90.0]] * 3).rows("exec", "it", Target(3, of_ratio=True))

    assert (middle.id, middle.value, middle.baseline, middle.ratio, middle.met) == ("exec", 50.5, 20.0, 2.525, True)
    assert (slowest.id, slowest.value, slowest.ratio, slowest.met) == ("exec.p99", 100.0, 5.0, None)


def test_turns_that_agree_leave_no_doubt_and_turns_that_differ_do() -> None:
    agreeing = Times([[1.0], [2.0], [4.0]], [[2.0], [4.0], [8.0]])
    differing = Times([[1.0], [2.0], [4.0]], [[2.0], [2.0], [2.0]])

    assert agreeing.noise() == 0
    assert differing.noise() > 0.5
    assert Times([[1.0]], [[1.0]]).noise() > 0  # one turn says nothing of the next


async def test_the_two_have_their_turns_one_after_the_other_and_the_first_of_each_does_not_count() -> None:
    done: list[str] = []
    clock = itertools.count()

    async def ours() -> None:
        done.append("a")

    async def theirs() -> None:
        done.append("b")

    times = await by_turns(ours, theirs, 4, lambda: float(next(clock)), turn=2)

    assert "".join(done) == "aaabbbaaabbb"
    assert (times.ours, times.theirs) == ([[1000, 1000]] * 2, [[1000, 1000]] * 2)
