"""Our events held against the schema as it is published."""

import json
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from server.record.chain import encoded
from server.record.ocsf import SCHEMA, event
from server.record.trail import Line

CALL = {"decision_id": "d-1", "caller": "ann", "tool": "shell", "session": "s", "arguments": {"command": "ls"}}
DENY = {"effect": "deny", "rules": [{"id": "privilege.tools", "effect": "deny", "reason": "no", "help": ""}]}
KINDS: list[tuple[str, dict[str, Any], int]] = [
    ("call.started", CALL, 6003),
    ("call.decided", {"decision_id": "d-1", **DENY}, 6003),
    ("call.decided", {"decision_id": "d-1", "effect": "allow", "rules": []}, 6003),
    ("call.approved", {"decision_id": "d-1", "approval": "a-1", "by": "bob"}, 6003),
    ("call.ended", {"decision_id": "d-1", "outcome": "exited", "exit_code": 0}, 6003),
    ("call.ended", {"decision_id": "d-1", "outcome": "denied"}, 6003),
    ("limit.refused", {"caller": "ann", "tool": "shell", "reason": "too fast"}, 6003),
    ("approval.answered", {"approval": "a-1", "yes": True, "by": "bob"}, 6003),
    (
        "egress.flow",
        {"host": "a.example", "address": "192.0.2.1", "port": 443, "bytes_up": 7, "bytes_down": 9},
        4001,
    ),
    ("egress.refused", {"host": "b.example", "port": 443, "rule": "egress.not_allowed", "reason": "no"}, 4001),
    ("egress.refused", {"host": None, "port": None}, 4001),
    ("auth.refused", {"address": "127.0.0.1", "path": "/mcp", "reason": "there is no token", "count": 1}, 3002),
    ("sandbox.job_ended", {"decision_id": "d-1", "status": "exited", "exit_code": 3, "cpu_s": 0.1}, 1007),
    ("sandbox.job_ended", {"decision_id": None, "status": "killed", "exit_code": None}, 1007),
    ("anomaly.denials", {"session": "s", "count": 30}, 2004),
    ("server.started", {"server": "x", "warnings": []}, 6002),
    ("server.ended", {"server": "x"}, 6002),
    ("server.reloaded", {"revision": "r"}, 6002),
    ("server.export_dropped", {"to": "x", "lines": 3}, 6002),
    ("session.parked", {"session": "s"}, 6002),
    ("something.new", {}, 6002),
    ("call.asked", {"decision_id": "d-1", "approval": "a-1", "state": "pending"}, 6003),
    ("egress.asked", {"decision_id": "d-1", "caller": "ann", "approval": "a-1", "host": "a.test"}, 6003),
]


@cache
def validator(version: str, class_uid: int) -> Draft202012Validator:
    schema = _schema(version)
    return Draft202012Validator(
        schema.get_class_schema(schema.lookup_class_name_from_uid(class_uid), ["security_control"])
    )


@cache
def _schema(version: str) -> OcsfJsonSchemaEmbedded:
    return OcsfJsonSchemaEmbedded(get_ocsf_schema(version))


def line(kind: str, facts: dict[str, Any]) -> Line:
    document = {"sequence": 7, "time": "2026-01-02T03:04:05.250000Z", "kind": kind, **facts, "previous": "a" * 64}
    return Line(encoded(document), document)


@pytest.mark.parametrize(
    ("kind", "facts", "class_uid"), KINDS, ids=[f"{kind}-{at}" for at, (kind, *_) in enumerate(KINDS)]
)
def test_every_kind_is_a_valid_event_of_its_class(kind: str, facts: dict[str, Any], class_uid: int) -> None:
    made = event(line(kind, facts), "host.example")

    found = [
        f"{'/'.join(map(str, error.path))}: {error.message}" for error in validator(SCHEMA, class_uid).iter_errors(made)
    ]
    assert found == []
    assert (made["class_uid"], made["type_uid"]) == (class_uid, class_uid * 100 + made["activity_id"])
    assert json.loads(made["raw_data"])["kind"] == kind


def test_an_event_says_who_called_what_was_refused_and_what_it_belongs_to() -> None:
    started, decided = (event(line(kind, facts), "h") for kind, facts, _ in KINDS[:2])

    assert started["actor"] == {"user": {"name": "ann"}}
    assert started["api"] == {"operation": "shell"}
    assert started["time"] == 1767323045250
    assert decided["metadata"]["correlation_uid"] == started["metadata"]["correlation_uid"] == "d-1"
    flow = event(line(*KINDS[8][:2]), "h")
    assert (flow["traffic"], flow["dst_endpoint"]["ip"]) == ({"bytes_out": 7, "bytes_in": 9}, "192.0.2.1")
    assert (decided["disposition_id"], decided["policy"]) == (2, {"name": "privilege.tools"})
