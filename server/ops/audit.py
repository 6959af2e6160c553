"""Commands that read the audit."""

import argparse
import json
import os
import shutil
import sys
from collections import deque
from dataclasses import asdict
from pathlib import Path
from typing import Any

from server.ops.bad_input import BadInput
from server.record.chain import Anchor, anchors
from server.record.reading import lines
from server.record.reading import verify as verified
from server.record.segments import Segments
from server.settings.files import load


def audit_file(named: Path | None, config: Path | None) -> Path:
    """The file named, or the settings' own. Raises BadInput where it cannot be read."""
    path = named or load(config).audit_file
    if path.exists() and not path.is_file():
        raise BadInput(f"{path} is no file; move it away, or name the audit's file with --file")
    if not path.is_file() and not Segments(path).closed():
        raise BadInput(f"{path} is not there; nothing has been recorded yet, or name another with --file")
    if path.is_file() and not os.access(path, os.R_OK):
        raise BadInput(f"{path} is not yours to read; ask as the user whose servers write it")
    return path


def verify(arguments: argparse.Namespace) -> int:
    against = _anchors(arguments.anchor) if arguments.anchor else []
    found = verified(audit_file(arguments.file, arguments.config), against)
    if arguments.json:
        print(json.dumps(asdict(found)))
        return 0
    began = (
        "" if found.first == 1 else f", the first of them line {found.first}: older files were removed by the settings"
    )
    files = "1 file" if found.files == 1 else f"{found.files} files"
    count = "1 line" if found.count == 1 else f"{found.count} lines"
    print(f"{count} in {files}, an unbroken chain{began}; its head is {found.head.digest}")
    if against:
        past = f"; {found.past} are about lines that were removed" if found.past else ""
        print(f"{len(against) - found.past} of {len(against)} anchors fit{past}")
    return 0


def head(arguments: argparse.Namespace) -> int:
    """Of a chain that holds: what is kept elsewhere should be worth something."""
    found = verified(audit_file(arguments.file, arguments.config)).head
    print(json.dumps(asdict(found)) if arguments.json else found)
    return 0


def _anchors(told: str) -> list[Anchor]:
    """What `head` printed, whole or only its hash, or a file with any number of such lines, or of lines of the audit."""
    path = Path(told)
    try:
        text = path.read_text("utf-8", "replace") if path.is_file() else told
    except OSError as exc:
        raise BadInput(f"{path} cannot be read: {exc.strerror}") from exc
    if found := anchors(text):
        return found
    raise BadInput(
        f"{told} is neither a file with heads in it nor the hash of a line; `sandgate audit head` prints one"
    )


def tail(arguments: argparse.Namespace) -> int:
    wide = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for _, line in deque(lines(audit_file(arguments.file, arguments.config)), arguments.n):
        print(json.dumps(line) if arguments.json else _line(line)[:wide])
    return 0


def show(arguments: argparse.Namespace) -> int:
    wanted = arguments.decision
    found = [line for _, line in lines(audit_file(arguments.file, arguments.config)) if wanted in _decisions(line)]
    for line in found:
        print(json.dumps(line, indent=None if arguments.json else 2))
    if not found:
        raise BadInput(f"no line of the audit belongs to {wanted}; `sandgate audit tail` shows the newest decisions")
    return 0


def _decisions(line: dict[str, Any]) -> list[str]:
    return [decision for decision in (line.get("decision_id"), *line.get("decision_ids", [])) if decision]


def _line(line: dict[str, Any]) -> str:
    """For people: when, what, which decision, and what matters of the rest."""
    told = ("time", "kind", "decision_id", "previous")
    rest = {name: value for name, value in line.items() if name not in told and value not in (None, "", [], {})}
    when, kind, decision = (str(line.get(name) or "-") for name in told[:3])
    return f"{when} {kind:18} {decision:18} {json.dumps(rest)}"
