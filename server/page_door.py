"""The page as the rest of the server sees it: what the operator's socket asks of it, and that it should come to its end."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass


class NoPage(Exception):
    """This server shows no page."""


@dataclass(slots=True)
class PageDoor:
    """A front that has a page says how a link to it is made. is_over: what is kept open for browsers ends by itself."""

    make: Callable[[], Awaitable[str]] | None = None
    is_over: bool = False

    async def link(self) -> str:
        """Good once, for a few minutes. Raises NoPage."""
        if self.make is None:
            raise NoPage("this server shows no page")
        return await self.make()
