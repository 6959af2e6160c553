import pytest
from mitmproxy import http
from mitmproxy.test import tflow

from egress.cause import Cause
from egress.destination import Destination
from egress.reading import answer_of, claim_of, write_canonical
from egress.refusal import Refusal
from egress.session import Session

HERE = Destination("a.test", 443)


def flow(version: str = "HTTP/1.1", **headers: str) -> http.HTTPFlow:
    made = tflow.tflow()
    made.request = http.Request.make("GET", "https://ignored.test/p?q")
    made.request.headers = http.Headers([(name.encode(), value.encode()) for name, value in headers.items()])
    made.request.data.http_version = version.encode()
    made.client_conn.sni = "sni.test"
    return made


def test_a_claim_is_what_arrived_and_nothing_that_was_guessed() -> None:
    made = flow(Host="h.test", Upgrade="websocket")
    claim = claim_of(made, HERE)

    assert (claim.hosts, claim.tunnel, claim.url, claim.upgrade, claim.path) == (
        ("h.test",),
        HERE,
        None,
        "websocket",
        "/p?q",
    )
    assert claim_of(made, None).url == ("ignored.test", 443)


def test_an_http1_request_is_sent_on_with_one_host_header_and_nothing_for_proxies() -> None:
    request = flow(Host="A.TEST:443", **{"Proxy-Authorization": "x", "Proxy-Connection": "y"}).request
    write_canonical(request, HERE)

    assert request.headers.get_all("host") == ["a.test"]
    assert not [name for name in request.headers if name.lower().startswith("proxy")]


def test_an_http2_request_is_sent_on_with_an_authority_and_no_host_header() -> None:
    request = flow("HTTP/2.0", host="a.test").request
    write_canonical(request, Destination("a.test", 8443))

    assert request.data.authority == b"a.test:8443"
    assert "host" not in request.headers


@pytest.mark.promise("egress.refusal_explains")
def test_an_answer_says_it_in_json_and_in_a_header() -> None:
    answer = answer_of(
        Refusal("egress.limit", "Too many.", "a.test", 443), flow().request, Session("s"), Cause(("d",), "only_job")
    )

    assert (answer.status_code, answer.headers["x-sandgate-error"]) == (403, "Too many.")
    assert answer.json()["decision_id"] == "d"


def test_an_answer_to_head_has_no_body() -> None:
    request = flow().request
    request.method = "HEAD"

    assert answer_of(Refusal("egress.limit", "Too many."), request, Session("s"), Cause()).content == b""
