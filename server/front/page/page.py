"""The page: where each address leads, and what is looked at there."""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Literal

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from server.front.page.acts import Acts
from server.front.page.entrance import Viewer
from server.front.page.forms import number
from server.front.page.headers import Guarded
from server.front.page.live import STREAMS, Streams, answered, ended, output, parts, start_of, whole
from server.front.page.rendering import Rendering
from server.front.page.shown import FOLDER
from server.front.page.threshold import Threshold
from server.front.page.views import Context, Query, Views
from server.record.audit import AuditFailed
from server.sandbox.jobs import Job
from server.sandbox.session import Session

TITLES: Final = {
    "/": "What runs now",
    "/waiting": "What waits for a person",
    "/decisions": "What was decided",
    "/traffic": "What left",
}


@dataclass(frozen=True, slots=True)
class Page:
    views: Views
    rendering: Rendering
    threshold: Threshold
    acts: Acts
    streams: Streams

    def app(self) -> Starlette:
        failed = {OSError: self.rendering.unusable, AuditFailed: self.rendering.unusable}
        return Starlette(routes=self._routes(), middleware=[Middleware(Guarded)], exception_handlers=failed)

    def _routes(self) -> list[BaseRoute]:
        seen = self.threshold.seen
        return [
            Mount("/static", StaticFiles(directory=FOLDER / "static")),
            *self.threshold.routes(),
            *self.acts.routes(self.threshold),
            *(Route(path, seen(self._view)) for path in TITLES),
            *(Route(f"/live{path}", seen(self._live)) for path in TITLES),
            Route("/decisions/{id}", seen(self._decision)),
            Route("/sessions/{id}/{job}", seen(self._job)),
            Route("/sessions/{id}/{job}/{stream}", seen(self._whole)),
            Route("/live/sessions/{id}/{job}", seen(self._output)),
        ]

    # --- views -------------------------------------------------------------------------------------------------------

    async def _view(self, request: Request, viewer: Viewer) -> Response:
        path = request.url.path
        context = await self._context(path, viewer, request.query_params)
        query = f"?{request.url.query}" if request.url.query else ""
        return await self.rendering.page(
            "live.html",
            viewer,
            title=TITLES[path],
            said=await self.acts.said(viewer, request.query_params),
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
            viewer = await self.threshold.entrance.viewer(request)
            if viewer is None:
                return None
            await self.views.recent.catch_up()
            now = await self.views.standing(path, viewer)
            if now == before:
                return "same"
            before = now
            context = await self._context(path, viewer, request.query_params)
            waits = await self.views.waits(viewer)
            html = self.rendering.part(f"{_name(path)}.html", viewer=viewer, waits=waits, **context)
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
            return await self.rendering.no_such(viewer, "decision")
        job = self.views.output_of(viewer, found)
        return await self.rendering.page(
            "decision.html", viewer, title=f"Decision {found.id}", here="/decisions", it=found, job=job
        )

    async def _job(self, request: Request, viewer: Viewer) -> Response:
        found = self._found_job(request, viewer)
        if found is None:
            return await self.rendering.no_such(viewer, "job")
        session, job = found
        await self.views.recent.catch_up()
        shown = [start_of(job, "stdout"), start_of(job, "stderr")]
        return await self.rendering.page(
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
            return await self.rendering.no_such(viewer, "job")
        job = found[1]
        given = request.headers.get("last-event-id") or request.query_params.get("from", "")
        out, _, err = given.partition("-")
        offsets = (number(out), number(err))

        async def may_see() -> bool:
            now = await self.threshold.entrance.viewer(request)
            return now is not None and self._found_job(request, now) is not None

        return self._stream(lambda: answered(output(self.streams, job, offsets, may_see)))

    async def _whole(self, request: Request, viewer: Viewer) -> Response:
        """A file, and nothing that a browser would show: what is in it is an agent's."""
        found, stream = self._found_job(request, viewer), request.path_params["stream"]
        if found is None or stream not in STREAMS:
            return await self.rendering.no_such(viewer, "output")
        _, job = found
        headers = {"content-disposition": f'attachment; filename="{job.name}.{stream}"'}
        return StreamingResponse(whole(job, stream), media_type="application/octet-stream", headers=headers)

    def _found_job(self, request: Request, viewer: Viewer) -> tuple[Session, Job] | None:
        session = self.views.session(viewer, request.path_params["id"])
        job = session.jobs.get(request.path_params["job"]) if session else None
        return (session, job) if session and job else None

    def _stream(self, begin: Callable[[], Response]) -> Response:
        if self.streams.full:
            return Response(
                "too many pages are kept up already\n", HTTPStatus.SERVICE_UNAVAILABLE, {"retry-after": "30"}
            )
        return begin()


def _name(path: str) -> str:
    return path.strip("/") or "running"
