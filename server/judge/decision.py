"""From the document that Rego answers with to a verdict. Every doubt is a deny: an engine may be wrong or replaced."""

from collections.abc import Mapping
from typing import Any

from policy.verdict import Access, Allow, Ask, Deny, Limits, Rule, Verdict, engine_error

DECISION = "data.sandgate.decision"  # where the answer is
REQUEST = "data.sandgate.egress.decision"  # where it is for a request that leaves a sandbox
HOSTS = "data.sandgate.egress.list"  # what a gate holds for a caller
_KEYS = {"effect", "rules", "limits", "access", "revision"}
_ROOM = {"id": 200, "effect": 5, "reason": 1_000, "help": 1_000, "grant": 300}  # characters
_REVISION = 64  # characters; ours have 16
_MOST_RULES = 1_000
_MOST_PATHS = 4_096
_MOST_ENTRIES = 10_000

type HostList = tuple[str | Mapping[str, Any], ...]  # what a gate holds for a caller, as egress/allowlist.py reads it


class OddDecision(Exception):
    """The engine answered with something that is not a decision; the text says what is odd about it."""


def verdict(document: Any, revision: str | None) -> Verdict:
    """The verdict in a decision document of this revision (None: of any); a deny by engine.error for anything else."""
    try:
        return _verdict(document, revision)
    except OddDecision as odd:
        return engine_error(f"The policy engine's answer was not a decision: {odd}.")


def host_list(document: Any, revision: str | None) -> HostList:
    """The entries in a document of this revision (None: of any). Raises OddDecision."""
    _demand(isinstance(document, dict) and document.keys() == {"entries", "revision"}, "its fields are others")
    _demand(revision in (None, document["revision"]), "it is of another revision")
    entries = document["entries"]
    _demand(isinstance(entries, list) and len(entries) <= _MOST_ENTRIES, "its entries are no list")
    for entry in entries:
        host = entry.get("host") if isinstance(entry, dict) else entry
        _demand(isinstance(host, str), "an entry is neither a host nor an object with one")
    return tuple(entries)


def _verdict(document: Any, expected: str | None) -> Verdict:
    _demand(isinstance(document, dict) and document.keys() == _KEYS, "its fields are others")
    revision = document["revision"]
    _demand(isinstance(revision, str) and 0 < len(revision) <= _REVISION, "it has no revision")
    _demand(expected in (None, revision), "it is of another revision")
    rules = _rules(document["rules"])
    allow = Allow(rules, _limits(document["limits"]), _access(document["access"]), revision)
    _demand(document["effect"] == _strictest(rules), "its effect is not that of its strictest rule")
    match document["effect"]:
        case "allow":
            return allow
        case "ask":
            return Ask(rules, allow, revision)
        case _:
            return Deny(rules, revision)


def _strictest(rules: tuple[Rule, ...]) -> str:
    effects = {rule.effect for rule in rules}
    return next((effect for effect in ("deny", "ask") if effect in effects), "allow")


def _rules(found: Any) -> tuple[Rule, ...]:
    _demand(isinstance(found, list) and len(found) <= _MOST_RULES, "its rules are no list")
    return tuple(_rule(rule) for rule in found)


def _rule(found: Any) -> Rule:
    _demand(isinstance(found, dict) and found.keys() == _ROOM.keys(), "a rule has other fields")
    for key, room in _ROOM.items():
        _demand(isinstance(found[key], str) and len(found[key]) <= room, f"a rule's {key} is no short text")
    _demand(found["effect"] in {"ask", "deny"}, "a rule's effect is neither ask nor deny")
    return Rule(**found)


def _limits(found: Any) -> Limits:
    _demand(isinstance(found, dict) and found.keys() == {"timeout_s", "output_bytes"}, "its limits are misshapen")
    seconds, size = found["timeout_s"], found["output_bytes"]
    _demand(seconds is None or (type(seconds) in (int, float) and seconds > 0), "its timeout is no positive number")
    _demand(size is None or (type(size) is int and size > 0), "its output limit is no positive number")
    return Limits(seconds, size)


def _access(found: Any) -> Access:
    _demand(isinstance(found, dict) and found.keys() == {"read", "write", "execute"}, "its access is misshapen")
    return Access(**{use: _paths(paths) for use, paths in found.items()})


def _paths(found: Any) -> tuple[str, ...]:
    _demand(isinstance(found, list) and len(found) <= _MOST_PATHS, "a set of paths is no list")
    for path in found:
        _demand(isinstance(path, str) and path.startswith("/"), "a path is not absolute")
        _demand("\0" not in path and ".." not in path.split("/"), "a path climbs or hides something")
    return tuple(found)


def _demand(holds: object, otherwise: str) -> None:
    if not holds:
        raise OddDecision(otherwise)
