"""Numbers over time as small pictures: SVG made here, coloured by the page's own style, each said in words as well."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup, escape

MINUTES: Final = 60  # one bar each
WIDTH, HEIGHT = 720, 110
GAP: Final = 2.0


@dataclass(frozen=True, slots=True)
class Series:
    """`name` is also the bars' class, which gives them their colour."""

    name: str
    values: Sequence[float]

    @property
    def total(self) -> float:
        return sum(self.values)


def per_minute(events: Iterable[tuple[float, float]], now: float) -> list[float]:
    """(time, amount) of the last hour, added up by minute, the oldest first; the last is the minute that runs."""
    bins, last = [0.0] * MINUTES, int(now // 60)
    for time, amount in events:
        place = MINUTES - 1 - (last - int(time // 60))
        if 0 <= place < MINUTES:
            bins[place] += amount
    return bins


def stacked(series: Sequence[Series], words: str) -> Markup:
    """Bars for the last hour, one series on the other; `words` is what somebody hears who does not see them."""
    tops = [sum(column) for column in zip(*(each.values for each in series), strict=True)]
    highest = max(tops, default=0.0)
    bars, step = [], WIDTH / max(1, len(tops))
    base = [0.0] * len(tops)
    for each in series:
        for place, value in enumerate(each.values):
            if value <= 0:
                continue
            tall = max(2.0, HEIGHT * value / highest)
            base[place] += tall
            y = HEIGHT - base[place]
            bars.append(
                Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
                    each.name, place * step + GAP / 2, max(0.0, y), step - GAP, tall
                )
            )
    return Markup(
        '<svg class="chart" role="img" viewBox="0 0 {w} {h}" preserveAspectRatio="none" aria-label="{words}">'
        '<title>{words}</title><line class="axis" x1="0" x2="{w}" y1="{y}" y2="{y}"/>{bars}</svg>'
    ).format(w=WIDTH, h=HEIGHT, y=HEIGHT, words=escape(words), bars=Markup("").join(bars))


def share(parts: Sequence[Series], most: float) -> Markup:
    """One bar: these parts of `most`, side by side. What it shows stands beside it in numbers."""
    x, pieces = 0.0, []
    for part in parts:
        if part.total <= 0:
            continue
        wide = max(0.8, 100 * part.total / most) if most else 0.0
        pieces.append(
            Markup('<rect class="{}" x="{:.2f}" y="0" width="{:.2f}" height="8"/>').format(part.name, x, wide)
        )
        x += wide
    return Markup(
        '<svg class="share" aria-hidden="true" viewBox="0 0 100 8" preserveAspectRatio="none">{}</svg>'
    ).format(Markup("").join(pieces))
