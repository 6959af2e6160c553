"""/metrics: what a Prometheus server fetches, for a caller who sees what is everybody's."""

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from server.app import App
from server.front.caller import NoCaller, request_caller


def metrics_route(app: App) -> Route:
    async def metrics(_: Request) -> Response:
        try:
            caller = request_caller()
        except NoCaller as exc:
            return JSONResponse({"error": str(exc)}, HTTPStatus.UNAUTHORIZED, headers={"www-authenticate": "Bearer"})
        if not caller.sees_all:
            told = (
                "metrics are everybody's: this needs the role auditor or admin (sandgate token new NAME --role auditor)"
            )
            return JSONResponse({"error": told}, HTTPStatus.FORBIDDEN)
        text, kind = app.metrics.render(await app.standing())
        return Response(text, media_type=kind)

    return Route("/metrics", metrics)
