"""The real server in a process of its own, as end to end."""

from tests.end_to_end.conftest import anyio_backend

__all__ = ["anyio_backend"]
