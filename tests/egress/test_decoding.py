import gzip
import zlib

import brotli
import pytest
import zstandard

from egress.decoding import Undecodable, decoder

TEXT = bytes(range(256)) * 400
CODERS = {
    "gzip": gzip.compress(TEXT[:1000]) + gzip.compress(TEXT[1000:]),
    "deflate": zlib.compress(TEXT),
    "br": brotli.compress(TEXT),
    "zstd": zstandard.compress(TEXT[:1000]) + zstandard.compress(TEXT[1000:]),
}


@pytest.mark.parametrize("encoding", CODERS)
@pytest.mark.parametrize("step", [1, 7, 65536])
def test_pieces_of_any_size_are_opened(encoding: str, step: int) -> None:
    opened, sent = decoder(encoding.upper()), CODERS[encoding]
    assert opened is not None

    assert b"".join(b"".join(opened.feed(sent[at : at + step])) for at in range(0, len(sent), step)) == TEXT


@pytest.mark.promise("secrets.outside")
@pytest.mark.parametrize(
    ("encoding", "bomb"),
    [
        ("gzip", gzip.compress(bytes(200_000_000), 9)[:65536]),
        ("br", brotli.compress(bytes(200_000_000), quality=5)),
        ("zstd", zstandard.compress(bytes(200_000_000))),
    ],
)
def test_a_bomb_is_opened_in_small_pieces(encoding: str, bomb: bytes) -> None:
    opened = decoder(encoding)
    assert opened is not None
    sizes = [len(piece) for piece in opened.feed(bomb)]

    assert max(sizes) < 3_000_000
    assert sum(sizes) > 60_000_000


@pytest.mark.parametrize("encoding", [name for name in CODERS if name != "br"])
def test_what_is_not_encoded_as_it_says_is_an_error(encoding: str) -> None:
    opened = decoder(encoding)
    assert opened is not None

    with pytest.raises(Undecodable):
        list(opened.feed(b"this is plain text, whatever the header says"))


def test_what_nobody_reads_is_an_error_and_what_needs_nothing_is_none() -> None:
    assert decoder("identity") is decoder("") is None
    for encoding in ("compress", "gzip, br", "aes128gcm"):
        with pytest.raises(Undecodable):
            decoder(encoding)
