"""Compressed answers, opened piece by piece and with a bound: a few bytes can stand for gigabytes."""

import zlib
from collections.abc import Iterator
from typing import Protocol

import brotli
import zstandard

PIECE = 64 * 1024
MOST_AT_ONCE = 32 * 1024 * 1024  # from one read of at most 64 KiB: what zlib makes of it at its best, halved
_ZSTD_STEP = 64  # bytes; a block of a few bytes makes 128 KiB
_ZSTD_WINDOW = 8 * 1024 * 1024  # what RFC 8878 wants of every decoder
_EITHER_ZLIB = 47  # gzip or zlib, whichever it is


class Undecodable(Exception):
    """An answer's body is not what its Content-Encoding says, or would become too large."""


class Decoder(Protocol):
    def feed(self, data: bytes) -> Iterator[bytes]:
        """What the next bytes stand for. Raises Undecodable."""


def decoder(encoding: str) -> Decoder | None:
    """For a Content-Encoding; None for one that needs none. Raises Undecodable for one that nobody here can read."""
    match encoding.strip().lower():
        case "" | "identity":
            return None
        case "gzip" | "x-gzip" | "deflate":
            return _Bounded(_Zlib())
        case "br":
            return _Bounded(_Brotli())
        case "zstd":
            return _Bounded(_Zstd())
        case _:
            raise Undecodable("The origin encoded its answer in a way that cannot be looked through for secrets.")


class _Bounded:
    def __init__(self, inner: Decoder) -> None:
        self._inner = inner

    def feed(self, data: bytes) -> Iterator[bytes]:
        made = 0
        try:
            for piece in self._inner.feed(data):
                made += len(piece)
                if made > MOST_AT_ONCE:
                    raise Undecodable("The origin's answer is far larger than the bytes it sent.")
                yield piece
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

    def feed(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), _ZSTD_STEP):
            yield self._inner.decompress(data[start : start + _ZSTD_STEP])
