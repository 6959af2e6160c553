"""The page put together for a server: with tokens over HTTP, and beside stdio for the person at this machine."""

from starlette.applications import Starlette

from server.app import App
from server.asks import Caller
from server.front.bearers import Bearers
from server.front.caller import caller_of
from server.front.doorway import origin_of
from server.front.page.acts import Acts
from server.front.page.entrance import Entrance
from server.front.page.live import Streams
from server.front.page.page import Page
from server.front.page.recent import Recent, Tail
from server.front.page.rendering import Rendering
from server.front.page.shown import templates
from server.front.page.threshold import Threshold
from server.front.page.views import Views
from server.judge.approvals import Approvals
from server.record.approval_rows import ApprovalRows


def page_of(app: App, bearers: Bearers | None, url: str) -> Starlette:
    """`bearers`: whose tokens are good here; none: only links let anybody in. `url`: how a browser on this machine comes."""

    async def verify(token: str) -> Caller | None:
        found = await bearers.verify_token(token) if bearers else None
        return caller_of(found) if found else None

    entrance = Entrance(verify, (origin_of(url),))

    async def link() -> str:
        return f"{url}/enter?key={entrance.link()}"

    app.page.make = link
    approvals = Approvals(ApprovalRows(app.settings.database), app.settings.approvals.pending_s)
    views = Views(app, approvals, Recent(Tail(app.settings.audit_file)))
    rendering = Rendering(views, templates())
    threshold, acts = Threshold(entrance, rendering, app.note), Acts(views, rendering)
    return Page(views, rendering, threshold, acts, Streams(lambda: app.page.is_over)).app()
