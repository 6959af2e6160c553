"""Spans on their way to a collector, where the settings name one."""

from collections.abc import Generator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from opentelemetry import trace

FLUSH_MS = 2_000  # at the end: a collector that does not answer keeps no server from ending


@contextmanager
def sent_to(endpoint: str | None, ca: Path | None = None) -> Generator[None]:
    """OTLP over HTTP to `endpoint` (http://collector:4318/v1/traces), in batches; what cannot be sent is dropped.

    ca: whom to trust there, instead of the system's authorities. Without an endpoint nothing is collected.
    """
    if endpoint is None:
        yield
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - 60 ms that only this costs
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider(
        resource=Resource({"service.name": "sandgate", "service.version": version("sandgate")}),
        shutdown_on_exit=False,
    )
    exporter = OTLPSpanExporter(endpoint, certificate_file=str(ca) if ca else None, timeout=FLUSH_MS / 1000)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        provider.force_flush(FLUSH_MS)
        provider.shutdown()
