"""The three answers a policy can give, and the permit that only one of them yields."""

from dataclasses import dataclass, field
from typing import ClassVar, final

from policy.question import Question


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule that spoke: `reason` says what it saw, `help` what would be allowed instead.

    `grant` is the entry (`git push`, or a host) with which the operator's list would answer an ask beforehand; "" for none.
    """

    id: str
    effect: str
    reason: str
    help: str = ""
    grant: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """Ceilings a decision may set; None leaves the setting as it is. Seconds and bytes."""

    timeout_s: float | None = None
    output_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """Allow-only sets of absolute paths that the kernel (Landlock) holds the command to."""

    read: tuple[str, ...] = ("/",)
    write: tuple[str, ...] = ()
    execute: tuple[str, ...] = ("/",)


@dataclass(frozen=True, slots=True)
class Allow:
    effect: ClassVar = "allow"
    rules: tuple[Rule, ...] = ()
    limits: Limits = field(default_factory=Limits)
    access: Access = field(default_factory=Access)
    revision: str = ""


@dataclass(frozen=True, slots=True)
class Ask:
    """A person may allow it; `granted` is the Allow that such an approval turns it into."""

    effect: ClassVar = "ask"
    rules: tuple[Rule, ...]
    granted: Allow
    revision: str = ""


@dataclass(frozen=True, slots=True)
class Deny:
    effect: ClassVar = "deny"
    rules: tuple[Rule, ...]
    revision: str = ""


type Verdict = Allow | Ask | Deny


def stricter(first: Allow | Ask, then: Allow | Ask) -> Allow | Ask:
    """Of what was said before and after the call was known better: what was asked stays asked, for what was found."""
    if isinstance(first, Ask) and isinstance(then, Allow):
        return Ask(first.rules, then, then.revision)
    return then


def engine_error(reason: str) -> Deny:
    """The verdict of an engine that is down, slow, wrong or oddly shaped."""
    return Deny(
        (
            Rule(
                "engine.error", "deny", reason, "Nothing runs until the policy engine answers again; tell the operator."
            ),
        )
    )


class Denied(Exception):
    """The policy said no, or it asked and nobody has said yes.

    approval: where a person finds the question, "" where there is none; shown: the call, whole. refused: a person has
    said no to it.
    """

    def __init__(
        self,
        verdict: Ask | Deny,
        decision_id: str,
        approval: str = "",
        *,
        session: str = "",
        shown: str = "",
        refused: bool = False,
    ) -> None:
        super().__init__("; ".join(rule.reason for rule in verdict.rules))
        self.verdict, self.decision_id = verdict, decision_id
        self.approval, self.session, self.shown, self.refused = approval, session, shown, refused


_KEY = object()


@final
class Permit:
    """Proof that this exact question was allowed. A sandbox accepts nothing else."""

    __slots__ = ("allow", "question")
    question: Question
    allow: Allow

    def __init__(self, question: Question, allow: Allow, *, key: object) -> None:
        if key is not _KEY:
            raise TypeError("permits come from policy.verdict.permit()")
        self.question = question
        self.allow = allow


def permit(question: Question, allow: Allow) -> Permit:
    return Permit(question, allow, key=_KEY)
