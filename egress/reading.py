"""From mitmproxy's request to what it claims, to the one form in which it is sent on, or to the answer that says no."""

from mitmproxy import http

from egress.cause import Cause
from egress.claim import Claim
from egress.decoding import Decoder, Undecodable, decoder
from egress.destination import Destination
from egress.journal import Asked
from egress.refusal import BAD_GATEWAY, Refusal
from egress.session import Session
from egress.swap import Head

_NOT_FOR_ORIGINS = ("proxy-authorization", "proxy-connection", "proxy-authenticate", "http2-settings")
_SPOKEN = {True: (b"HTTP/2.0",), False: (b"HTTP/1.0", b"HTTP/1.1")}  # whether the connection is one of HTTP/2
_DEFAULT_PORT = {"http": 80, "https": 443}


def claim_of(flow: http.HTTPFlow, tunnel: Destination | None) -> Claim:
    """Raw fields only: mitmproxy's conveniences decode, guess and prefer one header to another."""
    request = flow.request
    return Claim(
        scheme=request.scheme,
        method=request.data.method.decode("latin1"),  # as it goes out; the property is always in capitals
        path=request.data.path.decode("latin1"),
        http2=request.is_http2,
        hosts=tuple(request.headers.get_all("host")),
        authority=request.data.authority.decode("latin1"),
        tunnel=tunnel,
        url=None if tunnel else (request.data.host, request.data.port),
        sni=flow.client_conn.sni if flow.client_conn.tls_established else None,
        misversioned=request.data.http_version not in _SPOKEN[flow.client_conn.alpn == b"h2"],
        upgrade=", ".join(request.headers.get_all("upgrade")),
        h2c="http2-settings" in request.headers,
        fields=request.headers.fields,
    )


def write_canonical(request: http.Request, destination: Destination) -> None:
    """Name the host once, as it was judged, and drop what was meant for a proxy."""
    for name in _NOT_FOR_ORIGINS:
        request.headers.pop(name, None)
    name = destination.without(_DEFAULT_PORT[request.scheme])
    request.data.host, request.data.port = destination.host, destination.port
    if not request.is_http2:
        request.headers["host"] = name
        return
    request.data.authority = name.encode()
    request.headers.pop("host", None)
    if "xn--" in name:
        request.headers["host"] = name  # towards an HTTP/1 origin mitmproxy would send the decoded form


def size_of(headers: http.Headers) -> int:
    """Bytes of their names and values, whichever way they are written on a wire."""
    return sum(len(name) + len(value) for name, value in headers.fields)


def head_of(request: http.Request, destination: Destination) -> Head:
    """As it goes out, before secrets are put into it."""
    secure = request.scheme == "https"
    return Head(destination, secure, request.data.path, request.headers.fields, request.data.method)


def ask_in_clear(request: http.Request) -> None:
    """Ask the origin for an answer that can be looked through."""
    request.headers["accept-encoding"] = "identity"
    for name in (
        "sec-websocket-extensions",
        "range",
        "if-range",
    ):  # compression; a part of a secret is not known for one
        request.headers.pop(name, None)


def laid_open(response: http.Response, request: http.Request) -> Decoder | None:
    """How to decode the answer's body where it came compressed; its head is made to say that it is not. Undecodable."""
    coding = response.headers.get("transfer-encoding", "chunked").strip().lower()
    if coding != "chunked":
        raise Undecodable("The origin's answer is compressed in transfer, so it cannot be looked through for secrets.")
    found = decoder(response.headers.get("content-encoding", ""))
    if found is None:
        return None
    for name in ("content-encoding", "content-length"):
        response.headers.pop(name, None)
    if request.http_version == "HTTP/1.1":
        response.headers["transfer-encoding"] = "chunked"
    return found


def asked_of(request: http.Request) -> Asked:
    """What a refusal says of the request beside its host; of a CONNECT that is its method."""
    path = request.data.path.decode("latin1").partition("?")[0]
    return Asked(request.method, request.scheme, path)


def answer_of(refusal: Refusal, request: http.Request, session: Session, cause: Cause) -> http.Response:
    """The gate's own answer, for people in JSON and for programs in a header."""
    body = b"" if request.method == "HEAD" else refusal.body(session.allowed, cause.newest)
    headers = {"content-type": "application/json", "x-sandgate-error": refusal.header, "cache-control": "no-store"}
    if refusal.status == BAD_GATEWAY or "content-length" in request.headers:
        headers["connection"] = "close"  # mitmproxy never dials twice on one connection; nor is a body read out
    answer = http.Response.make(refusal.status, body, headers)
    answer.reason = refusal.header  # many programs show no more than this, pip, wget and whoever raises for a status
    return answer
