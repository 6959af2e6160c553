"""The folder of a server of one's own, as tests of the whole use it."""

from tests.end_to_end.conftest import folder

__all__ = ["folder"]
