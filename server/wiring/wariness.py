"""What is unusual, as the settings say it."""

import logging
import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import anyio.abc

from server.judge.anomalies import Anomalies, Bound
from server.judge.suspicion import Decides, Suspicions, WaryJudge
from server.note import Note
from server.record.audit import Audit, AuditFailed
from server.record.suspicion_rows import SuspicionRows
from server.sandbox.sessions import NoSuchSession, Sessions
from server.settings.anomalies import AnomalySettings
from server.settings.settings import Settings

log = logging.getLogger("sandgate")


def wary(judge: Decides, settings: Settings, audit: Audit, sessions: Sessions, tasks: anyio.abc.TaskGroup) -> WaryJudge:
    """The judge, made wary by what the audit tells of from now on."""
    suspicions = Suspicions(SuspicionRows(settings.database))
    anomalies = anomalies_for(settings.anomalies, suspicions, audit.write)
    audit.listen(anomalies.hear)
    tasks.start_soon(anomalies.keep, partial(_awake, sessions), partial(_hold_still, sessions))
    return WaryJudge(judge, suspicions, partial(_opened, sessions))


def anomalies_for(settings: AnomalySettings, suspicions: Suspicions, note: Note) -> Anomalies:
    asked = {name: getattr(settings, name) for name in AnomalySettings.model_fields}
    bounds = {name: Bound(bound.count, bound.window_s, bound.effect) for name, bound in asked.items()}

    def told(kind: str, facts: Mapping[str, Any]) -> None:
        try:
            note(kind, facts)
        except AuditFailed:  # what follows from it follows all the same
            log.exception("what is unusual is not recorded")

    return Anomalies(bounds, suspicions, told)


def _awake(sessions: Sessions) -> list[tuple[str, str]]:
    return [(session.owner, session.name) for session in sessions.at_hand() if session.ready]


def _opened(sessions: Sessions, owner: str, name: str) -> float:
    """When; infinite where the caller has none of that name."""
    session = sessions.look(owner, name)
    return session.opened if session else math.inf


async def _hold_still(sessions: Sessions, owner: str, name: str) -> None:
    """What runs in it stands still until it is released and used again."""
    try:
        await sessions.freeze(sessions.find(owner, name), even_busy=True)
    except NoSuchSession:
        """It is gone, which is stiller still."""
