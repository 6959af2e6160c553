"""What the gate tells of requests, as lines of the audit under the decision of the call that caused each."""

from collections.abc import Mapping
from typing import Any, Final

from server.note import Note
from server.sandbox.session import Session
from server.sandbox.sessions import Sessions
from server.settings.egress import names_a_host

MAX_SAID: Final = 5  # of which one result tells


class Late:
    """The sessions, which are made after the link that reports on them."""

    sessions: Sessions | None = None

    def of(self, event: Mapping[str, Any]) -> Session | None:
        """Whose sandbox the gate speaks of."""
        return self.sessions.of_sandbox(str(event["session"])) if self.sessions else None


def decisions_of(event: Mapping[str, Any]) -> list[str]:
    """Of the calls that may have caused it."""
    return [str(decision) for decision in event.get("decisions") or ()]


def caused(event: Mapping[str, Any], session: Session | None) -> dict[str, Any]:
    """How its line begins: under one decision, or with all that it may be of. How sure that is: egress/cause.py."""
    decisions = decisions_of(event)
    return {
        "decision_id": decisions[0] if len(decisions) == 1 else None,
        **({"decision_ids": decisions} if len(decisions) > 1 else {}),
        "caller": session.owner if session else None,
        "session": session.name if session else None,
        "sandbox": event["session"],
    }


def record(event: Mapping[str, Any], write: Note, late: Late) -> None:
    """A flow or a refusal; what got no way through is also told in the results of the calls that may have caused it."""
    session, decisions = late.of(event), decisions_of(event)
    jobs = [job for job in session.jobs.values() if job.decision_id in decisions] if session else []
    kind = f"egress.{event['event']}"  # flow, sending, refused
    facts = {name: value for name, value in event.items() if name not in ("event", "session", "decisions")}
    write(kind, {**caused(event, session), "jobs": [job.name for job in jobs], **facts})
    if told := _told(event):
        for job in jobs:
            if told not in job.gate_said and len(job.gate_said) < MAX_SAID:
                job.gate_said.append(told)


def _told(event: Mapping[str, Any]) -> str:
    """After "the gate"; empty where all went well."""
    where = f"{event['host']}:{event['port']}" if event["host"] else "a request"
    if event["event"] == "refused":
        return f"refused {where}: {event['reason']}{_how_to_allow(event)}"
    return f"let it pass, but {event['failed']}" if event.get("failed") else ""


def _how_to_allow(event: Mapping[str, Any]) -> str:
    if event.get("approval"):
        return ""  # its reason says it
    port = "" if event["port"] in (80, 443) else f":{event['port']}"
    entry = f"{event['host']}{port}"
    if event.get("rule") != "egress.not_allowed" or not names_a_host(entry):
        return ""
    return f" A person can allow it with: sandgate allow {entry}"
