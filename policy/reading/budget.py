"""What one reading may cost. Small texts can be long to read: loops that are read for each item, values that double."""

from dataclasses import dataclass

UNITS = 40_000  # of about 10 µs: a statement, a word, eight bytes of text. A script of 400 lines takes 6,000


class TooMuch(Exception):
    """A text would cost more to read than any text may; says in what way."""


@dataclass(slots=True)
class Budget:
    left: int = UNITS

    def spend(self, units: int) -> None:
        self.left -= units
        if self.left < 0:
            raise TooMuch("the text would take too long to read")
