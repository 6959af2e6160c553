"""Where people come in and go out, and what stands before everything else: only who is known looks, only forms of ours act."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from server.front.page.entrance import Admitted, Entrance, Viewer, bearer, is_same
from server.front.page.forms import Form, read_form
from server.front.page.rendering import Rendering
from server.note import Note

NOT_OURS: Final = (
    "This did not come from a page of this server's, so nothing was done. Go back and try again; where a proxy stands "
    "before the server, http.public_url in its settings says how browsers reach it."
)

type Endpoint = Callable[[Request], Awaitable[Response]]
type Show = Callable[[Request, Viewer], Awaitable[Response]]
type Do = Callable[[Request, Viewer, Form], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Threshold:
    entrance: Entrance
    rendering: Rendering
    note: Note  # a line of the audit

    def routes(self) -> list[Route]:
        return [
            Route("/signin", self._sign_in_form),
            Route("/signin", self._sign_in, methods=["POST"]),
            Route("/enter", self._enter),
            Route("/signout", self.told(self._sign_out), methods=["POST"]),
        ]

    def seen(self, show: Show) -> Endpoint:
        """For those that are known; a browser is led to where it becomes so."""

        async def answer(request: Request) -> Response:
            viewer = await self.entrance.viewer(request)
            return await show(request, viewer) if viewer else self._unknown(request)

        return answer

    def told(self, do: Do) -> Endpoint:
        """A form. A browser sends one only from a page of ours, with what that page was given; others ask in its name."""

        async def answer(request: Request) -> Response:
            viewer = await self.entrance.viewer(request)
            if viewer is None:
                return self._unknown(request)
            form = await read_form(request)
            if form is None:
                return await self.rendering.sentence(viewer, "That is no form of this page's.", HTTPStatus.BAD_REQUEST)
            ours = self.entrance.is_from_here(request) and is_same(form.get("form", ""), viewer.form)
            if bearer(request) is None and not ours:
                return await self.rendering.sentence(viewer, NOT_OURS, HTTPStatus.FORBIDDEN)
            return await do(request, viewer, form)

        return answer

    def _unknown(self, request: Request) -> Response:
        if bearer(request) is None and request.method == "GET" and not request.url.path.startswith("/live"):
            return RedirectResponse("/signin", HTTPStatus.SEE_OTHER)
        return Response(
            "sign in, or send a good bearer token\n", HTTPStatus.UNAUTHORIZED, {"www-authenticate": "Bearer"}
        )

    async def _sign_in_form(self, _: Request) -> Response:
        return await self.rendering.page("signin.html", None, title="Sign in")

    async def _sign_in(self, request: Request) -> Response:
        if not self.entrance.is_from_here(request):
            return await self.rendering.sentence(None, NOT_OURS, HTTPStatus.FORBIDDEN)
        token = ((await read_form(request)) or {}).get("token", "").strip()
        admitted = await self.entrance.sign_in(token) if token else None
        if admitted is None:
            said = "That token is not good. It is what `sandgate token new` printed."
            return await self.rendering.page("signin.html", None, HTTPStatus.UNAUTHORIZED, title="Sign in", said=said)
        return self._let_in(request, admitted, "token")

    async def _enter(self, request: Request) -> Response:
        admitted = self.entrance.use_link(request.query_params.get("key", ""))
        if admitted is None:
            sentence = "This link has been used, or is too old. `sandgate page` prints a new one."
            return await self.rendering.sentence(None, sentence, HTTPStatus.FORBIDDEN)
        return self._let_in(request, admitted, "link")

    def _let_in(self, request: Request, admitted: Admitted, how: str) -> Response:
        address = request.client.host if request.client else ""
        self.note("page.entered", {"caller": admitted.caller.id, "with": how, "address": address})
        response = RedirectResponse("/", HTTPStatus.SEE_OTHER)
        self.entrance.set_cookie(request, response, admitted.cookie)
        return response

    async def _sign_out(self, request: Request, _: Viewer, __: Form) -> Response:
        self.entrance.sign_out(request)
        response = RedirectResponse("/signin", HTTPStatus.SEE_OTHER)
        self.entrance.set_cookie(request, response, "")
        return response
