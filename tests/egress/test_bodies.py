import gzip

from egress.bodies import Download, Upload
from egress.decoding import Undecodable, decoder
from egress.scrub import Scrubber

PLACEHOLDER = b"sandgate_" + b"0a" * 16


def test_nothing_goes_out_from_the_placeholder_on() -> None:
    found: list[bytes] = []
    upload = Upload(bytes, found.append)
    sent = [
        *upload(b"a" * 100),
        *upload(PLACEHOLDER[:20]),
        *upload(PLACEHOLDER[20:] + b"z"),
        *upload(b"more"),
        *upload(b""),
    ]

    assert sent == [b"a" * 100, PLACEHOLDER[:20]]
    assert len(found) == 1
    assert PLACEHOLDER in found[0]


def test_a_piece_that_is_held_back_is_no_empty_chunk() -> None:
    download = Download(bytes, Scrubber([b"0123456789"]), None, lambda error: None)

    assert list(download(b"01234")) == []
    assert list(download(b"")) == [b"01234"]


def test_an_answer_that_spoils_ends_once() -> None:
    spoilt: list[Undecodable] = []
    download = Download(bytes, Scrubber([b"0123456789"]), decoder("gzip"), spoilt.append)
    good = download(gzip.compress(b"<0123456789>"))

    assert b"".join(good) == b"<**********>"
    assert [list(download(data)) for data in (b"not gzip", b"not gzip", b"")] == [[], [], []]
    assert len(spoilt) == 1


def test_of_an_answer_no_more_is_opened_than_is_taken() -> None:
    download = Download(bytes, Scrubber([b"0123456789"]), decoder("gzip"), lambda error: None)
    pieces = download(gzip.compress(bytes(500_000_000)))

    assert len(next(pieces)) <= 64 * 1024
    assert list(download(b"more")) == []  # half of it would be no answer
