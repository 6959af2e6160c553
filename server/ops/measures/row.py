"""What the bench finds: rows with stable keys, and how sure it is of each."""

import math
import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import anyio

HIGHER_IS_BETTER: Final = ("MB/s", "calls/s")
KEYS: Final = ("id", "what", "value", "unit", "baseline", "ratio", "target", "met")
_TURN: Final = 10  # calls of each kind, before the other has its turn
_UNSURE: Final = 0.25  # of a figure that was taken once or twice, or stands on a few slow calls

type Act = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Target:
    """What was promised: a ceiling or a floor, of the value in its unit or of its ratio to the baseline."""

    bound: float
    of_ratio: bool = False
    at_least: bool = False

    def holds(self, value: float, ratio: float | None) -> bool:
        found = ratio if self.of_ratio else value
        return found is not None and (found >= self.bound if self.at_least else found <= self.bound)

    def text(self, unit: str) -> str:
        """`ratio <= 1/25`, `ratio <= 1.3` or `<= 5 ms`."""
        sign = ">=" if self.at_least else "<="
        if not self.of_ratio:
            return f"{sign} {self.bound:g} {unit}"
        return f"ratio {sign} {f'1/{1 / self.bound:.0f}' if self.bound < 1 else f'{self.bound:g}'}"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `baseline` is in `unit` too, taken by turns with it; `ratio` is value over baseline.

    target: empty where nothing is promised, and `met` then None. noise: by which fraction another run may differ.
    """

    id: str
    what: str
    value: float
    unit: str
    baseline: float | None
    ratio: float | None
    target: str
    met: bool | None
    noise: float = _UNSURE

    def as_json(self) -> dict[str, Any]:
        return {key: getattr(self, key) for key in KEYS}


def row(
    identity: str,
    what: str,
    value: float,
    unit: str,
    *,
    baseline: float | None = None,
    target: Target | None = None,
    noise: float = _UNSURE,
) -> Row:
    ratio = value / baseline if baseline else None
    met = target.holds(value, ratio) if target else None
    return Row(
        identity,
        what,
        _digits(value),
        unit,
        None if baseline is None else _digits(baseline),
        None if ratio is None else _digits(ratio),
        target.text(unit) if target else "",
        met,
        _digits(noise),
    )


def _digits(value: float) -> float:
    """Four that count: more would be noise."""
    return float(f"{value:.4g}")


@dataclass(frozen=True, slots=True)
class Times:
    """How long two things took that had their turns one after the other: milliseconds, a list for each turn."""

    ours: Sequence[Sequence[float]]
    theirs: Sequence[Sequence[float]]

    def rows(
        self, identity: str, what: str, target: Target | None = None, slowest: Target | None = None
    ) -> tuple[Row, Row]:
        """The median, and under `.p99` the slowest of a hundred, each over the baseline's median."""
        ours, theirs = sorted(_flat(self.ours)), sorted(_flat(self.theirs))
        middle, baseline = statistics.median(ours), statistics.median(theirs) if theirs else None
        return (
            row(identity, what, middle, "ms", baseline=baseline, target=target, noise=self.noise()),
            row(f"{identity}.p99", f"{what}: p99", percentile(ours, 0.99), "ms", baseline=baseline, target=slowest),
        )

    def noise(self) -> float:
        """Twice the standard error of the medians' ratio, from how much it changed between turns."""
        pairs = zip(self.ours, self.theirs, strict=True) if self.theirs else ((turn, (1.0,)) for turn in self.ours)
        ratios = [statistics.median(ours) / statistics.median(theirs) for ours, theirs in pairs]
        if len(ratios) < 3:  # noqa: PLR2004 - no spread to speak of
            return _UNSURE
        return 2 * statistics.stdev(ratios) / math.sqrt(len(ratios)) / statistics.fmean(ratios)


def percentile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _flat(turns: Sequence[Sequence[float]]) -> list[float]:
    return [time for turn in turns for time in turn]


async def by_turns(
    ours: Act, theirs: Act | None, calls: int, clock: Callable[[], float], turn: int = _TURN, rest_s: float = 0.0
) -> Times:
    """`calls` of each, with a rest before each one. So a machine that drifts drifts for both; the first of each turn is not counted where a turn has
    more: the engine still tidies up after its own call when the next begins."""
    kept: tuple[list[list[float]], list[list[float]]] = ([], [])
    skipped = 1 if turn > 1 else 0
    for _ in range(math.ceil(calls / turn)):
        for lists, act in zip(kept, (ours, theirs), strict=True):
            if act is None:
                continue
            lists.append([])
            for number in range(turn + skipped):
                await anyio.sleep(rest_s)
                began = clock()
                await act()
                if number >= skipped:
                    lists[-1].append((clock() - began) * 1000)
    return Times(*kept)
