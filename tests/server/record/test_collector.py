"""Lines of the audit at a real HTTPS server."""

import json
from pathlib import Path

import pytest

from server.record.collector import Collector, OtlpLogs, Poster
from server.record.sink import Lost, NotNow, native, ocsf
from tests.egress.world.certificates import FakeAuthority
from tests.server.record.receivers import collector, documents, lines_of, written


def test_a_batch_is_one_request_over_tls_with_the_token_of_the_moment(tmp_path: Path) -> None:
    authority, token = FakeAuthority(tmp_path), tmp_path / "token"
    lines = lines_of(written(tmp_path, 3))
    with collector(authority.context("log.test", protocols=("http/1.1",))) as posts:
        sink = Collector(native, Poster(posts.url, authority.path, token))
        for value in ("first", "second"):
            token.write_text(f"{value}\n")
            assert sink.send(lines) == Lost()
        sink.close()

    (one, body), (two, _) = posts.heard.messages
    assert (one["authorization"], two["authorization"]) == ("Bearer first", "Bearer second")
    assert one["content-type"] == "application/x-ndjson"
    assert body == b"".join(line.raw + b"\n" for line in lines)


def test_a_server_that_nobody_vouches_for_gets_nothing(tmp_path: Path) -> None:
    with collector(FakeAuthority(tmp_path).context("log.test", protocols=("http/1.1",))) as posts:
        sink = Collector(native, Poster(posts.url, None, None))
        with pytest.raises(NotNow, match="CERTIFICATE_VERIFY_FAILED"):
            sink.send(lines_of(written(tmp_path, 1)))
        sink.close()

    assert posts.heard.messages == []


def test_events_go_as_the_schema_has_them(tmp_path: Path) -> None:
    with collector() as posts:
        sink = Collector(ocsf, Poster(posts.url, None, None))
        sink.send(lines_of(written(tmp_path, 2)))
        sink.close()

    assert [made["class_uid"] for made in documents(posts.heard.messages[0][1])] == [6002, 6002]


@pytest.mark.parametrize("status", [500, 503, 429, 401, 302])
def test_what_may_be_taken_later_is_kept(tmp_path: Path, status: int) -> None:
    with collector() as posts:
        posts.status = status
        sink = Collector(native, Poster(posts.url, None, None))
        with pytest.raises(NotNow, match=str(status)):
            sink.send(lines_of(written(tmp_path, 1)))
        sink.close()


def test_what_is_refused_for_good_is_told_as_lost(tmp_path: Path) -> None:
    lines = lines_of(written(tmp_path, 2))
    with collector() as posts:
        posts.status = 400
        poster = Poster(posts.url, None, None)
        for sink in (Collector(native, poster), OtlpLogs(native, poster)):
            assert sink.send(lines) == Lost(2, "the collector answers 400")
            sink.close()


def test_a_token_that_cannot_be_read_sends_nothing(tmp_path: Path) -> None:
    with collector() as posts:
        sink = Collector(native, Poster(posts.url, None, tmp_path / "missing"))
        with pytest.raises(NotNow, match="missing"):
            sink.send(lines_of(written(tmp_path, 1)))
        sink.close()

    assert posts.heard.messages == []


def test_log_records_are_as_opentelemetry_has_them_in_json(tmp_path: Path) -> None:
    lines = lines_of(written(tmp_path, 2, decision_id="d-1", effect="deny"))
    with collector() as posts:
        posts.says = b'{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"too old"}}'
        sink = OtlpLogs(native, Poster(posts.url, None, None))
        assert sink.send(lines) == Lost(1, "too old")
        sink.close()

    headers, body = posts.heard.messages[0]
    (resource,) = json.loads(body)["resourceLogs"]
    (scope,) = resource["scopeLogs"]
    assert headers["content-type"] == "application/json"
    assert {"key": "service.name", "value": {"stringValue": "sandgate"}} in resource["resource"]["attributes"]
    for record, line in zip(scope["logRecords"], lines, strict=True):
        assert record["body"] == {"stringValue": line.raw.decode()}
        assert record["severityNumber"] == 13
        assert record["timeUnixNano"].isdecimal()
        assert {"key": "sandgate.sequence", "value": {"intValue": str(line.sequence)}} in record["attributes"]
        assert {"key": "sandgate.decision_id", "value": {"stringValue": "d-1"}} in record["attributes"]
