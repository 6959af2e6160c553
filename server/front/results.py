"""Results as a model reads them: short text that stands alone, and the same facts as structured content.

Nothing is lost silently: what was left out is counted, and the exact next call for it is named.
"""

import codecs
import shlex
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from mcp.types import CallToolResult, TextContent
from pydantic import BaseModel, Field, WithJsonSchema

from policy.question import Question, RunCommand
from policy.verdict import Ask, Denied, Rule, Verdict
from server.asks import Ran
from server.sandbox.jobs import Job, Stream
from server.sandbox.sandbox import Exit

MAX_STDERR = 4_000
UTF8_LONGEST = 4  # bytes of one character
CHECK_TEXT = 4_000  # characters of each thing that policy_check says
REFUSAL_TEXT = 600  # characters: what a model reads without losing its thread

type Shape = Literal["text", "structured", "both"]

# An exit code, or null where the command did not exit by itself; written flat, for clients that know no unions.
ExitCode = Annotated[int | None, WithJsonSchema({"type": ["integer", "null"]})]


class RunResult(BaseModel):
    """What shell and exec answer; a refusal has only the first two fields and `rules`.

    One schema for both, because clients check a refusal against it too (the TypeScript SDK v1 does).
    """

    status: Literal[
        "exited",
        "running",
        "timed_out",
        "killed",
        "out_of_memory",
        "disk_full",
        "cancelled",
        "denied",
        "approval_required",
    ]
    decision_id: str
    exit_code: ExitCode = None
    stdout: str = Field("", description="beginning and end where truncated")
    stderr: str = ""
    stdout_bytes: int = 0
    stderr_bytes: int = 0
    truncated: bool = False
    job: str = ""
    duration_ms: int = 0
    session: str = ""
    cwd: str = ""
    rules: list[dict[str, str]] = []


@dataclass(frozen=True, slots=True)
class Clip:
    """A stream's text within a bound; it says itself where to read on if some was left out."""

    text: str
    left_out: int  # bytes


def clip(job: Job, stream: Stream, max_chars: int) -> Clip:
    """Beginning and end of a stream, cut on lines, with what was left out counted in bytes."""
    spool = job.streams[stream]
    if spool.total <= max_chars * UTF8_LONGEST and not spool.dropped:
        text = spool.read(0, spool.total).data.decode("utf-8", "replace")
        if len(text) <= max_chars:
            return Clip(text, 0)
    half = max_chars // 2
    head = _whole_lines(spool.read(0, half).data, keep="start")
    tail_from = max(len(head), spool.total - half)
    tail = _whole_lines(spool.read(tail_from, spool.total - tail_from).data, keep="end")
    left_out = spool.total - len(head) - len(tail)
    call = f'job_output(job="{job.name}", stream="{stream}", offset={len(head)})'
    note = f"\n[{left_out} bytes left out; {call} reads on]\n"
    return Clip(head.decode("utf-8", "replace") + note + tail.decode("utf-8", "replace"), left_out)


def _whole_lines(data: bytes, keep: Literal["start", "end"]) -> bytes:
    """Without the line that the cut went through; a single endless line is cut between two characters."""
    if keep == "start":
        return data[: data.rfind(b"\n") + 1] or whole_characters(data) or data
    begun = next((place for place, byte in enumerate(data[:UTF8_LONGEST]) if byte & 0xC0 != 0x80), 0)  # noqa: PLR2004 - how UTF-8 goes on
    return data[data.find(b"\n") + 1 or begun :] or data


def whole_characters(data: bytes) -> bytes:
    """Without the beginning of one that goes on after it: cut in two, it would be lost from both parts."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    decoder.decode(data)
    return data[: len(data) - len(decoder.getstate()[0])]


def run_result(ran: Ran, max_chars: int, shape: Shape) -> CallToolResult:
    out, err = clip(ran.job, "stdout", max_chars), clip(ran.job, "stderr", MAX_STDERR)
    end = ran.end
    result = RunResult(
        status=end.status if end else "running",
        exit_code=end.exit_code if end else None,
        stdout=out.text,
        stderr=err.text,
        stdout_bytes=ran.job.streams["stdout"].total,
        stderr_bytes=ran.job.streams["stderr"].total,
        truncated=bool(out.left_out or err.left_out or ran.job.lost_bytes),
        job=ran.job.name,
        duration_ms=end.duration_ms if end else 0,
        decision_id=ran.decision_id,
        session=ran.session.name,
        cwd=ran.act.cwd,
    )
    notes = [*_end_note(end, ran), *_session_note(ran), *besides(ran.job)]
    text = "\n".join([part for part in (out.text.rstrip("\n"), _labelled(err.text, out.text)) if part] + notes)
    return shaped(text or "(no output)", result.model_dump(exclude={"rules"}), shape)


def _labelled(err: str, out: str) -> str:
    text = err.rstrip("\n")
    return f"stderr:\n{text}" if text and out else text


def _end_note(end: Exit | None, ran: Ran) -> list[str]:
    """The one status line, only where there is something to say."""
    job = ran.job
    if end is None:
        return [
            f'[running as job {job.name}; job_output(job="{job.name}", wait_s=45) waits for more, job_stop ends it]'
        ]
    code = f"exit code {end.exit_code}" if end.exit_code else ""
    by = f" by signal {end.signal}" if end.signal else ""
    told = {
        "exited": code,
        "timed_out": "timed out and was stopped; background=true lets a command run on",
        "killed": f"killed{by}",
        "out_of_memory": "killed by the kernel: out of memory",
        "disk_full": f"disk full{f', {code}' if code else ''}",
        "cancelled": "cancelled",
        "running": "",
    }[end.status]
    bounded = not ran.act.background and end.status != "timed_out"
    most = f", for at most {ran.act.timeout_s:g} s from its start" if bounded else ""
    left = f"{job.left_behind} of its processes still run{most}; job_stop ends them" if job.left_behind else ""
    note = "; ".join(part for part in (": ".join(filter(None, (told, end.detail))), left) if part)
    return [f"[{note}]"] if note else []


def _session_note(ran: Ran) -> list[str]:
    spec = ran.session.spec
    new = f"[new session {ran.session.name}: environment {spec.environment}, files are kept until session_close]"
    return [*([new] if ran.is_new_session else []), *(f"[{remark}]" for remark in ran.remarks)]


def besides(job: Job) -> list[str]:
    """What of its output is lost, and what had no way through the gate while it ran, and why: many programs show neither."""
    lost = job.lost_bytes
    notes = [f"[{lost} bytes of output could not be kept: the server's disk is full]"] if lost else []
    return notes + [f"[the gate {said}]" for said in job.gate_said]


def shaped(text: str, structured: dict[str, Any], shape: Shape) -> CallToolResult:
    """Text, structured content, or both: hosts differ in which of them the model sees."""
    content = [TextContent(type="text", text=text)] if shape != "structured" else []
    return CallToolResult(content=list(content), structured_content=structured if shape != "text" else None)


def plain(text: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=text)])


def failed(text: str) -> CallToolResult:
    """An answer the model can act on: what went wrong and what to do instead."""
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)


# --- refusals ----------------------------------------------------------------------------------------------------------


def refusal(denied: Denied) -> CallToolResult:
    """A no that teaches: the rule, the reason, what would be allowed, and how a person can allow it."""
    verdict = denied.verdict
    waits = isinstance(verdict, Ask) and not denied.refused
    status = "approval_required" if waits else "denied"
    rules = [rule for rule in verdict.rules if rule.effect == verdict.effect]
    head = "Needs a person's approval" if waits else "A person said no" if denied.refused else "Refused"
    said = "\n".join(f"{head}: {rule.reason} [{rule.id}] {rule.help}".rstrip() for rule in rules[:3])
    how = f"\n{_how_to_allow(denied, rules)}" if waits else ""
    end = f"{how}\nNothing ran. Decision {denied.decision_id}."
    text = said[: REFUSAL_TEXT - len(end)] + end
    structured: dict[str, Any] = {
        "status": status,
        "decision_id": denied.decision_id,
        "rules": [_as_dict(rule) for rule in rules],
    }
    if waits and denied.approval:
        structured["approval"] = {"id": denied.approval, "session": denied.session}
    content = [TextContent(type="text", text=text)]
    return CallToolResult(content=list(content), structured_content=structured, is_error=True)


def _how_to_allow(denied: Denied, rules: list[Rule]) -> str:
    """The command lines with which a person says yes: to this call, or to all like it where the rule names an entry."""
    grants = dict.fromkeys(rule.grant for rule in rules if rule.grant)
    ways = [f"once: `sandgate approvals allow {denied.approval}`"] if denied.approval else []
    if grants:
        ways.append(f"from now on: {' and '.join(f'`sandgate allow {shlex.quote(grant)}`' for grant in grants)}")
    ways += ["in a browser: `sandgate page`"] if denied.approval else []
    allow = f"A person can allow it, {', or '.join(ways)}" if ways else "The operator can allow it ([policy])"
    again = f" with session={denied.session!r}" if denied.session not in ("", "default") else ""
    return f"{allow}. Then make the same call again{again}."


def _beginning(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]} [{len(text) - limit} characters left out]"


def _as_dict(rule: Rule) -> dict[str, str]:
    return {"id": rule.id, "effect": rule.effect, "reason": rule.reason, "help": rule.help}


def check_result(question: Question, verdict: Verdict, shape: Shape) -> CallToolResult:
    """What policy_check answers."""
    lines = [f"{verdict.effect}: {rule.reason} [{rule.id}] {rule.help}".rstrip() for rule in verdict.rules]
    commands = [" ".join(word if word is not None else "?" for word in c.argv) for c in question.reading.commands]
    read = f"read as: {'; '.join(commands)}" if isinstance(question.act, RunCommand) and commands else ""
    text = "\n".join(_beginning(part, CHECK_TEXT) for part in (lines or [verdict.effect]) + [read] if part)
    structured = {
        "effect": verdict.effect,
        "rules": [_as_dict(rule) for rule in verdict.rules],
        "commands": commands,
        "paths": [f"{use.op} {use.resolved}" for use in question.paths],
        "revision": verdict.revision,
    }
    return shaped(text, structured, shape)
