"""The real OPA engine as a library, and a small server that answers OPA's data API from it."""

import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from server.judge.bundle import Bundle, read_bundle
from server.judge.decision import DECISION, HOSTS, REQUEST
from server.judge.export import bundle_files
from tests.loopback_http import Asked, answering
from tests.server.judge.judging import BUNDLE

DATA_PATH = "/v1/data/"

type Answer = Callable[["Handler", bytes], None]
RULES = {rule.removeprefix("data.") for rule in (DECISION, REQUEST, HOSTS)}


class Oracle:
    """OPA's own engine with the files of an exported bundle: what an OPA server would have loaded."""

    def __init__(self, bundle: Bundle) -> None:
        engine = pytest.importorskip(
            "opa_bindings", reason="no build of the real OPA engine for this machine"
        ).OpaEngine()
        for name, content in bundle_files(bundle, BUNDLE):
            if name.endswith(".rego"):
                engine.add_policy(name, content.decode())
            elif name == "data.json":
                engine.add_data(json.loads(content))
        self._engine = engine

    def decide(self, question: Mapping[str, Any], rule: str = DECISION) -> Any:
        return self._engine.eval_document(rule.removeprefix("data."), question)


def oracle(settings: Mapping[str, Any] | None = None, *custom: Path) -> Oracle:
    return Oracle(read_bundle(BUNDLE, settings or {}, custom))


class Handler(Asked):
    """One request to the server; `answers` is what the test wants of it."""

    protocol_version = "HTTP/1.1"
    answers: Answer
    healthy: bool
    seen: list[tuple[str, str, str | None]]

    def answer(self, body: bytes) -> None:
        self.seen.append((self.command, self.path, self.headers.get("Authorization")))
        if self.command == "GET":
            self.say(200 if self.healthy else 500, b"{}")
        else:
            type(self).answers(self, body)


def from_engine(engine: Oracle) -> Answer:
    """As OPA answers: an undefined document is 200 and an empty object."""

    def answer(handler: Handler, body: bytes) -> None:
        rule = handler.path.removeprefix(DATA_PATH).replace("/", ".")
        known = rule in RULES
        result = {"result": engine.decide(json.loads(body)["input"], rule)} if known else {}
        handler.say(200, json.dumps(result).encode())

    return answer


@contextmanager
def serving(
    answers: Answer, *, healthy: bool = True, tls: ssl.SSLContext | None = None
) -> Iterator[tuple[str, type[Handler]]]:
    """The server's address, and its handler, whose `seen`, `healthy` and `answers` may be looked at and changed."""
    handler = type("Serving", (Handler,), {"answers": staticmethod(answers), "healthy": healthy, "seen": []})
    with answering(handler, tls) as port:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}", handler
