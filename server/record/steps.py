"""How long each part of a call's path takes: a histogram, a span under the client's own trace, and the id on log lines."""

import json
import logging
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from datetime import UTC, datetime

from opentelemetry import trace

_DECISION: ContextVar[str] = ContextVar("decision_id", default="")  # for log lines; nothing is decided by it


class Steps:
    """`observe`: told of each step that is over, with its seconds."""

    def __init__(self, observe: Callable[[str, float], None]) -> None:
        self._observe = observe
        self._tracer = trace.get_tracer("sandgate")

    @contextmanager
    def call(self, decision_id: str) -> Generator[None]:
        """The whole call: the span that the transport opened for it, and what is logged meanwhile, carry its id."""
        trace.get_current_span().set_attribute("sandgate.decision_id", decision_id)
        before = _DECISION.set(decision_id)
        try:
            yield
        finally:
            _DECISION.reset(before)

    @contextmanager
    def step(self, name: str) -> Generator[None]:
        """One part of it, however it ends. `name` is one of a few, never a caller's text."""
        started = time.perf_counter()
        try:
            with self._span(f"sandgate.{name}"):
                yield
        finally:
            self._observe(name, time.perf_counter() - started)

    def _span(self, name: str) -> AbstractContextManager[object]:
        """Nothing where nobody collects them: even a span that is dropped costs more than the clock."""
        if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
            return nullcontext()
        return self._tracer.start_as_current_span(name)


class JsonLines(logging.Formatter):
    """A log line as one JSON object: time, level, logger, message, decision_id where it is of a call, error."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if decision := _DECISION.get():
            line["decision_id"] = decision
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line)
