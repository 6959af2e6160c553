"""Compressed answers, opened piece by piece as they are taken: a few bytes can stand for gigabytes."""

import zlib
from collections.abc import Iterator
from typing import Protocol

import brotli
import zstandard

PIECE = 64 * 1024
_ZSTD_STEPS = (4, 64)  # bytes at once; a block of a few bytes makes 128 KiB, and what is made has no bound of its own
_ZSTD_WINDOW = 8 * 1024 * 1024  # what RFC 8878 wants of every decoder
_EITHER_ZLIB = 47  # gzip or zlib, whichever it is


class Undecodable(Exception):
    """An answer's body is not what its Content-Encoding says."""


class Decoder(Protocol):
    def feed(self, data: bytes) -> Iterator[bytes]:
        """What the next bytes stand for. Raises Undecodable."""


def decoder(encoding: str) -> Decoder | None:
    """For a Content-Encoding; None for one that needs none. Raises Undecodable for one that nobody here can read."""
    match encoding.strip().lower():
        case "" | "identity":
            return None
        case "gzip" | "x-gzip" | "deflate":
            return _Checked(_Zlib())
        case "br":
            return _Checked(_Brotli())
        case "zstd":
            return _Checked(_Zstd())
        case _:
            raise Undecodable("The origin encoded its answer in a way that cannot be looked through for secrets.")


class _Checked:
    def __init__(self, inner: Decoder) -> None:
        self._inner = inner

    def feed(self, data: bytes) -> Iterator[bytes]:
        try:
            yield from self._inner.feed(data)
        except (zlib.error, brotli.error, zstandard.ZstdError) as error:
            raise Undecodable("The origin's answer is not encoded as it says.") from error


class _Zlib:
    def __init__(self) -> None:
        self._inner = zlib.decompressobj(_EITHER_ZLIB)

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            yield self._inner.decompress(data, PIECE)
            data = self._inner.unconsumed_tail
            if self._inner.eof:
                data = self._inner.unused_data  # another member may follow
                self._inner = zlib.decompressobj(_EITHER_ZLIB)


class _Brotli:
    def __init__(self) -> None:
        self._inner = brotli.Decompressor()

    def feed(self, data: bytes) -> Iterator[bytes]:
        piece = self._inner.process(data, output_buffer_limit=PIECE)
        while piece or not self._inner.can_accept_more_data():
            yield piece
            piece = self._inner.process(b"", output_buffer_limit=PIECE)


class _Zstd:
    def __init__(self) -> None:
        decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        self._inner = decompressor.decompressobj(read_across_frames=True)
        self._step = _ZSTD_STEPS[0]

    def feed(self, data: bytes) -> Iterator[bytes]:
        start = 0
        while start < len(data):
            piece = self._inner.decompress(data[start : start + self._step])
            start += self._step
            least, most = _ZSTD_STEPS
            self._step = least if len(piece) > PIECE else min(2 * self._step, most)
            yield piece
