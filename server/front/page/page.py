"""The page: where each address leads, who may look at it, and what a browser is told so that nothing but ours runs in it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Literal, cast, get_args
from urllib.parse import parse_qsl, urlencode

from jinja2 import Environment
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from policy.question import Op
from policy.verdict import Allow, Ask, Denied, Deny
from server.call import Target
from server.front.dry_run import Asked, dry_run
from server.front.page.entrance import Entrance, Viewer, bearer, is_same
from server.front.page.live import Streams, answered, ended, output, parts, start_of
from server.front.page.shown import FOLDER
from server.front.page.views import Answer, Context, Query, Views
from server.judge.approvals import NoSuchApproval
from server.judge.limits import TooMany
from server.record.audit import AuditFailed
from server.sandbox.jobs import Job
from server.sandbox.session import Session

MOST_FORM: Final = 256 * 1024  # bytes; the longest command that shell takes fits in
MOST_MINUTES: Final = 1440
TITLES: Final = {
    "/": "What runs now",
    "/waiting": "What waits for a person",
    "/decisions": "What was decided",
    "/traffic": "What left",
}
VIEWS: Final = (
    ("/", "Running"),
    ("/waiting", "Waiting"),
    ("/decisions", "Decisions"),
    ("/traffic", "Traffic"),
    ("/why", "Why"),
)
SAID: Final = {
    "once": "is allowed, once; the agent makes the same call again.",
    "session": "is allowed in this session from now on.",
    "minutes": "is allowed for that long.",
    "deny": "is denied; the agent reads that when it asks again.",
    "revoke": "is no longer allowed; what it let through already is not undone.",
    "late": "waits no more: somebody has answered it, or its time was over.",
}
# Nothing is loaded from anywhere but here, nothing written into a page runs, and no other page can frame ours.
HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # with none at all a browser would not say where a form came from
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}

type Form = Mapping[str, str]
type Show = Callable[[Request, Viewer], Awaitable[Response]]
type Do = Callable[[Request, Viewer, Form], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Page:
    views: Views
    entrance: Entrance
    streams: Streams
    pages: Environment

    def app(self) -> Starlette:
        unusable = {OSError: self._unusable}
        return Starlette(routes=self._routes(), middleware=[Middleware(Guarded)], exception_handlers=unusable)

    def _routes(self) -> list[BaseRoute]:
        seen, told = self._seen, self._told
        return [
            Mount("/static", StaticFiles(directory=FOLDER / "static")),
            Route("/signin", self._sign_in_form),
            Route("/signin", self._sign_in, methods=["POST"]),
            Route("/enter", self._enter),
            Route("/signout", told(self._sign_out), methods=["POST"]),
            *(Route(path, seen(self._view)) for path in TITLES),
            *(Route(f"/live{path}", seen(self._live)) for path in TITLES),
            Route("/decisions/{id}", seen(self._decision)),
            Route("/sessions/{id}/{job}", seen(self._job)),
            Route("/live/sessions/{id}/{job}", seen(self._output)),
            Route("/waiting/{id}", told(self._answer), methods=["POST"]),
            Route("/why", seen(self._why)),
            Route("/why", told(self._tell_why), methods=["POST"]),
        ]

    # --- who ---------------------------------------------------------------------------------------------------------

    def _seen(self, show: Show) -> Callable[[Request], Awaitable[Response]]:
        """For those that are known; a browser is led to where it becomes so."""

        async def answer(request: Request) -> Response:
            viewer = await self.entrance.viewer(request)
            return await show(request, viewer) if viewer else self._unknown(request)

        return answer

    def _told(self, do: Do) -> Callable[[Request], Awaitable[Response]]:
        """A form. A browser sends one only from a page of ours, with what that page was given; others ask in its name."""

        async def answer(request: Request) -> Response:
            viewer = await self.entrance.viewer(request)
            if viewer is None:
                return self._unknown(request)
            form = await _form(request)
            if form is None:
                return await self._sentence(viewer, "That is no form of this page's.", HTTPStatus.BAD_REQUEST)
            by_program = bearer(request) is not None
            if not by_program and not (
                self.entrance.is_from_here(request) and is_same(form.get("form", ""), viewer.form)
            ):
                sentence = "This did not come from a page of this server's, so nothing was done. Go back and try again."
                return await self._sentence(viewer, sentence, HTTPStatus.FORBIDDEN)
            return await do(request, viewer, form)

        return answer

    def _unknown(self, request: Request) -> Response:
        if bearer(request) is None and request.method == "GET" and not request.url.path.startswith("/live"):
            return RedirectResponse("/signin", HTTPStatus.SEE_OTHER)
        return Response(
            "sign in, or send a good bearer token\n", HTTPStatus.UNAUTHORIZED, {"www-authenticate": "Bearer"}
        )

    async def _sign_in_form(self, _: Request) -> Response:
        return await self._page("signin.html", None, title="Sign in")

    async def _sign_in(self, request: Request) -> Response:
        form = await _form(request) if self.entrance.is_from_here(request) else None
        token = (form or {}).get("token", "").strip()
        cookie = await self.entrance.sign_in(token) if token else None
        if cookie is None:
            said = "That token is not good. It is what `sandgate token new` printed."
            return await self._page("signin.html", None, HTTPStatus.UNAUTHORIZED, title="Sign in", said=said)
        return self._let_in(request, cookie)

    async def _enter(self, request: Request) -> Response:
        cookie = self.entrance.use_link(request.query_params.get("key", ""))
        if cookie is None:
            sentence = "This link has been used, or is too old. `sandgate page` prints a new one."
            return await self._sentence(None, sentence, HTTPStatus.FORBIDDEN)
        return self._let_in(request, cookie)

    def _let_in(self, request: Request, cookie: str) -> Response:
        response = RedirectResponse("/", HTTPStatus.SEE_OTHER)
        self.entrance.set_cookie(request, response, cookie)
        return response

    async def _sign_out(self, request: Request, _: Viewer, __: Form) -> Response:
        self.entrance.sign_out(request)
        response = RedirectResponse("/signin", HTTPStatus.SEE_OTHER)
        self.entrance.set_cookie(request, response, "")
        return response

    # --- views -------------------------------------------------------------------------------------------------------

    async def _view(self, request: Request, viewer: Viewer) -> Response:
        path = request.url.path
        context = await self._context(path, viewer, request.query_params)
        query = f"?{request.url.query}" if request.url.query else ""
        return await self._page(
            "live.html",
            viewer,
            title=TITLES[path],
            said=_said(request.query_params),
            part=f"{_name(path)}.html",
            above="filters.html" if path == "/decisions" else "",
            live=f"/live{path}{query}",
            here=path,
            **context,
        )

    async def _live(self, request: Request, _: Viewer) -> Response:
        path = request.url.path.removeprefix("/live")

        before: object = None

        async def render() -> dict[str, Any] | Literal["same"] | None:
            nonlocal before
            viewer = await self.entrance.viewer(request)
            if viewer is None:
                return None
            await self.views.recent.catch_up()
            now = await self.views.standing(path, viewer)
            if now == before:
                return "same"
            before = now
            context = await self._context(path, viewer, request.query_params)
            waits = await self.views.waits(viewer)
            html = self.pages.get_template(f"{_name(path)}.html").render(viewer=viewer, waits=waits, **context)
            return {"html": html, "waits": waits}

        return self._stream(lambda: answered(parts(self.streams, render)))

    async def _context(self, path: str, viewer: Viewer, query: Query) -> Context:
        await self.views.recent.catch_up()
        show = {
            "/": self.views.running,
            "/waiting": self.views.waiting,
            "/decisions": self.views.decisions,
            "/traffic": self.views.traffic,
        }[path]
        return await show(viewer, query)

    async def _decision(self, request: Request, viewer: Viewer) -> Response:
        await self.views.recent.catch_up()
        found = self.views.decision(viewer, request.path_params["id"])
        if found is None:
            return await self._no_such(viewer, "decision")
        job = self.views.output_of(viewer, found)
        return await self._page(
            "decision.html", viewer, title=f"Decision {found.id}", here="/decisions", it=found, job=job
        )

    async def _job(self, request: Request, viewer: Viewer) -> Response:
        found = self._found_job(request, viewer)
        if found is None:
            return await self._no_such(viewer, "job")
        session, job = found
        await self.views.recent.catch_up()
        shown = [start_of(job, "stdout"), start_of(job, "stderr")]
        return await self._page(
            "job.html",
            viewer,
            title=f"Job {job.name} of {session.name}",
            here="/",
            session=session,
            job=job,
            what=self.views.what(job),
            went=ended(job),
            streams=[(each.stream, each.text, each.left_out) for each in shown],
            live=f"/live/sessions/{session.id}/{job.name}?from={shown[0].next_offset}-{shown[1].next_offset}",
        )

    async def _output(self, request: Request, viewer: Viewer) -> Response:
        found = self._found_job(request, viewer)
        if found is None:
            return await self._no_such(viewer, "job")
        job = found[1]
        given = request.headers.get("last-event-id") or request.query_params.get("from", "")
        offsets = [int(part) if part.isdecimal() else 0 for part in (*given.split("-", 1), "", "")[:2]]

        async def may_see() -> bool:
            now = await self.entrance.viewer(request)
            return now is not None and self._found_job(request, now) is not None

        return self._stream(lambda: answered(output(self.streams, job, (offsets[0], offsets[1]), may_see)))

    def _found_job(self, request: Request, viewer: Viewer) -> tuple[Session, Job] | None:
        session = self.views.session(viewer, request.path_params["id"])
        job = session.jobs.get(request.path_params["job"]) if session else None
        return (session, job) if session and job else None

    # --- answers and questions ---------------------------------------------------------------------------------------

    async def _answer(self, request: Request, viewer: Viewer, form: Form) -> Response:
        name = request.path_params["id"]
        question = next((each for each in await self.views.questions(viewer) if each.id == name), None)
        if question is None:
            return _answered("late", name)
        if not viewer.may_answer(question.caller):
            sentence = "Only somebody with the role approver answers, and never a question of their own."
            return await self._sentence(viewer, sentence, HTTPStatus.FORBIDDEN)
        answer, minutes = form.get("answer", ""), form.get("minutes", "")
        for_s = 60.0 * int(minutes) if answer == "minutes" and minutes.isdecimal() else None
        if answer not in get_args(Answer.__value__) or (answer == "minutes" and not _is_while(for_s)):
            return await self._sentence(viewer, "That is no answer to it.", HTTPStatus.BAD_REQUEST)
        try:
            await self.views.answer(question, cast("Answer", answer), viewer, for_s)
        except NoSuchApproval:
            return _answered("late", name)
        return _answered(answer, name)

    async def _why(self, _: Request, viewer: Viewer) -> Response:
        return await self._why_page(viewer, {})

    async def _tell_why(self, _: Request, viewer: Viewer, form: Form) -> Response:
        asked = {name: form[name] for name in ("command", "path", "op", "host") if form.get(name)}
        op = asked.get("op", "read")
        if op not in get_args(Op.__value__):
            op = "read"
        target = Target("default", self.views.app.settings.environment)
        question = Asked(asked.get("command"), asked.get("path"), cast("Op", op), asked.get("host"))
        try:
            said = await dry_run(self.views.app.gateway, viewer.caller, target, question)
        except (Denied, TooMany, AuditFailed) as exc:
            return await self._why_page(viewer, asked, sentence=str(exc))
        if isinstance(said, str):
            return await self._why_page(viewer, asked, sentence=said)
        facts, verdict = said
        return await self._why_page(
            viewer,
            asked,
            effect={Allow: "allow", Ask: "ask", Deny: "deny"}[type(verdict)],
            rules=[{"id": rule.id, "reason": rule.reason, "help": rule.help} for rule in verdict.rules],
            commands=[command.argv for command in facts.reading.commands],
            paths=[f"{use.op} {use.resolved}" for use in facts.paths],
            revision=verdict.revision,
        )

    async def _why_page(self, viewer: Viewer, asked: Form, **more: Any) -> Response:
        empty = {"sentence": "", "effect": "", "rules": [], "commands": [], "paths": [], "revision": ""}
        ops = get_args(Op.__value__)
        return await self._page("why.html", viewer, title="Why", here="/why", asked=asked, ops=ops, **{**empty, **more})

    # --- answering ---------------------------------------------------------------------------------------------------

    async def _page(self, name: str, viewer: Viewer | None, status: int = HTTPStatus.OK, **context: Any) -> Response:
        waits = await self.views.waits(viewer) if viewer else 0
        whole = {"viewer": viewer, "views": VIEWS, "here": "", "said": "", "waits": waits, **context}
        return HTMLResponse(self.pages.get_template(name).render(whole), status)

    async def _sentence(self, viewer: Viewer | None, sentence: str, status: int) -> Response:
        return await self._page("sentence.html", viewer, status, title="Not so", sentence=sentence)

    async def _unusable(self, _: Request, exc: Exception) -> Response:
        """The database, mostly: what is kept in it cannot be shown, and nothing can be answered."""
        return await self._sentence(None, f"This cannot be shown now: {exc}", HTTPStatus.SERVICE_UNAVAILABLE)

    async def _no_such(self, viewer: Viewer, what: str) -> Response:
        """The same whether it never was, is older than what is kept, or is somebody else's."""
        sentence = f"There is no such {what} of yours here; an older one is found by `sandgate audit show`."
        return await self._sentence(viewer, sentence, HTTPStatus.NOT_FOUND)

    def _stream(self, begin: Callable[[], Response]) -> Response:
        if self.streams.full:
            return Response(
                "too many pages are kept up already\n", HTTPStatus.SERVICE_UNAVAILABLE, {"retry-after": "30"}
            )
        return begin()


def _answered(answer: str, question: str) -> Response:
    return RedirectResponse(f"/waiting?{urlencode({answer: question[:32]})}", HTTPStatus.SEE_OTHER)


def _is_while(for_s: float | None) -> bool:
    return for_s is not None and 0 < for_s <= MOST_MINUTES * 60


async def _form(request: Request) -> Form | None:
    """A form's fields; None for what is none, or is too long."""
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return None
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_FORM:
            return None
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=20))
    except ValueError:
        return None


def _said(query: Query) -> str:
    """After an answer: what became of it, in our words."""
    return next((f"{query[name][:32]} {words}" for name, words in SAID.items() if name in query), "")


def _name(path: str) -> str:
    return path.strip("/") or "running"


class Guarded:
    """ASGI: every answer of the page goes out with HEADERS."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        await self._app(scope, receive, guarded)
