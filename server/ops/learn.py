"""`sandgate policy learn`: the narrow entries that recent questions and refusals would have needed. It never applies them."""

import argparse
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from server.ops.audit import audit_file
from server.record.reading import lines
from server.settings.egress import names_a_host

MOST = 40  # entries shown of each kind
NOT_ALLOWED = "egress.not_allowed"


@dataclass
class Needs:
    """What was asked and refused, counted. `grants` are entries that a list answers; `fixed` no list lifts."""

    grants: Counter[str] = field(default_factory=Counter)
    hosts: Counter[str] = field(default_factory=Counter)
    learnt: Counter[str] = field(default_factory=Counter)  # hosts that were let pass to find out
    fixed: Counter[tuple[str, str]] = field(default_factory=Counter)
    decisions: int = 0


def learn(arguments: argparse.Namespace) -> int:
    needs = needed(line for _, line in lines(audit_file(arguments.file, arguments.config)))
    print(json.dumps(_document(needs), indent=2) if arguments.json else "\n".join(_told(needs)))
    return 0


def needed(records: Iterable[dict[str, Any]]) -> Needs:
    """Count what the audit's decisions and refused flows would have needed."""
    needs = Needs()
    for record in records:
        match record.get("kind"):
            case "call.decided":
                needs.decisions += 1
                _of_decision(needs, record)
            case "egress.flow" if record.get("learnt") and names_a_host(entry := _entry(record)):
                needs.learnt[entry] += 1
            case "egress.refused" if record.get("rule") == NOT_ALLOWED and names_a_host(entry := _entry(record)):
                needs.hosts[entry] += int(record.get("count") or 1)
            case _:
                pass
    return needs


def _entry(record: dict[str, Any]) -> str:
    port = "" if record.get("port") in (80, 443) else f":{record.get('port')}"
    return f"{record.get('host')}{port}"


def _of_decision(needs: Needs, record: dict[str, Any]) -> None:
    rules = [rule for rule in record.get("rules") or [] if isinstance(rule, dict)]
    if record.get("effect") == "ask":
        needs.grants.update({str(rule["grant"]) for rule in rules if rule.get("effect") == "ask" and rule.get("grant")})
    needs.fixed.update({(str(rule.get("id")), str(rule.get("help"))) for rule in rules if rule.get("effect") == "deny"})


def _document(needs: Needs) -> dict[str, Any]:
    """For programs: each entry with how often it was needed; nothing is left out."""
    return {
        "decisions": needs.decisions,
        "commands": dict(needs.grants.most_common()),
        "hosts": dict(needs.hosts.most_common()),
        "let_pass": dict(needs.learnt.most_common()),
        "denied": [
            {"rule": rule, "help": instead, "count": count} for (rule, instead), count in needs.fixed.most_common()
        ],
    }


def _told(needs: Needs) -> Iterable[str]:
    decisions = "1 decision" if needs.decisions == 1 else f"{needs.decisions} decisions"
    yield f"{decisions} read; nothing is changed by this. To allow what you agree with, run its line:"
    for entry, count in needs.grants.most_common(MOST):
        yield f"  sandgate allow {json.dumps(entry) if ' ' in entry else entry}   # asked {_times(count)}"
    for host, count in needs.hosts.most_common(MOST):
        yield f"  sandgate allow {host}   # refused {_times(count)}"
    if needs.learnt:
        yield 'egress.mode = "learn" let these pass; the list that enforces just them:'
        yield f"  [egress]\n  allow = {json.dumps(sorted(needs.learnt))}"
    if not needs.grants and not needs.hosts and not needs.learnt:
        yield "  (nothing that a list would have answered)"
    if needs.fixed:
        yield "Denied by rules that no list lifts, and what each allows instead:"
        for (rule, instead), count in needs.fixed.most_common(MOST):
            yield f"  {rule}, {_times(count)}: {instead}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
