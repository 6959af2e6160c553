import gc
import weakref

import pytest

from server.unswept import unswept


class Knot:
    """Nothing but a sweep ends it."""

    def __init__(self) -> None:
        self.itself = self


def test_nothing_is_swept_meanwhile_and_all_of_it_is_old_afterwards() -> None:
    with unswept():
        assert not gc.isenabled()
        knot = Knot()

    assert gc.isenabled()
    assert any(knot is each for each in gc.get_objects(generation=2))


def test_what_was_made_can_still_be_swept() -> None:
    with unswept():
        gone = weakref.ref(Knot())
    gc.collect()

    assert gone() is None


def test_what_fails_leaves_it_as_it_was() -> None:
    with pytest.raises(ImportError), unswept():
        raise ImportError

    assert gc.isenabled()
