"""Bodies on their way: what leaves is looked through for placeholders, what comes back for secrets. Nothing is held."""

from collections.abc import Callable

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

    def __call__(self, data: bytes) -> list[bytes]:
        """The next bytes; none of them is the end."""
        if self._over:
            return []
        if not data:
            return _some([self._scrubber.rest()])
        if self._decoder is None:
            return _some([self._scrubber.feed(self._count(data))])
        try:
            return _some([self._scrubber.feed(piece) for piece in self._decoder.feed(self._count(data))])
        except Undecodable as error:
            self._over = True
            self._spoilt(error)
            return []


def _some(pieces: list[bytes]) -> list[bytes]:
    """An empty chunk would say that the body is over."""
    return [piece for piece in pieces if piece]
