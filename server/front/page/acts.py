"""What people do on the page: answer a question of an agent's, and ask the policy why."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, cast, get_args
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from policy.question import Op
from policy.verdict import Denied
from server.asks import Target
from server.front.dry_run import Asked, dry_run
from server.front.page.entrance import Viewer
from server.front.page.forms import Form, number
from server.front.page.rendering import Rendering
from server.front.page.threshold import Threshold
from server.front.page.views import Answer, Query, Views
from server.judge.approvals import NoSuchApproval, OnceOnly
from server.judge.limits import TooMany
from server.record.audit import AuditFailed

MOST_MINUTES: Final = 1440
OPS: Final = get_args(Op.__value__)
# What is said after an answer, and how the question then stands.
SAID: Final = {
    "once": ("is allowed, once, for exactly that call.", ("allowed", "used")),
    "session": ("is allowed in this session from now on.", ("allowed",)),
    "minutes": ("is allowed for that long.", ("allowed",)),
    "deny": ("is denied; the agent reads that when it asks again.", ("denied",)),
    "revoke": ("is no longer allowed; what it let through already is not undone.", ("denied",)),
    "late": ("waits no more: somebody has answered it, or its time was over.", ("allowed", "used", "denied", "gone")),
}


@dataclass(frozen=True, slots=True)
class Acts:
    views: Views
    rendering: Rendering

    def routes(self, threshold: Threshold) -> list[Route]:
        return [
            Route("/waiting/{id}", threshold.told(self._answer), methods=["POST"]),
            Route("/why", threshold.seen(self._why)),
            Route("/why", threshold.told(self._tell_why), methods=["POST"]),
        ]

    async def _answer(self, request: Request, viewer: Viewer, form: Form) -> Response:
        name = request.path_params["id"]
        question = next((each for each in await self.views.questions(viewer) if each.id == name), None)
        if question is None:
            return _answered("late", name)
        if not viewer.may_answer(question.caller):
            sentence = "Only somebody with the role approver answers, and never a question of their own."
            return await self.rendering.sentence(viewer, sentence, HTTPStatus.FORBIDDEN)
        answer, minutes = form.get("answer", ""), number(form.get("minutes", ""))
        if answer not in get_args(Answer.__value__) or (answer == "minutes" and not 0 < minutes <= MOST_MINUTES):
            return await self.rendering.sentence(viewer, "That is no answer to it.", HTTPStatus.BAD_REQUEST)
        try:
            await self.views.answer(
                question, cast("Answer", answer), viewer, minutes * 60.0 if answer == "minutes" else None
            )
        except NoSuchApproval:
            return _answered("late", name)
        except OnceOnly as exc:
            return await self.rendering.sentence(viewer, str(exc), HTTPStatus.BAD_REQUEST)
        return _answered(answer, name)

    async def said(self, viewer: Viewer, query: Query) -> str:
        """After an answer: what became of it. An address alone makes nobody believe it."""
        for answer, (words, states) in SAID.items():
            if name := query.get(answer):
                found: list[str] = [each.state for each in await self.views.questions(viewer) if each.id == name]
                return f"{name} {words}" if (found or ["gone"])[0] in states else ""
        return ""

    async def _why(self, _: Request, viewer: Viewer) -> Response:
        return await self._why_page(viewer, {})

    async def _tell_why(self, _: Request, viewer: Viewer, form: Form) -> Response:
        asked = {name: form[name] for name in ("command", "path", "op", "host") if form.get(name)}
        op = asked.get("op") if asked.get("op") in OPS else "read"
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
            effect=verdict.effect,
            rules=[{"id": rule.id, "reason": rule.reason, "help": rule.help} for rule in verdict.rules],
            commands=[command.argv for command in facts.reading.commands],
            paths=[f"{use.op} {use.resolved}" for use in facts.paths],
            revision=verdict.revision,
        )

    async def _why_page(self, viewer: Viewer, asked: Form, **more: Any) -> Response:
        empty = {"sentence": "", "effect": "", "rules": [], "commands": [], "paths": [], "revision": ""}
        return await self.rendering.page(
            "why.html", viewer, title="Why", here="/why", asked=asked, ops=OPS, **{**empty, **more}
        )


def _answered(answer: str, question: str) -> Response:
    return RedirectResponse(f"/waiting?{urlencode({answer: question[:32]})}", HTTPStatus.SEE_OTHER)
