"""A bound on bytes that a parser has taken and nobody has made sense of yet."""

HELD_BYTES = 192 * 1024  # three reads may be under way before a parsed head is known; the parser's own bound is exact


class Held:
    """Counts while it is on; mitmproxy itself would hold an unfinished head of any length."""

    def __init__(self) -> None:
        self._on = True
        self._bytes = 0

    def at_once(self, wanted: int, piece: int) -> int:
        """How much may be read now: a piece of a body, or what is asked for while it is not known to be one."""
        return wanted if self._on else piece

    def takes(self, size: int) -> bool:
        """Count so many more bytes; False once too many are held."""
        if not self._on:
            return True
        self._bytes += size
        return self._bytes <= HELD_BYTES

    def lift(self) -> None:
        self._on = False

    def restart(self) -> None:
        self._on = True
        self._bytes = 0
