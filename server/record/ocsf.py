"""Lines of the audit as events of the Open Cybersecurity Schema Framework (schema.ocsf.io), version 1.5.0.

Every event carries the line itself as `raw_data`: what the classes have no place for is not lost.
"""

from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from typing import Any, Final

from server.record.trail import Line

SCHEMA: Final = "1.5.0"
OTHER: Final = 99
_API, _LIFECYCLE, _NETWORK, _LOGON, _PROCESS, _FINDING = 6003, 6002, 4001, 3002, 1007, 2004
_INFORMATIONAL, _LOW, _MEDIUM, _HIGH = 1, 2, 3, 4
_SUCCESS, _FAILURE = 1, 2
_ALLOWED, _BLOCKED = 1, 2  # of disposition_id; of action_id as well, where 1 is allowed and 2 is denied
_LIFE: Final = {"server.started": 3, "server.ended": 4, "server.reloaded": 8}  # start, stop, update
_SEVERITY: Final = {
    "egress.refused": _LOW,
    "auth.refused": _MEDIUM,
    "limit.refused": _LOW,
    "server.recovered": _HIGH,
    "server.export_dropped": _MEDIUM,
    "server.unrecorded": _MEDIUM,
    "server.weakened": _MEDIUM,
}


def event(line: Line, host: str) -> Mapping[str, Any]:
    """`host`: the machine's name, where a class wants to know whose."""
    facts, kind = line.document, str(line.document["kind"])
    class_uid, own = _of(kind, facts, host)
    activity = own.pop("activity_id")
    named = {"activity_name": kind} if activity == OTHER else {}
    decision = {"correlation_uid": str(facts["decision_id"])} if facts.get("decision_id") else {}
    return {
        "class_uid": class_uid,
        "category_uid": class_uid // 1000,
        "activity_id": activity,
        "type_uid": class_uid * 100 + activity,
        "time": round(datetime.fromisoformat(str(facts["time"])).timestamp() * 1000),
        "severity_id": _severity(kind, facts),
        "message": kind,
        "metadata": {
            "version": SCHEMA,
            "product": {"name": "Sandgate", "vendor_name": "Sandgate", "version": version("sandgate")},
            "profiles": ["security_control"],
            "uid": str(line.sequence),
            "sequence": line.sequence,
            "log_name": "audit",
            "original_time": str(facts["time"]),
            **decision,
        },
        "raw_data": line.raw.decode(),
        **named,
        **own,
    }


def _of(kind: str, facts: Mapping[str, Any], host: str) -> tuple[int, dict[str, Any]]:
    match kind.partition(".")[0]:
        case "egress" if kind in ("egress.flow", "egress.refused"):
            return _NETWORK, _flow(kind, facts)
        case "call" | "file" | "approval" | "limit" | "egress":
            return _API, _call(kind, facts, host)
        case "auth":
            return _LOGON, _logon(facts)
        case "anomaly":
            title = {"uid": str(facts["sequence"]), "title": kind}
            return _FINDING, {"activity_id": 1, "finding_info": title}
        case "sandbox" if kind == "sandbox.job_ended":
            return _PROCESS, _process(facts, host)
        case _:
            app = {"name": "sandgate", "version": version("sandgate")}
            return _LIFECYCLE, {"activity_id": _LIFE.get(kind, OTHER), "app": app}


def _call(kind: str, facts: Mapping[str, Any], host: str) -> dict[str, Any]:
    """Who calls stands in a call's first line; the others are joined to it by their decision."""
    actor = {"user": {"name": str(facts["caller"])}} if facts.get("caller") else {"app_name": "sandgate"}
    about = {
        "activity_id": OTHER,
        "actor": actor,
        "api": {"operation": str(facts.get("tool") or kind)},
        "src_endpoint": {"hostname": host},
    }
    if "effect" in facts:
        blocked = facts["effect"] != "allow"
        rules = [
            {"name": str(rule["id"])} for rule in facts.get("rules") or () if isinstance(rule, Mapping) and "id" in rule
        ]
        policy = {"policy": rules[0]} if rules else {}
        return {**about, **policy, **_controlled(blocked=blocked)}
    if kind == "limit.refused":
        return {**about, **_controlled(blocked=True)}
    if outcome := facts.get("outcome"):
        failed = outcome in ("denied", "failed", "cancelled", "approval_required")
        return {**about, "status_id": _FAILURE if failed else _SUCCESS, "status_detail": str(outcome)}
    return about


def _flow(kind: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    refused = kind == "egress.refused"
    port = {"port": facts["port"]} if isinstance(facts.get("port"), int) else {}
    moved = {ours: facts[theirs] for ours, theirs in _MOVED.items() if isinstance(facts.get(theirs), int)}
    rule = {"policy": {"name": str(facts["rule"])}} if facts.get("rule") else {}
    address = {"ip": facts["address"]} if facts.get("address") else {}
    return {
        "activity_id": 5 if refused else 6,
        "dst_endpoint": {"hostname": str(facts.get("host") or "unknown"), **address, **port},
        **({"traffic": moved} if moved else {}),
        **rule,
        **_controlled(blocked=refused),
    }


_MOVED: Final = {"bytes_out": "bytes_up", "bytes_in": "bytes_down"}


def _logon(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "activity_id": 1,
        "status_id": _FAILURE,
        "status_detail": str(facts.get("reason", "")),
        "user": {"name": str(facts.get("caller") or "unknown")},
        "service": {"name": "sandgate"},
        "src_endpoint": {"name": str(facts.get("address") or "unknown")},
        **_controlled(blocked=True),
    }


def _process(facts: Mapping[str, Any], host: str) -> dict[str, Any]:
    code = {"exit_code": facts["exit_code"]} if isinstance(facts.get("exit_code"), int) else {}
    return {
        "activity_id": 2,
        "actor": {"app_name": "sandgate"},
        "device": {"type_id": 0, "hostname": host},
        "process": {"uid": str(facts.get("decision_id") or facts["sequence"])},
        "status_detail": str(facts.get("status", "")),
        **code,
    }


def _controlled(*, blocked: bool) -> dict[str, Any]:
    told = _BLOCKED if blocked else _ALLOWED
    return {"action_id": told, "disposition_id": told}


def _severity(kind: str, facts: Mapping[str, Any]) -> int:
    if kind.startswith("anomaly."):
        return _HIGH
    if kind == "call.decided" and facts.get("effect") == "deny":
        return _MEDIUM
    return _SEVERITY.get(kind, _INFORMATIONAL)
