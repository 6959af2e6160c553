"""Redirections: the paths they open, and what a command then reads."""

import re
from collections.abc import Mapping

from policy.command import Redirect
from policy.reading.context import FROM_FILE, FROM_PIPE, Input
from policy.reading.document import expands
from policy.reading.flow import Flow, resolved
from policy.reading.piece import Word
from policy.reading.surroundings import Surroundings
from policy.reading.tree import Node, value
from policy.reading.word import document, here_string, word

_DOCUMENTS = ("<<", "<<-", "<<<")
_DUPLICATES = (">&", "<&")
_DESCRIPTOR = re.compile(r"(\d+)?-?")
# What a name ends with that no program looks for by itself: logs, results, copies.
_RESULT = re.compile(
    r"\w*\.(?:bak|csv|diff|dot|err|gz|html|log|md|new|old|orig|out|patch|png|sorted|stderr|stdout|svg|tmp|tsv|txt|xml)$"
)
_OTHER_INPUT = re.compile(r"/dev/(?:fd/(\d+)|stdin|tcp/.*|udp/.*)")


def targets(redirs: list[Node], near: Surroundings) -> list[tuple[Node, Word]]:
    """Each redirection with the word it leads to, or the text it holds."""
    return [(redir, _target(redir, near)) for redir in redirs]


def _target(redir: Node, near: Surroundings) -> Word:
    if body := redir.get("Hdoc"):
        return document(body, near, expands=expands(redir), strips_tabs=redir.get("Op") == "<<-")
    if redir.get("Op") in ("<<", "<<-"):
        return Word("")
    read = here_string if redir.get("Op") == "<<<" else word
    return read(redir.get("Word") or {}, near)


def facts(found: list[tuple[Node, Word]], flow: Flow, home: str | None) -> tuple[Redirect, ...]:
    """What the policy sees: one entry for each path that a target may be."""
    return tuple(redirect for redir, target in found for redirect in _facts(redir, target, flow, home))


def _facts(redir: Node, target: Word, flow: Flow, home: str | None) -> list[Redirect]:
    operator, descriptor = str(redir.get("Op", "")), value(redir.get("N"))
    fd = int(descriptor) if descriptor.isdecimal() else None
    if operator in _DOCUMENTS:
        return [Redirect(operator, fd, None, dynamic=False)]
    if operator in _DUPLICATES and target.text is not None and _DESCRIPTOR.fullmatch(target.text):
        return [Redirect(operator, fd, None, dynamic=False)]
    text, dynamic = target.code, False
    if (
        text is None
        and operator != "<"
        and target.reason == "glob"
        and not target.splits
        and _RESULT.search(target.known)
    ):
        text, dynamic = target.known, True
    elif text is None and operator != "<" and _RESULT.search(target.ends):
        text, dynamic = f"{target.begins}*{target.ends}", True
    if text is None:
        return [Redirect(operator, fd, None, dynamic=target.reason != "procsub")]
    paths = dict.fromkeys(resolved(text, where, home) for where in flow)
    return [Redirect(operator, fd, path, dynamic or path is None) for path in paths]


def inputs(found: list[tuple[Node, Word]], before: Mapping[int, Input]) -> Mapping[int, Input]:
    """What each descriptor reads after these redirections, which bash does from left to right."""
    if not found:
        return before
    after = dict(before)
    for redir, target in found:
        number = value(redir.get("N"))
        fd = int(number) if number.isdecimal() else 0
        if source := _source(str(redir.get("Op", "")), target, after):
            after[fd] = source
    return after


def _source(operator: str, target: Word, now: Mapping[int, Input]) -> Input | None:
    match operator:
        case "<<" | "<<-":
            return Input("text", target.text)
        case "<<<":
            return Input("text", None if target.text is None else target.text + "\n")
        case "<" | "<>":
            return _opened(target, now)
        case "<&":
            digits = (target.text or "").rstrip("-")
            return now.get(int(digits), FROM_PIPE) if digits.isdecimal() else FROM_FILE
        case _:
            return None


def _opened(target: Word, now: Mapping[int, Input]) -> Input | None:
    if target.text is None:
        return FROM_PIPE if target.reason == "procsub" else FROM_FILE
    found = _OTHER_INPUT.fullmatch(target.text)
    if not found:
        return FROM_FILE
    if target.text == "/dev/stdin":
        return None
    return now.get(int(found[1]), FROM_PIPE) if found[1] else FROM_PIPE
