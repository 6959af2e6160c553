"""What an operator's own programs see: Prometheus' text, spans at a collector, and log lines that carry the call's id."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from tests.end_to_end.http_rig import ANN, BOB, HttpServer, serving, streamable, tokens
from tests.end_to_end.rig import Home, structured
from tests.server.record.receivers import Posts, collector

pytestmark = pytest.mark.anyio

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def spans(posts: Posts) -> list[dict[str, str]]:
    """What a collector has taken by OTLP over HTTP."""
    bodies = [ExportTraceServiceRequest.FromString(body) for _, body in posts.heard.messages]
    return [
        {
            "name": span.name,
            "trace": span.trace_id.hex(),
            **{pair.key: pair.value.string_value for pair in span.attributes},
        }
        for body in bodies
        for resource in body.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


CHIEF = "sgt_chief-0123456789abcdef"


@pytest.fixture(scope="module")
def posts() -> Iterator[Posts]:
    with collector() as made:
        yield made


@pytest.fixture(scope="module")
def server(folder: Path, posts: Posts) -> Iterator[HttpServer]:
    settings = tokens(ann=ANN, bob=BOB, chief=CHIEF)
    for name, role in (("bob", "auditor"), ("chief", "admin")):
        settings = settings.replace(f'name = "{name}"', f'name = "{name}"\nroles = ["{role}"]')
    traces = f'[telemetry]\ntraces = "{posts.url}"\nlog = "json"\n'
    home = Home(folder, traces + settings)
    with serving(home) as made:
        yield made
    home.remove_images()


def scraped(server: HttpServer) -> dict[tuple[str, frozenset[str]], float]:
    answer = server.get("/metrics", authorization=f"Bearer {BOB}")
    assert answer.status_code == httpx.codes.OK, answer.text
    return {
        (sample.name, frozenset(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


@pytest.mark.promise("caller.known")
async def test_metrics_are_for_who_sees_what_is_everybodys(server: HttpServer) -> None:
    assert server.get("/metrics").status_code == httpx.codes.UNAUTHORIZED
    refused = server.get("/metrics", authorization=f"Bearer {ANN}")
    assert refused.status_code == httpx.codes.FORBIDDEN
    assert "auditor" in refused.text
    assert server.get("/metrics", authorization=f"Bearer {CHIEF}").status_code == httpx.codes.OK


async def test_calls_are_counted_and_each_step_of_their_path_is_timed(server: HttpServer) -> None:
    async with streamable(server, ANN) as client:
        before = scraped(server)
        ran = structured(await client.call_tool("shell", {"command": "echo counted"}))
        await client.call_tool("shell", {"command": "sudo id", "session": ran["session"]})
        after = scraped(server)
        await client.call_tool("session_close", {"session": ran["session"]})

    def more(name: str, *labels: str) -> float:
        return after.get((name, frozenset(labels)), 0) - before.get((name, frozenset(labels)), 0)

    assert more("sandgate_calls_total", "shell", "exited") == 1
    assert more("sandgate_calls_total", "shell", "denied") == 1
    assert more("sandgate_output_bytes_total", "stdout") == len("counted\n")
    for step, times in {"read": 2, "judge": 2, "session": 1, "run": 1}.items():
        assert more("sandgate_step_duration_seconds_count", step) == times
    claims = [more("sandgate_step_duration_seconds_count", step) for step in ("claim_warm", "claim_cold")]
    assert sum(claims) == 1
    assert after["sandgate_sessions", frozenset({"live"})] >= 1


async def test_the_steps_are_spans_of_the_clients_own_trace(server: HttpServer, posts: Posts) -> None:
    async with streamable(server, ANN) as client:
        meta = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
        ran = structured(await client.call_tool("shell", {"command": "true"}, meta=meta))  # type: ignore[arg-type]  # as sent
        await client.call_tool("session_close", {"session": ran["session"]})
    server.end()  # what is still in its hands is sent

    ours = {span["name"]: span for span in spans(posts) if span["trace"] == TRACE}

    assert {"sandgate.read", "sandgate.judge", "sandgate.session", "sandgate.run"} <= ours.keys()
    assert ran["decision_id"] in {span.get("sandgate.decision_id") for span in ours.values()}
