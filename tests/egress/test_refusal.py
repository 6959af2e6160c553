import json

import pytest

from egress.refusal import Refusal, Refused, refuse

NO = Refusal("egress.not_allowed", "a.test is not on the list.", "a.test", 443)


@pytest.mark.promise("egress.refusal_explains")
def test_the_body_has_these_six_things_and_no_other() -> None:
    assert json.loads(NO.body(("b.test",), "d-1")) == {
        "host": "a.test",
        "port": 443,
        "rule": "egress.not_allowed",
        "reason": "a.test is not on the list.",
        "allowed": ["b.test"],
        "decision_id": "d-1",
    }


def test_a_long_list_is_cut() -> None:
    assert len(json.loads(NO.body(("b.test",) * 5000, None))["allowed"]) == 100


def test_a_header_holds_no_line_break_and_is_short() -> None:
    assert "\n" not in Refusal("egress.error", "a\r\nb" * 1000).header
    assert len(Refusal("egress.error", "a" * 9999).header) < 600


def test_a_raw_answer_is_whole() -> None:
    head, _, body = NO.raw().partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 403 ")
    assert b"content-length: %d" % len(body) in head


def test_the_exception_carries_the_refusal() -> None:
    error = refuse("egress.limit", "Too many.", "a.test", 80)

    assert isinstance(error, Refused)
    assert error.refusal == Refusal("egress.limit", "Too many.", "a.test", 80)
