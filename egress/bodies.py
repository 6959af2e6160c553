"""Bodies on their way: what leaves is looked through for placeholders, what comes back for secrets. Nothing is held."""

from collections.abc import Callable, Iterator

from egress.decoding import Decoder, Undecodable
from egress.scrub import Scrubber
from egress.swap import LONGEST_TOKEN, MARK, TOKEN

type Count = Callable[[bytes], bytes]


class Upload:
    """A request's body. `found` is called once, at the first placeholder in it; from there on nothing goes out."""

    def __init__(self, count: Count, found: Callable[[bytes], None]) -> None:
        self._count, self._found = count, found
        self._tail = b""
        self._over = False

    def __call__(self, data: bytes) -> list[bytes]:
        if self._over or not data:
            return []
        seen = self._tail + data
        if MARK in seen and TOKEN.search(seen):
            self._over = True
            self._found(seen)
            return []
        self._tail = seen[-2 * LONGEST_TOKEN :]
        return [self._count(data)]


class Download:
    """An answer's body, decoded where it has to be, without secrets. `spoilt` is told where that cannot be done."""

    def __init__(
        self, count: Count, scrubber: Scrubber, decoder: Decoder | None, spoilt: Callable[[Undecodable], None]
    ) -> None:
        self._count, self._scrubber, self._decoder, self._spoilt = count, scrubber, decoder, spoilt
        self._over = False

    def __call__(self, data: bytes) -> Iterator[bytes]:
        """The next bytes, made as they are taken; none of them is the end. Where not all are taken, no more come."""
        if self._over:
            return
        self._over = True
        try:
            yield from filter(None, self._pieces(data))  # an empty chunk would say that the body is over
        except Undecodable as error:
            self._spoilt(error)
            return
        self._over = False

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        if not data:
            yield self._scrubber.rest()
        elif self._decoder is None:
            yield self._scrubber.feed(self._count(data))
        else:
            yield from map(self._scrubber.feed, self._decoder.feed(self._count(data)))
