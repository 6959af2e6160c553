"""`sandgate policy check --host` and `explain --host`: what the policy says of a request that leaves; none is sent."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict

import anyio

from policy.question import CallerFacts, Question, SessionFacts, UseHost
from policy.verdict import Allow, Verdict
from server.judge.host_patterns import split
from server.ops.bad_input import BadInput
from server.sandbox.allow_list import covers, entry_name
from server.sandbox.egress_link import AllowEntry
from server.settings.files import load
from server.settings.settings import Settings
from server.wiring.judges import host_entries, judging


def check(arguments: argparse.Namespace) -> int:
    """0 for allow, 1 for anything else."""
    act, _, verdict = _asked(arguments)
    effect, rules = verdict.effect, [asdict(rule) for rule in verdict.rules]
    if arguments.json:
        print(
            json.dumps(
                {"host": act.host, "port": act.port, "effect": effect, "rules": rules, "revision": verdict.revision}
            )
        )
    else:
        print("\n".join([effect, *(f"  {rule.reason} [{rule.id}] {rule.help}".rstrip() for rule in verdict.rules)]))
    return 0 if isinstance(verdict, Allow) else 1


def explain(arguments: argparse.Namespace) -> int:
    act, settings, verdict = _asked(arguments)
    print("\n".join(_explained(act, settings, verdict)))
    return 0


def _explained(act: UseHost, settings: Settings, verdict: Verdict) -> Iterator[str]:
    yield f"{verdict.effect}   (policy {verdict.revision or 'unknown'})"
    yield f"read as: {act.method or 'any method'} {act.path or 'any path'} at {act.host}, port {act.port}"
    speak = [
        entry
        for entry in host_entries(settings.egress)
        if covers(entry, act.host) or covers(entry, f"{act.host}:{act.port}")
    ]
    yield from (f"  entry {_described(entry)}" for entry in speak)
    if not speak:
        yield "  no entry of egress.allow or egress.ask speaks of that host"
    for rule in verdict.rules:
        yield f"{rule.effect}: {rule.id}"
        yield f"  saw       {rule.reason}"
        yield "  held by   the gate, for every program: there is no other way out of a sandbox"
        yield f"  instead   {rule.help}"


def _described(entry: AllowEntry) -> str:
    rest = {} if isinstance(entry, str) else {name: value for name, value in entry.items() if name != "host"}
    return " ".join([entry_name(entry), *([json.dumps(rest)] if rest else [])])


def _asked(arguments: argparse.Namespace) -> tuple[UseHost, Settings, Verdict]:
    try:
        host, port = split(arguments.host)
    except ValueError as exc:
        raise BadInput(str(exc)) from exc
    settings = load(arguments.config)
    act = UseHost(host, port, (arguments.method or "").upper(), arguments.path or "")
    return act, settings, anyio.run(_decided, settings, act)


async def _decided(settings: Settings, act: UseHost) -> Verdict:
    session = SessionFacts("default", settings.environment)
    question = Question(CallerFacts("local", ("user",)), "network", session, act, {"host": act.host})
    async with judging(settings) as judge:
        return await judge.decide_request(question)
