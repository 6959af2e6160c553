"""How fast a call is while something else grows, measured beside a `docker exec` so that a machine's own moods show."""

import statistics
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from server.ops.measures.rig import Rig, in_thread
from server.ops.measures.row import Act, Row, Target, row

FLAT: Final = Target(1.5, of_ratio=True)  # between two medians of one run: what grows with the amount is far beyond it
_CALLS: Final = 20

type Beside = Callable[[Act], Awaitable["Pace"]]


@dataclass(frozen=True, slots=True)
class Pace:
    """Medians in milliseconds: of the call, and of a `docker exec` by turns with it."""

    call: float
    exec: float


@contextmanager
def yardstick(rig: Rig) -> Iterator[Beside]:
    """A container that does nothing but answer `docker exec`; what is yielded takes an act's pace beside it."""
    with rig.bare() as bare:
        container = bare.start(rig.spec.image)
        plain = in_thread(bare.exec, container, ["/bin/true"])

        async def beside(act: Act) -> Pace:
            await act()
            times = await rig.by_turns(act, plain, min(_CALLS, rig.scale.calls))
            ours, theirs = ([time for turn in turns for time in turn] for turns in (times.ours, times.theirs))
            return Pace(statistics.median(ours), statistics.median(theirs))

        try:
            yield beside
        finally:
            bare.remove(container)


def grown(identity: str, what: str, paces: Mapping[int, Pace]) -> list[Row]:
    """What should not grow: each over the smallest, as that would have been on the machine of that moment."""
    first = paces[min(paces)]
    return [
        row(
            f"{identity}.{size}",
            what.format(size),
            pace.call,
            "ms",
            baseline=first.call * pace.exec / first.exec,
            target=FLAT,
        )
        for size, pace in sorted(paces.items())
    ]
