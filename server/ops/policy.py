"""Commands that ask the policy; nothing runs."""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import anyio

from policy.path import normalise, uses
from policy.question import CallerFacts, Question, RunCommand, SessionFacts
from policy.verdict import Allow, Verdict
from server.judge.current import CurrentJudge
from server.judge.engine import Engine
from server.judge.export import write_bundle
from server.judge.rego_tests import coverage, run_tests
from server.judge.rule_notes import MEANING, rule_notes
from server.judge.shfmt import ShellParser
from server.ops import policy_hosts
from server.ops.bad_input import BadInput
from server.sandbox.sandbox import SandboxSpec
from server.settings.files import load, settings_files
from server.settings.settings import Settings
from server.wiring.environments import chosen
from server.wiring.judges import BUNDLE_DIR, configured_bundle, judging
from server.wiring.workspaces import workspaces
from server.words import BadUsage

FINDINGS = "data.sandgate.index.found"


def check(arguments: argparse.Namespace) -> int:
    """0 where the answer was given, whatever it is; with one plain command 1 for anything but allow."""
    if sum((arguments.jsonl, arguments.command is not None, arguments.host is not None)) != 1:
        raise BadUsage("give one of: a command, --jsonl with one JSON object per line of input, --host")
    if arguments.host is not None:
        return policy_hosts.check(arguments)
    _demand_no_request(arguments)
    settings = load(arguments.config)
    if arguments.jsonl:
        anyio.run(_check_lines, settings)
        return 0
    question, verdict = anyio.run(_decide_one, settings, arguments.command)
    print(json.dumps(_document(question, verdict)) if arguments.json else _words(verdict))
    return 0 if isinstance(verdict, Allow) else 1


def _demand_no_request(arguments: argparse.Namespace) -> None:
    if arguments.method is not None or arguments.path is not None:
        raise BadUsage("--method and --path are of a request: give its host with --host")


def verdict_of(settings: Settings, command: str) -> Verdict:
    """What the policy says of one command; nothing runs."""
    return anyio.run(_decide_one, settings, command)[1]


async def _decide_one(settings: Settings, command: str) -> tuple[Question, Verdict]:
    async with ShellParser() as parser, judging(settings) as judge:
        return await _decide(settings, parser, judge, {"command": command})


async def _check_lines(settings: Settings) -> None:
    async with ShellParser() as parser, judging(settings) as judge:
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
    box = spec(settings)
    text, cwd = asked["command"], normalise(asked.get("cwd") or box.start_dir, box.start_dir, box.home)
    reading = await parser.read_script(text, cwd, box.home, box.workspaces)
    question = Question(
        caller=CallerFacts("local", ("user",)),
        tool="shell",
        session=SessionFacts(asked.get("session") or "default", box.environment, box.home, box.workspaces),
        act=RunCommand(("/bin/bash", "--noprofile", "--norc", "-c", text), cwd, b"", 300, background=False),
        call={"command": text},
        reading=reading,
        paths=uses(reading, box.home, box.workspaces),
    )
    return question, await judge.decide(question)


def spec(settings: Settings) -> SandboxSpec:
    """What the settings' own environment is. Raises NoSuchEnvironment."""
    return chosen(settings, workspaces(settings, settings_files()))


def _document(question: Question, verdict: Verdict) -> dict[str, Any]:
    return {
        "command": question.call["command"],
        "effect": verdict.effect,
        "rules": [asdict(rule) for rule in verdict.rules],
        "commands": [list(command.argv) for command in question.reading.commands],
        "revision": verdict.revision,
    }


def _words(verdict: Verdict) -> str:
    told = [f"  {rule.reason} [{rule.id}] {rule.help}".rstrip() for rule in verdict.rules]
    return "\n".join([verdict.effect, *told])


# --- explain -----------------------------------------------------------------------------------------------------------


def explain(arguments: argparse.Namespace) -> int:
    """Which rule, which fact, which line of the command, what holds it, and what would be allowed."""
    if (arguments.command is None) == (arguments.host is None):
        raise BadUsage("give a command, or --host")
    if arguments.host is not None:
        return policy_hosts.explain(arguments)
    _demand_no_request(arguments)
    settings = load(arguments.config)
    question, verdict = anyio.run(_decide_one, settings, arguments.command)
    print("\n".join(_explained(settings, question, verdict)))
    return 0


def _explained(settings: Settings, question: Question, verdict: Verdict) -> Iterator[str]:
    yield f"{verdict.effect}   (policy {verdict.revision or 'unknown'}, profile {settings.policy.profile})"
    yield "read as:"
    text = str(question.call["command"])
    for command in question.reading.commands:
        words = " ".join("?" if word is None else word for word in command.argv) or "(assignment or redirection)"
        via = f"   via {' > '.join(command.via)}" if command.via else ""
        yield f"  line {_line(text, command.span)}: {words}   in {command.cwd or 'an unknown folder'}{via}"
    for use in question.paths:
        yield f"  {use.op} {use.resolved}   ({use.area})"
    notes = rule_notes(BUNDLE_DIR)
    places = _places(settings, question)
    for rule in verdict.rules:
        known = notes.get(rule.id)
        yield f"{rule.effect}: {rule.id}" + (f", {known.title.lower()}" if known else "")
        yield f"  saw       {rule.reason}"
        yield from (f"  at        {place}" for place in places.get((rule.id, rule.reason), ()))
        if known:
            yield f"  held by   {MEANING[known.held_by]}"
            yield f"  source    {known.file}"
        yield f"  instead   {rule.help}"
        if rule.effect == "ask" and rule.grant:
            yield f"  allow it  sandgate allow {json.dumps(rule.grant) if ' ' in rule.grant else rule.grant}"
    if isinstance(verdict, Allow):
        yield f"the kernel lets it read {_listed(verdict.access.read)}, write {_listed(verdict.access.write)}"
        yield f"and run what is in {_listed(verdict.access.execute)}"


def _places(settings: Settings, question: Question) -> dict[tuple[str, str], dict[str, None]]:
    """Where in the command each finding was made, as far as it names a command or a path of it; each place once."""
    bundle = configured_bundle(settings)
    engine = Engine({**bundle.modules, **bundle.custom}, bundle.configured(bundle.settings))
    found = engine.evaluate(question.as_json(), FINDINGS)
    places: dict[tuple[str, str], dict[str, None]] = {}
    text = str(question.call["command"])
    for rule, finding in found:
        place = finding.get("path")
        if isinstance(index := finding.get("command"), int) and index < len(question.reading.commands):
            span = question.reading.commands[index].span
            place = f"line {_line(text, span)}: {text.encode()[span[0] : span[1]].decode('utf-8', 'replace')[:200]}"
        if place:
            places.setdefault((rule, finding["reason"][:300]), {})[str(place)] = None
    return places


def _line(text: str, span: tuple[int, int]) -> int:
    return text.encode("utf-8", "surrogateescape")[: span[0]].count(b"\n") + 1


def _listed(paths: tuple[str, ...]) -> str:
    return ", ".join(paths[:8]) + (f" and {len(paths) - 8} more" if len(paths) > 8 else "")  # noqa: PLR2004 - one line


# --- export and test ---------------------------------------------------------------------------------------------------


def export(arguments: argparse.Namespace) -> int:
    settings = load(arguments.config)
    bundle = configured_bundle(settings)
    out: Path = arguments.out
    try:
        write_bundle(bundle, BUNDLE_DIR, out)
    except OSError as exc:
        raise BadInput(f"{out} cannot be written: {exc.strerror}; name a file in a folder that is there") from exc
    print(f"{out}: policy {bundle.revision}, {out.stat().st_size} bytes. Load it: opa run --server --bundle {out}")
    print('then set opa_url = "http://127.0.0.1:8181" under [policy]')
    return 0


def test(arguments: argparse.Namespace) -> int:
    results = run_tests(BUNDLE_DIR)
    failed = [result for result in results if not result.passed]
    for result in failed:
        print(f"failed: {result.name}")
    print(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    if arguments.coverage:
        bare = [(module, lines) for module, lines in coverage(BUNDLE_DIR).items() if lines.missed]
        for module, lines in bare:
            print(f"{module}: not reached: line {', '.join(map(str, lines.missed[:20]))}")
        total = sum(lines.covered + len(lines.missed) for lines in coverage(BUNDLE_DIR).values())
        missed = sum(len(lines.missed) for _, lines in bare)
        print(
            f"{100 * (total - missed) / total:.1f} % of {total} lines that can be reached are reached by tests and samples"
        )
    return 1 if failed or not results else 0
