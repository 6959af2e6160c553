"""Numbers become bars of their size, and names nothing but names."""

import re

from server.front.page.charts import HEIGHT, MINUTES, Series, per_minute, share, stacked

NOW = 1_000_000 * 60 + 30.0


def heights(svg: str) -> list[float]:
    return [float(found) for found in re.findall(r'height="([\d.]+)"/>', svg)]


def test_amounts_are_added_up_by_minute_and_what_is_older_is_left_out() -> None:
    bins = per_minute(
        [(NOW, 1), (NOW - 29, 2), (NOW - 60, 4), (NOW - 59 * 60, 8), (NOW - 60 * 60, 16), (NOW + 60, 32)], NOW
    )
    assert (bins[-1], bins[-2], bins[0], sum(bins)) == (3, 4, 8, 15)
    assert len(bins) == MINUTES


def test_the_highest_bar_fills_the_picture_and_the_rest_follows() -> None:
    svg = stacked([Series("up", [0, 10]), Series("down", [5, 10])], "bytes")
    assert heights(svg) == [HEIGHT / 2, HEIGHT / 4, HEIGHT / 2]
    assert 'aria-label="bytes"' in svg


def test_nothing_is_a_picture_without_bars() -> None:
    assert heights(stacked([Series("up", [0, 0])], "bytes")) == []
    assert "rect" not in share([Series("up", [0])], 0)


def test_words_are_no_markup() -> None:
    assert "<script" not in stacked([Series("up", [1])], '"><script>')


def test_a_share_is_parts_of_the_most() -> None:
    assert re.findall(r'width="([\d.]+)"', share([Series("up", [1]), Series("down", [2])], 4)) == ["25.00", "50.00"]
