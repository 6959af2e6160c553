"""What each view shows to whoever looks: their own, or everything where their role says so."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Literal
from urllib.parse import urlencode

import anyio.to_thread

from server.app import App
from server.front.page.charts import Series, per_minute, share, stacked
from server.front.page.entrance import Viewer
from server.front.page.forms import number
from server.front.page.live import ended
from server.front.page.recent import Decision, Flow, Line, Recent, seconds
from server.judge.approvals import Approval, Approvals, Scope
from server.sandbox.jobs import Job
from server.sandbox.session import Session

JOBS: Final = 6  # of a session, the newest
NEWEST: Final = 10
PAGE: Final = 100
HOSTS: Final = 50
FLOWS: Final = 100
EFFECTS: Final = ("allow", "ask", "deny")
ANSWERS: Final = (("once", "Allow once"), ("session", "Allow in this session"), ("deny", "Deny"))
SCOPES: Final = {"once": "once", "time": "for a while", "session": "in its session"}

type Answer = Literal["once", "session", "minutes", "deny", "revoke"]
type Query = Mapping[str, str]
type Context = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Views:
    """Each makes what its template needs. `clock`: seconds since 1970."""

    app: App
    approvals: Approvals
    recent: Recent
    clock: Callable[[], float] = time.time

    async def questions(self, viewer: Viewer) -> list[Approval]:
        """Questions, open or answered, that this viewer may answer, has asked, or sees because it sees all."""
        live = await anyio.to_thread.run_sync(self.approvals.live)
        return [each for each in live if viewer.answers or viewer.sees(each.caller)]

    async def waits(self, viewer: Viewer) -> int:
        return sum(each.state == "pending" for each in await self.questions(viewer))

    async def answer(self, question: Approval, answer: Answer, viewer: Viewer, for_s: float | None) -> None:
        """What the person says of it. Raises NoSuchApproval where somebody else was quicker."""
        by = f"{viewer.caller.id} on the page"

        def write() -> None:
            if answer == "revoke":
                self.approvals.revoke(question.id, by=by)
                return
            scope: Scope = "session" if answer == "session" else "once"
            self.approvals.answer_now(question.id, yes=answer != "deny", by=by, for_s=for_s, scope=scope)

        await anyio.to_thread.run_sync(write)
        self.app.tell_answers()

    async def standing(self, path: str, viewer: Viewer) -> object:
        """Equal to what it was before where that view would show the same again: to find out costs less than to show it."""
        questions = [(each.id, each.state) for each in await self.questions(viewer)]
        jobs = [(each.id, each.state, self._jobs(each)) for each in self.sessions(viewer)] if path == "/" else []
        warm = (await self.app.standing()).warm if path == "/" else {}
        return (viewer, self.recent.version, self.clock() // 60, questions, jobs, warm)

    async def running(self, viewer: Viewer, _: Query) -> Context:
        sessions, warm = self.sessions(viewer), (await self.app.standing()).warm
        return {
            "sessions": [self._session(session) for session in sessions],
            "busy": sum(job.has_processes for session in sessions for job in session.jobs.values()),
            "warm": sum(warm.values()),
            "pool": warm if viewer.sees_all else {},
            "notable": _told(self.recent.notable) if viewer.sees_all else [],
            "newest": list(islice(self.decided(viewer), NEWEST)),
        }

    async def decisions(self, viewer: Viewer, query: Query) -> Context:
        every = list(self.decided(viewer))
        chosen = {name: query[name] for name in ("verdict", "caller", "rule", "tool") if query.get(name)}
        found = [decision for decision in every if _is_like(decision, chosen)]
        first = number(query.get("from", ""))
        return {
            "filters": _filters(every),
            "chosen": chosen,
            "count": len(found),
            "shown": found[first : first + PAGE],
            "first": first,
            "newer": _link(chosen, max(0, first - PAGE)) if first else "",
            "older": _link(chosen, first + PAGE) if first + PAGE < len(found) else "",
            **self._effects_over_time(found),
        }

    async def traffic(self, viewer: Viewer, _: Query) -> Context:
        flows = [flow for flow in reversed(self.recent.flows) if viewer.sees(flow.owner)]
        now = self.clock()
        series = [
            Series("down", per_minute(((flow.time, flow.down) for flow in flows), now)),
            Series("up", per_minute(((flow.time, flow.up) for flow in flows), now)),
        ]
        return {
            "series": series,
            "now": now - now % 60,
            "chart": stacked(series, "Bytes in and out of sandboxes in the last hour, by minute"),
            "hosts": _hosts(flows),
            "newest": flows[:FLOWS],
        }

    async def waiting(self, viewer: Viewer, _: Query) -> Context:
        every = [(each, viewer.may_answer(each.caller)) for each in await self.questions(viewer)]
        return {
            "questions": [(each, may) for each, may in every if each.state == "pending"],
            "given": [(each, may) for each, may in every if each.state == "allowed"],
            "answers": ANSWERS,
            "scopes": SCOPES,
        }

    # --- one of them -------------------------------------------------------------------------------------------------

    def decision(self, viewer: Viewer, name: str) -> Decision | None:
        found = self.recent.decisions.get(name)
        return found if found and viewer.sees(found.caller) else None

    def session(self, viewer: Viewer, name: str) -> Session | None:
        return next((session for session in self.sessions(viewer) if session.id == name), None)

    def output_of(self, viewer: Viewer, decision: Decision) -> str:
        """Where the output of the job lies that it became, as far as that is still there."""
        for session in self.sessions(viewer):
            for job in session.jobs.values():
                if job.decision_id == decision.id:
                    return f"/sessions/{session.id}/{job.name}"
        return ""

    def what(self, job: Job) -> str:
        """The call that a job came from, as the audit keeps it."""
        found = self.recent.decisions.get(job.decision_id)
        return found.what if found else ""

    # --- pieces ------------------------------------------------------------------------------------------------------

    def sessions(self, viewer: Viewer) -> list[Session]:
        found = (session for session in self.app.gateway.sessions.at_hand() if viewer.sees(session.owner))
        return sorted(found, key=lambda session: session.opened, reverse=True)

    def decided(self, viewer: Viewer) -> Iterable[Decision]:
        """The newest first."""
        return (each for each in reversed(self.recent.decisions.values()) if viewer.sees(each.caller))

    def _session(self, session: Session) -> Context:
        jobs = list(reversed(session.jobs.values()))
        return {
            "id": session.id,
            "name": session.name,
            "owner": session.owner,
            "environment": session.spec.environment,
            "state": session.state,
            "opened": session.opened,
            "used": session.used,
            "ends": session.ends,
            "jobs": [self._job(job) for job in jobs[:JOBS]],
            "more_jobs": max(0, len(jobs) - JOBS),
        }

    def _jobs(self, session: Session) -> list[tuple[str, str, int]]:
        return [
            (job.name, job.status, sum(spool.total for spool in job.streams.values())) for job in session.jobs.values()
        ]

    def _job(self, job: Job) -> Context:
        return {
            "name": job.name,
            "what": self.what(job)[:300] or job.shown,
            "status": ended(job),
            "busy": job.has_processes,
            "bytes": sum(spool.total for spool in job.streams.values()),
        }

    def _effects_over_time(self, found: list[Decision]) -> Context:
        now = self.clock()
        series = [
            Series(effect, per_minute(((each.time, 1) for each in found if each.effect == effect), now))
            for effect in EFFECTS
        ]
        return {
            "series": series,
            "now": now - now % 60,
            "chart": stacked(series, "Decisions in the last hour, by minute"),
        }


def _told(lines: Iterable[Line]) -> list[Context]:
    """The newest of what an operator should see, each in a sentence of its fields, and where it is said again, once."""
    once: dict[str, Context] = {}
    for line in reversed(list(lines)):
        said = _fields(line)
        once.setdefault(said, {"time": seconds(line.get("time")), "kind": line["kind"], "said": said})
    return list(islice(once.values(), NEWEST))


def _fields(line: Line) -> str:
    if isinstance(sentence := line.get("sentence"), str):
        return sentence
    apart = ("time", "kind", "previous", "sequence", "decision_id")
    return ", ".join(
        f"{name} {value}" for name, value in line.items() if name not in apart and value not in (None, "", [])
    )


def _is_like(decision: Decision, chosen: Query) -> bool:
    facts: dict[str, tuple[str, ...]] = {
        "verdict": (decision.effect,),
        "caller": (decision.caller,),
        "tool": (decision.tool,),
    }
    facts["rule"] = tuple(str(rule.get("id")) for rule in decision.rules)
    return all(value in facts[name] for name, value in chosen.items())


def _filters(every: list[Decision]) -> list[tuple[str, str, list[str], str]]:
    """Name, label, choices, and the word for any."""
    rules = {str(rule.get("id")) for each in every for rule in each.rules}
    return [
        ("verdict", "Verdict", list(EFFECTS), "any"),
        ("caller", "Caller", sorted({each.caller for each in every}), "anybody"),
        ("rule", "Rule", sorted(rules), "any"),
        ("tool", "Tool", sorted({each.tool for each in every}), "any"),
    ]


def _link(chosen: Query, first: int) -> str:
    return f"/decisions?{urlencode({**chosen, **({'from': str(first)} if first else {})})}"


def _hosts(flows: list[Flow]) -> list[Context]:
    """By host, those with the most bytes first."""
    found: dict[str, Context] = {}
    for flow in flows:
        name = f"{flow.host}:{flow.port}"
        host = found.setdefault(name, {"name": name, "passed": 0, "refused": 0, "up": 0, "down": 0})
        host["refused" if flow.refused else "passed"] += flow.count
        host["up"] += flow.up
        host["down"] += flow.down
    ranked = sorted(found.values(), key=lambda host: (-(host["up"] + host["down"]), -host["refused"], host["name"]))
    most = max((host["up"] + host["down"] for host in ranked), default=0)
    for host in ranked[:HOSTS]:
        host["bar"] = share([Series("down", [host["down"]]), Series("up", [host["up"]])], most)
    return ranked[:HOSTS]
