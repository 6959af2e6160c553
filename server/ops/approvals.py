"""`sandgate approvals`: what waits for a person's answer, shown whole, and the answers."""

import argparse
import getpass
import json
import time
from dataclasses import asdict
from typing import Final

from server.escaping import escaped, one_line
from server.judge.approvals import Approval, Approvals, Scope
from server.record.approval_rows import ApprovalRows
from server.settings.files import load

_SCOPE: Final = {
    "once": "once",
    "time": "as often as it is made for a while",
    "session": "as often as it is made in that session",
}


def _approvals(arguments: argparse.Namespace) -> Approvals:
    settings = load(arguments.config)
    return Approvals(ApprovalRows(settings.database), settings.approvals.pending_s)


def listed(arguments: argparse.Namespace) -> int:
    live = _approvals(arguments).live()
    waiting = [each for each in live if each.state == "pending"]
    lasting = [each for each in live if each.state == "allowed" and each.scope != "once"]
    if arguments.json:
        print(json.dumps([asdict(each) for each in (*waiting, *lasting)], indent=2))
        return 0
    for each in waiting:
        print(shown(each, time.time()))
    if not waiting:
        print("nothing waits for an answer")
    for each in lasting:
        print(f"allowed, {_SCOPE[each.scope]} (`sandgate approvals revoke {each.id}` ends it):")
        print(shown(each, time.time()))
    return 0


def allow(arguments: argparse.Namespace) -> int:
    seconds = arguments.minutes * 60.0 if arguments.minutes else None
    scope: Scope = "session" if arguments.session else "once"
    _approvals(arguments).answer_now(arguments.id, yes=True, by=_who(), for_s=seconds, scope=scope)
    often = f"as often as it is made within {arguments.minutes} minutes" if arguments.minutes else _SCOPE[scope]
    print(f"{arguments.id} is allowed, {often}, for exactly that call; tell the agent to make it again")
    return 0


def revoke(arguments: argparse.Namespace) -> int:
    _approvals(arguments).revoke(arguments.id, by=_who())
    print(f"{arguments.id} is no longer allowed; what it let through already is not undone")
    return 0


def deny(arguments: argparse.Namespace) -> int:
    _approvals(arguments).answer_now(arguments.id, yes=False, by=_who())
    print(f"{arguments.id} is denied; the agent reads that when it asks again")
    return 0


def shown(approval: Approval, now: float) -> str:
    """Everything that would run, with nothing in it that a terminal would obey."""
    left = _time(max(0.0, approval.ends - now))
    who = f"{approval.tool} by {one_line(approval.caller)} in session {one_line(approval.session)}"
    head = f"{approval.id}  {who}, {left} left"
    reasons = [f"    why: {one_line(reason)}" for reason in approval.reasons]
    lines = [f"  | {line}" for line in escaped(approval.shown).split("\n")]
    return "\n".join([head, *reasons, *lines])


def _time(seconds: float) -> str:
    minutes, hours, days = (round(seconds / unit) for unit in (60, 3600, 86400))
    return f"{minutes} min" if minutes < 120 else f"{hours} hours" if hours < 48 else f"{days} days"  # noqa: PLR2004


def _who() -> str:
    return f"{getpass.getuser()} at the command line"
