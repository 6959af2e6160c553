"""The audit to collectors that speak HTTP: lines of JSON, or OpenTelemetry's log records."""

import json
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import httpx

from server.record.ocsf import event
from server.record.sink import PATIENCE_S, Form, Lost, NotNow, is_bad
from server.record.trail import Line

AGAIN: Final = frozenset({401, 403, 404, 407, 408, 425, 429})  # of the 4xx: what a person or time can mend


@dataclass
class Poster:
    """POST to one address, with a token that is read from its file each time, so that it may be changed."""

    url: str
    ca: Path | None
    token_file: Path | None
    _client: httpx.Client | None = field(default=None, init=False)

    def post(self, body: bytes, kind: str) -> httpx.Response:
        """A good answer, or one that says no for ever. Raises NotNow."""
        try:
            answer = self._opened().post(self.url, content=body, headers={"content-type": kind, **self._token()})
        except (httpx.HTTPError, OSError) as exc:
            raise NotNow(f"{self.url}: {type(exc).__name__} {exc}".rstrip()) from exc
        if answer.status_code in AGAIN or not _is_final(answer.status_code):
            raise NotNow(f"{self.url} answers {answer.status_code}")
        return answer

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _opened(self) -> httpx.Client:
        if self._client is None:
            trust = ssl.create_default_context(cafile=self.ca)
            self._client = httpx.Client(verify=trust, timeout=PATIENCE_S, follow_redirects=False, trust_env=False)
        return self._client

    def _token(self) -> Mapping[str, str]:
        return {"authorization": f"Bearer {self.token_file.read_text().strip()}"} if self.token_file else {}


def _is_final(status: int) -> bool:
    return HTTPStatus(status).is_success or HTTPStatus(status).is_client_error


@dataclass
class Collector:
    """One line of JSON each (application/x-ndjson), a batch a request."""

    form: Form
    poster: Poster

    def send(self, lines: Sequence[Line]) -> Lost:
        body = "".join(f"{self.form(line)}\n" for line in lines).encode()
        answer = self.poster.post(body, "application/x-ndjson")
        return Lost() if answer.is_success else Lost(len(lines), f"the collector answers {answer.status_code}")

    def close(self) -> None:
        self.poster.close()


@dataclass
class OtlpLogs:
    """OTLP over HTTP as JSON: the line is a log record's body, what it is about its attributes."""

    form: Form
    poster: Poster

    def send(self, lines: Sequence[Line]) -> Lost:
        scope = {"scope": {"name": "sandgate.audit"}, "logRecords": [self._record(line) for line in lines]}
        resource = {"attributes": _attributes({"service.name": "sandgate", "host.name": socket.gethostname()})}
        body = json.dumps({"resourceLogs": [{"resource": resource, "scopeLogs": [scope]}]}).encode()
        answer = self.poster.post(body, "application/json")
        if not answer.is_success:
            return Lost(len(lines), f"the collector answers {answer.status_code}")
        return _partly(answer)

    def close(self) -> None:
        self.poster.close()

    def _record(self, line: Line) -> dict[str, Any]:
        bad, moment = is_bad(line), str(int(event(line, "-")["time"]) * 1_000_000)
        known = {
            name: line.document.get(name) for name in ("decision_id", "caller", "tool", "session", "effect", "outcome")
        }
        named = {f"sandgate.{name}": value for name, value in known.items() if value}
        return {
            "timeUnixNano": moment,
            "observedTimeUnixNano": moment,
            "severityNumber": 13 if bad else 9,
            "severityText": "WARN" if bad else "INFO",
            "eventName": str(line.document["kind"]),
            "body": {"stringValue": self.form(line)},
            "attributes": _attributes({"sandgate.sequence": line.sequence, **named}),
        }


def _attributes(named: Mapping[str, Any]) -> list[dict[str, Any]]:
    def value(told: Any) -> dict[str, str]:
        return {"intValue": str(told)} if isinstance(told, int) else {"stringValue": str(told)}

    return [{"key": name, "value": value(told)} for name, told in named.items()]


def _partly(answer: httpx.Response) -> Lost:
    try:
        told = answer.json().get("partialSuccess") or {}
        return Lost(int(told.get("rejectedLogRecords") or 0), str(told.get("errorMessage") or "")[:200])
    except (ValueError, AttributeError):
        return Lost()
