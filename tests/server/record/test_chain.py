import json
import time
from datetime import UTC, datetime
from typing import Any

from server.record.chain import GENESIS, Anchor, Clock, Head, anchors, digest_of, encoded, head_of

LINE: dict[str, Any] = {
    "sequence": 7,
    "time": "2026-01-02T03:04:05.000006Z",
    "kind": "server.note",
    "previous": "a" * 64,
}


def test_a_line_says_where_its_chain_stands_and_anything_else_does_not() -> None:
    raw = encoded(LINE)

    assert head_of(raw) == Head(7, digest_of(raw), LINE["time"])
    for other in (b"", b"{", b"[1]", b"1", b"null", encoded({**LINE, "previous": ""}), encoded({"kind": "x"}), b"\xff"):
        assert head_of(other) is None


def test_what_was_printed_is_an_anchor_wherever_it_stands_in_a_log() -> None:
    head = Head(12, "b" * 64, "2026-01-02T03:04:05.000006Z")

    assert anchors(f"Jan 2 host sandgate: audit head {head}\nsomething else\n{head}\n") == [Anchor("b" * 64, 12)] * 2
    assert anchors(f" {'c' * 64}\n") == [Anchor("c" * 64)]
    assert anchors("nothing of the kind") == []


def test_lines_that_were_sent_elsewhere_are_anchors_of_themselves_and_of_the_line_before() -> None:
    raw = encoded(LINE).decode()
    own = Anchor(digest_of(raw.encode()), 7)

    assert anchors(f"<110>1 - - sandgate - - - {raw}\n") == [Anchor("a" * 64, 6), own]
    first = encoded({**LINE, "sequence": 1, "previous": GENESIS})
    assert anchors(first.decode()) == [Anchor(digest_of(first), 1)]


def test_times_are_utc_with_microseconds() -> None:
    clock, now = Clock(), time.time()

    for moment in (now, now + 0.25, now + 3, now):
        stamp = clock.stamp(moment)
        assert abs(datetime.fromisoformat(stamp).timestamp() - moment) < 2e-6
        assert datetime.fromisoformat(stamp).tzinfo == UTC


def test_a_line_is_one_line_of_ascii_whatever_is_in_it() -> None:
    raw = encoded({"text": "a\nb\u2028é\udcff", "odd": object})

    assert raw.isascii()
    assert b"\n" not in raw
    assert json.loads(raw)["text"] == "a\nb\u2028é\udcff"
