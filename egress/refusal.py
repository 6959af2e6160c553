"""What a program in a sandbox is told when the gate says no. Pure."""

import json
from dataclasses import dataclass
from typing import Literal

from egress.destination import clip

type RuleId = Literal[
    "egress.not_allowed",
    "egress.not_bound",
    "egress.ask",
    "egress.policy",
    "egress.bad_name",
    "egress.private_address",
    "egress.mismatch",
    "egress.protocol",
    "egress.secret",
    "egress.limit",
    "egress.error",
]
# How far a yes of the server's goes: this request; all with its host, port, method and path; all to that host and port.
type Let = Literal["", "once", "alike", "host"]

FORBIDDEN = 403
UNAVAILABLE = 503
TOO_MANY = 429
BAD_GATEWAY = 502
_MOST_ENTRIES_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Refusal:
    """One no. `status` is the HTTP status of the answer; host and port are empty where none could be read.

    approval: under which a person finds the question, where one was asked.
    """

    rule: RuleId
    reason: str
    host: str = ""
    port: int = 0
    status: int = FORBIDDEN
    approval: str = ""

    def body(self, allowed: tuple[str, ...], decision_id: str | None) -> bytes:
        """The JSON a program reads: {host, port, rule, reason, allowed, decision_id} and, where there is one, approval."""
        told = {
            "host": clip(self.host),
            "port": self.port,
            "rule": self.rule,
            "reason": self.reason,
            "allowed": list(allowed[:_MOST_ENTRIES_SHOWN]),
            "decision_id": decision_id,
            **({"approval": self.approval} if self.approval else {}),
        }
        return json.dumps(told).encode() + b"\n"

    @property
    def header(self) -> str:
        """The value of `x-sandgate-error`, and the status line's words."""
        return clip(self.reason, 500)

    def raw(self) -> bytes:
        """A whole HTTP/1.1 answer for a connection on which no request could be read."""
        body = self.body((), None)
        head = (
            f"HTTP/1.1 {self.status} {self.header}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
            f"connection: close\r\nx-sandgate-error: {self.header}\r\n\r\n"
        )
        return head.encode() + body


class Refused(Exception):
    """The gate does not let this request, connection or lookup pass."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal


def refuse(rule: RuleId, reason: str, host: str = "", port: int = 0) -> Refused:
    return Refused(Refusal(rule, reason, host, port))


def origin_failed(how: str) -> Refusal:
    """For an admitted request that its origin began to take."""
    return Refusal("egress.error", f"The origin failed: {how}.", status=BAD_GATEWAY)
