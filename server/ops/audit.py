"""Commands that read the audit."""

import argparse
import json
import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from server.ops.bad_input import BadInput
from server.record.audit import verify as verified
from server.settings_files import load


def audit_file(named: Path | None) -> Path:
    """The file named, or the settings' own. Raises BadInput where it cannot be read."""
    path = named or load().audit_file
    if not path.is_file():
        raise BadInput(f"{path} is not there; nothing has been recorded yet, or name another with --file")
    if not os.access(path, os.R_OK):
        raise BadInput(f"{path} is not yours to read; ask as the user whose servers write it")
    return path


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Every line, also one that a crash cut short: to judge them is the work of `verify`."""
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            try:
                line = json.loads(raw)
            except ValueError:
                line = None
            if isinstance(line, dict):
                yield line
            elif raw.strip():
                yield {"kind": "unreadable", "line": number, "text": raw.decode("utf-8", "replace").strip()}


def verify(arguments: argparse.Namespace) -> int:
    count, head = verified(audit_file(arguments.file))
    print(f"{count} lines, an unbroken chain; its head is {head}")
    return 0


def tail(arguments: argparse.Namespace) -> int:
    for line in deque(lines(audit_file(arguments.file)), arguments.n):
        print(_line(line))
    return 0


def show(arguments: argparse.Namespace) -> int:
    wanted = arguments.decision
    found = [line for line in lines(audit_file(arguments.file)) if wanted in _decisions(line)]
    for line in found:
        print(json.dumps(line, indent=2))
    if not found:
        raise BadInput(f"no line of the audit belongs to {wanted}; `sandgate audit tail` shows the newest decisions")
    return 0


def _decisions(line: dict[str, Any]) -> list[str]:
    return [decision for decision in (line.get("decision_id"), *line.get("decision_ids", [])) if decision]


def _line(line: dict[str, Any]) -> str:
    """One line for people: when, what, which decision, and what matters of the rest."""
    told = ("time", "kind", "decision_id", "previous")
    rest = {name: value for name, value in line.items() if name not in told and value not in (None, "", [], {})}
    when, kind, decision = (str(line.get(name) or "-") for name in told[:3])
    return f"{when} {kind:18} {decision:18} {json.dumps(rest)[:200]}"
