"""Whole pages out of templates, with what all of them show: who looks, where one can go, how much waits."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from server.front.page.entrance import Viewer
from server.front.page.views import Views

VIEWS: Final = (
    ("/", "Running"),
    ("/waiting", "Waiting"),
    ("/decisions", "Decisions"),
    ("/traffic", "Traffic"),
    ("/why", "Why"),
)


@dataclass(frozen=True, slots=True)
class Rendering:
    views: Views
    pages: Environment

    def part(self, name: str, **context: Any) -> str:
        return self.pages.get_template(name).render(context)

    async def page(self, name: str, viewer: Viewer | None, status: int = HTTPStatus.OK, **context: Any) -> Response:
        waits = await self.views.waits(viewer) if viewer else 0
        whole = {"viewer": viewer, "views": VIEWS, "here": "", "said": "", "waits": waits, **context}
        return HTMLResponse(self.part(name, **whole), status)

    async def sentence(self, viewer: Viewer | None, sentence: str, status: int) -> Response:
        return await self.page("sentence.html", viewer, status, title="Not so", sentence=sentence)

    async def unusable(self, _: Request, exc: Exception) -> Response:
        """The database or the audit: what is kept there cannot be shown, or what is done could not be recorded."""
        return await self.sentence(None, f"This cannot be done now: {exc}", HTTPStatus.SERVICE_UNAVAILABLE)

    async def no_such(self, viewer: Viewer, what: str) -> Response:
        """The same whether it never was, is older than what is kept, or is somebody else's."""
        sentence = f"There is no such {what} of yours here; an older one is found by `sandgate audit show`."
        return await self.sentence(viewer, sentence, HTTPStatus.NOT_FOUND)
