import inspect

from hpack import Decoder
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hypothesis import given
from hypothesis import strategies as st

from egress.huffman import encoded

ENCODER = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)


@given(st.binary(max_size=600))
def test_it_is_the_librarys_code_to_the_bit(data: bytes) -> None:
    assert encoded(ENCODER, data) == ENCODER.encode(data)


def test_nothing_is_nothing() -> None:
    assert encoded(ENCODER, b"") == encoded(ENCODER, None) == b""


def test_a_header_as_large_as_may_be_is_read_back() -> None:
    value = bytes(33 + n % 94 for n in range(60_000))
    code = encoded(ENCODER, value)
    size = len(code)
    length = bytes([0xFF, (size - 127) & 127 | 128, (size - 127) >> 7 & 127 | 128, (size - 127) >> 14])

    assert Decoder(max_header_list_size=1 << 20).decode(b"\x00\x01a" + length + code, raw=True) == [(b"a", value)]


def test_the_library_still_takes_a_whole_header_as_one_number() -> None:
    """Where this fails, hpack may be quick by itself, and egress.huffman can go."""
    assert "final_num <<= bin_int_len" in inspect.getsource(HuffmanEncoder.encode)
