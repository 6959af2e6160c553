"""Commands that ask the policy or read the audit; nothing runs."""

import argparse
import json
import os
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import anyio

from policy.path import normalise, uses
from policy.question import CallerFacts, Question, RunCommand, SessionFacts
from policy.verdict import Allow, Ask, Deny, Verdict
from server.app import environments, workspaces
from server.judge.current import CurrentJudge
from server.judge.rego_tests import run_tests
from server.judge.shfmt import ShellParser
from server.judges import BUNDLE_DIR, judging
from server.record.audit import verify
from server.sandbox.sandbox import SandboxSpec
from server.sandbox.sessions import NoSuchEnvironment
from server.settings import Settings, load, settings_files

EFFECTS = {Allow: "allow", Ask: "ask", Deny: "deny"}


class BadInput(Exception):
    """The input of a command is not what it reads; the sentence says which line and why."""


# --- policy ------------------------------------------------------------------------------------------------------------


def policy_check(arguments: argparse.Namespace) -> int:
    """0 where the answer was given, whatever it is; with one plain command 1 for anything but allow."""
    settings = load(arguments.config)
    if arguments.jsonl == (arguments.command is not None):
        raise BadInput("give a command, or --jsonl and one JSON object per line of input")
    if arguments.jsonl:
        anyio.run(_check_lines, settings)
        return 0
    return anyio.run(_check_one, settings, arguments.command, arguments.json)


def verdict_of(settings: Settings, command: str) -> Verdict:
    """What the policy says of one command; nothing runs."""
    return anyio.run(_verdict_of, settings, command)


async def _verdict_of(settings: Settings, command: str) -> Verdict:
    async with ShellParser() as parser, judging(settings, _spec(settings)) as judge:
        _, verdict = await _decide(settings, parser, judge, {"command": command})
    return verdict


async def _check_one(settings: Settings, command: str, as_json: bool) -> int:  # noqa: FBT001 - anyio.run takes no keywords
    async with ShellParser() as parser, judging(settings, _spec(settings)) as judge:
        question, verdict = await _decide(settings, parser, judge, {"command": command})
    print(json.dumps(_document(question, verdict)) if as_json else _words(verdict))
    return 0 if isinstance(verdict, Allow) else 1


async def _check_lines(settings: Settings) -> None:
    async with ShellParser() as parser, judging(settings, _spec(settings)) as judge:
        for asked in _asked():
            print(json.dumps(_document(*await _decide(settings, parser, judge, asked))), flush=True)


def _asked() -> Iterator[dict[str, Any]]:
    for number, line in enumerate(sys.stdin.buffer, 1):
        try:
            asked = json.loads(line)
        except (ValueError, RecursionError) as exc:
            raise BadInput(f"line {number} is not JSON: {getattr(exc, 'msg', exc)}") from exc
        if not isinstance(asked, dict) or not isinstance(asked.get("command"), str):
            raise BadInput(f'line {number} is not an object with a "command"')
        if odd := [key for key in ("cwd", "session") if not isinstance(asked.get(key, ""), str)]:
            raise BadInput(f'line {number} has a "{odd[0]}" that is no text')
        yield asked


async def _decide(
    settings: Settings, parser: ShellParser, judge: CurrentJudge, asked: dict[str, Any]
) -> tuple[Question, Verdict]:
    spec = _spec(settings)
    text, cwd = asked["command"], normalise(asked.get("cwd") or spec.start_dir, spec.start_dir, spec.home)
    reading = await parser.read_script(text, cwd, spec.home, spec.workspaces)
    question = Question(
        caller=CallerFacts("local", ("user",)),
        tool="shell",
        session=SessionFacts(asked.get("session") or "default", settings.environment),
        act=RunCommand(("/bin/bash", "--noprofile", "--norc", "-c", text), cwd, b"", 300, background=False),
        call={"command": text},
        reading=reading,
        paths=uses(reading, spec.home, spec.workspaces),
    )
    return question, await judge.decide(question)


def _spec(settings: Settings) -> SandboxSpec:
    offered = environments(settings, workspaces(settings, settings_files()))
    if settings.environment not in offered:
        raise NoSuchEnvironment(
            f"there is no environment {settings.environment}; the settings offer {', '.join(offered)}"
        )
    return offered[settings.environment]


def _document(question: Question, verdict: Verdict) -> dict[str, Any]:
    return {
        "command": question.call["command"],
        "effect": EFFECTS[type(verdict)],
        "rules": [asdict(rule) for rule in verdict.rules],
        "commands": [list(command.argv) for command in question.reading.commands],
        "revision": verdict.revision,
    }


def _words(verdict: Verdict) -> str:
    told = [f"  {rule.reason} [{rule.id}] {rule.help}".rstrip() for rule in verdict.rules]
    return "\n".join([EFFECTS[type(verdict)], *told])


def policy_test(_: argparse.Namespace) -> int:
    results = run_tests(BUNDLE_DIR)
    failed = [result for result in results if not result.passed]
    for result in failed:
        print(f"failed: {result.name}")
    print(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed or not results else 0


# --- audit -------------------------------------------------------------------------------------------------------------


def _file(arguments: argparse.Namespace) -> Path:
    path: Path = arguments.file or load().audit_file
    if not path.is_file():
        raise BadInput(f"{path} is not there; nothing has been recorded yet, or name another with --file")
    if not os.access(path, os.R_OK):
        raise BadInput(f"{path} is not yours to read; ask as the user whose servers write it")
    return path


def _lines(path: Path) -> Iterator[dict[str, Any]]:
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


def audit_verify(arguments: argparse.Namespace) -> int:
    count, head = verify(_file(arguments))
    print(f"{count} lines, an unbroken chain; its head is {head}")
    return 0


def audit_tail(arguments: argparse.Namespace) -> int:
    for line in deque(_lines(_file(arguments)), arguments.n):
        print(_line(line))
    return 0


def audit_show(arguments: argparse.Namespace) -> int:
    wanted = arguments.decision
    found = [line for line in _lines(_file(arguments)) if wanted in _decisions(line)]
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
