"""What was found out before, for whoever asks exactly the same again: agents run the same tests many times an hour."""

from collections import OrderedDict
from collections.abc import Hashable


class Remembered[Asked: Hashable, Found]:
    """The answers used last, `most` of them. Only for what depends on nothing but what is asked. Not for two threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._found = OrderedDict[Asked, Found]()

    def get(self, asked: Asked) -> Found | None:
        if (found := self._found.get(asked)) is not None:
            self._found.move_to_end(asked)
        return found

    def put(self, asked: Asked, found: Found) -> None:
        self._found[asked] = found
        self._found.move_to_end(asked)
        if len(self._found) > self._most:
            self._found.popitem(last=False)
