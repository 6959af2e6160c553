"""What the server counts, in Prometheus' terms: calls and flows as the audit tells of them, steps as the path takes them.

Label values come from lists of ours, or stop at a bound: whoever calls cannot make the series grow.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

MOST_VALUES: Final = 200  # of one label; the rest is "other"
OTHER: Final = "other"
STEP_BUCKETS: Final = (
    *(0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    *(1, 2, 5, 10, 30, 60, 300),
)


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand at one moment. `warm` by environment, `sessions` by state."""

    warm: Mapping[str, int] = field(default_factory=dict)
    sessions: Mapping[str, int] = field(default_factory=dict)
    jobs: int = 0  # that run
    approvals: int = 0  # questions that wait for a person


class Metrics:
    """Hears every line of the audit; `render` is the text that a Prometheus server fetches."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._registry = registry = registry or CollectorRegistry()
        self._tools: dict[str, str] = {}  # of calls that are under way, by decision
        self._seen: dict[str, set[str]] = {}
        ProcessCollector(registry=registry)
        self._calls = Counter(
            "sandgate_calls", "Calls that are over, by how they ended.", ["tool", "outcome"], registry=registry
        )
        self._rules = Counter(
            "sandgate_decisions", "What rules said of calls.", ["tool", "effect", "rule"], registry=registry
        )
        self._failures = Counter(
            "sandgate_call_failures", "Calls that failed, by the error.", ["tool", "error"], registry=registry
        )
        self._whole = Histogram(
            "sandgate_call_duration_seconds",
            "Calls from their first line of the audit to their last.",
            ["tool"],
            buckets=STEP_BUCKETS,
            registry=registry,
        )
        self._steps = Histogram(
            "sandgate_step_duration_seconds",
            "Parts of a call's path; claim_warm and claim_cold count what the pool had ready, refill what it made ahead.",
            ["step"],
            buckets=STEP_BUCKETS,
            registry=registry,
        )
        self._output = Counter("sandgate_output_bytes", "Output of commands.", ["stream"], registry=registry)
        self._flows = Counter(
            "sandgate_egress_flows", "Requests that wanted to leave a sandbox.", ["verdict", "rule"], registry=registry
        )
        self._carried = Counter(
            "sandgate_egress_bytes",
            "Bodies that left sandboxes (up), and that came back.",
            ["direction"],
            registry=registry,
        )
        self._events = Counter(
            "sandgate_audit_lines", "Lines of the audit, by their kind.", ["kind"], registry=registry
        )
        self._unsynced = Gauge("sandgate_audit_unsynced_lines", "Lines that a power cut would lose.", registry=registry)
        self._warm = Gauge("sandgate_pool_warm", "Sandboxes ready to be claimed.", ["environment"], registry=registry)
        self._sessions = Gauge("sandgate_sessions", "Sessions by their state.", ["state"], registry=registry)
        self._jobs = Gauge("sandgate_jobs_running", "Commands that run.", registry=registry)
        self._waiting = Gauge("sandgate_approvals_waiting", "Questions that wait for a person.", registry=registry)

    def observe(self, step: str, seconds: float) -> None:
        """One step of the path is over."""
        self._steps.labels(step).observe(seconds)

    def synced(self) -> None:
        """Every line so far is on the disk."""
        self._unsynced.set(0)

    def hear(self, line: Mapping[str, Any]) -> None:
        """Count a line of the audit."""
        kind = str(line["kind"])
        self._events.labels(self._bounded("kind", kind)).inc()
        self._unsynced.inc()
        match kind:
            case "call.started":
                self._tools[line["decision_id"]] = self._bounded("tool", line["tool"])
            case "call.decided":
                self._decided(line)
            case "call.ended":
                self._ended(line)
            case "egress.flow" | "egress.refused":
                self._flowed(line, "allowed" if kind == "egress.flow" else "refused")
            case _:
                pass

    def _decided(self, line: Mapping[str, Any]) -> None:
        tool = self._tools.get(line["decision_id"], OTHER)
        for rule in line["rules"] or ({"id": "none"},):
            self._rules.labels(tool, line["effect"], self._bounded("rule", rule["id"])).inc()

    def _ended(self, line: Mapping[str, Any]) -> None:
        tool = self._tools.pop(line["decision_id"], OTHER)
        self._calls.labels(tool, self._bounded("outcome", line["outcome"])).inc()
        self._whole.labels(tool).observe(line["duration_ms"] / 1000)
        if error := line.get("error"):
            self._failures.labels(tool, self._bounded("error", error)).inc()
        for stream in ("stdout", "stderr"):
            self._output.labels(stream).inc(line.get(f"{stream}_bytes") or 0)

    def _flowed(self, line: Mapping[str, Any], verdict: str) -> None:
        self._flows.labels(verdict, self._bounded("rule", line.get("rule") or "none")).inc(line.get("count") or 1)
        for direction in ("up", "down"):
            self._carried.labels(direction).inc(line.get(f"bytes_{direction}") or 0)

    def render(self, now: Standing) -> tuple[bytes, str]:
        """The text, and its content type."""
        for gauge, values in ((self._warm, now.warm), (self._sessions, now.sessions)):
            gauge.clear()
            for label, value in values.items():
                gauge.labels(label).set(value)
        self._jobs.set(now.jobs)
        self._waiting.set(now.approvals)
        return generate_latest(self._registry), CONTENT_TYPE_PLAIN_0_0_4

    def _bounded(self, label: str, value: str) -> str:
        seen = self._seen.setdefault(label, set())
        if value not in seen:
            if len(seen) >= MOST_VALUES:
                return OTHER
            seen.add(value)
        return value
