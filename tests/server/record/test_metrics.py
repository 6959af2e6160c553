"""What is counted: from lines of the audit, under labels that no caller can make grow."""

from prometheus_client.parser import text_string_to_metric_families

from server.record.metrics import MOST_VALUES, Metrics, Standing


def scraped(metrics: Metrics, now: Standing | None = None) -> dict[tuple[str, frozenset[str]], float]:
    text, _ = metrics.render(now or Standing())
    return {
        (sample.name, frozenset(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def call(metrics: Metrics, decision: str, tool: str = "shell", **ended: object) -> None:
    metrics.hear({"kind": "call.started", "decision_id": decision, "tool": tool})
    rules = [{"id": "outward.publish", "effect": "ask"}]
    metrics.hear({"kind": "call.decided", "decision_id": decision, "effect": "ask", "rules": rules})
    metrics.hear({"kind": "call.ended", "decision_id": decision, "outcome": "exited", "duration_ms": 12.0, **ended})


def test_a_call_is_counted_by_tool_outcome_and_rule_with_its_time_and_output() -> None:
    metrics = Metrics()
    call(metrics, "d-1", stdout_bytes=10, stderr_bytes=None)
    call(metrics, "d-2", outcome="failed", error="SandboxFailed")

    found = scraped(metrics)

    assert found["sandgate_calls_total", frozenset({"shell", "exited"})] == 1
    assert found["sandgate_calls_total", frozenset({"shell", "failed"})] == 1
    assert found["sandgate_call_failures_total", frozenset({"shell", "SandboxFailed"})] == 1
    assert found["sandgate_decisions_total", frozenset({"shell", "ask", "outward.publish"})] == 2
    assert found["sandgate_call_duration_seconds_sum", frozenset({"shell"})] == 0.024
    assert found["sandgate_output_bytes_total", frozenset({"stdout"})] == 10


def test_flows_are_counted_by_verdict_and_rule_and_a_refusal_as_often_as_it_came() -> None:
    metrics = Metrics()
    metrics.hear({"kind": "egress.flow", "bytes_up": 5, "bytes_down": 70})
    metrics.hear({"kind": "egress.refused", "rule": "egress.not_allowed", "count": 40})

    found = scraped(metrics)

    assert found["sandgate_egress_flows_total", frozenset({"allowed", "none"})] == 1
    assert found["sandgate_egress_flows_total", frozenset({"refused", "egress.not_allowed"})] == 40
    assert found["sandgate_egress_bytes_total", frozenset({"down"})] == 70


def test_no_caller_makes_the_series_grow() -> None:
    metrics = Metrics()
    for number in range(MOST_VALUES + 50):
        call(metrics, f"d-{number}", tool=f"tool-{number}")

    tools = {*()}.union(*(labels for name, labels in scraped(metrics) if name == "sandgate_calls_total")) - {"exited"}

    assert len(tools) == MOST_VALUES + 1
    assert "other" in tools


def test_lines_not_yet_on_the_disk_are_told_until_they_are() -> None:
    metrics = Metrics()
    call(metrics, "d-1")
    before = scraped(metrics)["sandgate_audit_unsynced_lines", frozenset()]
    metrics.synced()

    assert (before, scraped(metrics)["sandgate_audit_unsynced_lines", frozenset()]) == (3, 0)


def test_what_stands_now_is_told_and_what_is_gone_is_not() -> None:
    metrics = Metrics()
    scraped(metrics, Standing(warm={"base": 2}, sessions={"live": 1}, jobs=3, approvals=1))

    found = scraped(metrics, Standing(sessions={"frozen": 1}))

    assert found["sandgate_sessions", frozenset({"frozen"})] == 1
    assert found["sandgate_jobs_running", frozenset()] == found["sandgate_approvals_waiting", frozenset()] == 0
    assert not [name for name, _ in found if name == "sandgate_pool_warm"]
