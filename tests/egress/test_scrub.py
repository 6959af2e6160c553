import base64
import itertools
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egress.scrub import Scrubber

VALUE = b'sk/live+"0123456789"&=abc'


def streamed(text: bytes, cuts: list[int]) -> bytes:
    scrubber, borders = Scrubber([VALUE]), sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    pieces = [scrubber.feed(text[start:end]) for start, end in itertools.pairwise(borders)]
    return b"".join(pieces) + scrubber.rest()


@pytest.mark.promise("secrets.outside")
@given(st.binary(max_size=100), st.binary(max_size=100), st.lists(st.integers(0, 300), max_size=12))
def test_wherever_the_stream_is_cut_the_value_is_masked_and_nothing_else(
    before: bytes, after: bytes, cuts: list[int]
) -> None:
    assert streamed(before + VALUE + after, cuts) == before + b"*" * len(VALUE) + after


@pytest.mark.promise("secrets.outside")
@given(st.binary(max_size=12), st.binary(max_size=12))
def test_base64_hides_it_at_no_offset(before: bytes, after: bytes) -> None:
    for code in (base64.b64encode, base64.urlsafe_b64encode):
        shown = Scrubber([VALUE]).masked(code(before + VALUE + after))
        assert b"*" * (len(VALUE) - 3) in shown


@pytest.mark.promise("secrets.outside")
@pytest.mark.parametrize(
    "shown",
    [quote(VALUE, safe=""), quote_plus(VALUE), quote(VALUE, safe="").replace("%2F", "%2f").replace("%2B", "%2b").replace("%3D", "%3d"), json.dumps(VALUE.decode())[1:-1], json.dumps(VALUE.decode())[1:-1].replace("/", "\\/"), VALUE.hex()],
)  # fmt: skip
def test_forms_that_programs_write_are_masked(shown: str) -> None:
    assert set(Scrubber([VALUE]).masked(shown.encode())) == {ord("*")}


@pytest.mark.promise("secrets.outside")
def test_an_answer_that_ends_within_a_secret_does_not_tell_its_beginning() -> None:
    scrubber = Scrubber([VALUE])

    assert scrubber.feed(b"key: " + VALUE[:12]) + scrubber.rest() == b"key: " + b"*" * 12


def test_what_cannot_begin_a_secret_is_not_held_back() -> None:
    scrubber = Scrubber([VALUE])

    assert scrubber.feed(b"data: event\n\n") == b"data: event\n\n"
    assert scrubber.feed(b"x" + VALUE[:5]) == b"x"
    assert scrubber.rest() == VALUE[:5]


@pytest.mark.promise("secrets.outside")
def test_the_name_of_a_header_may_hold_it_as_well() -> None:
    assert Scrubber([VALUE]).fields(((b"X-" + VALUE, b"1"),)) == ((b"X-" + b"*" * len(VALUE), b"1"),)
