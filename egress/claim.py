"""Everything one request says about where it goes. It passes only where all of it says the same. Pure."""

import re
from dataclasses import dataclass

from egress.destination import BadName, Destination, clip
from egress.refusal import RuleId, refuse

_NEVER_PASSED = frozenset({"CONNECT", "TRACE", "TRACK", "PRI"})
_METHOD = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # a token of RFC 9110, which tells GET from get
_TARGET = re.compile(r"/[\x21\x22\x24-\x7e\x80-\xff]*|\*")  # without `#`: some servers end the path there
_LENGTH = re.compile(rb"[0-9]{1,18}")  # what every program can count to
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")  # all but the tab; a bare CR ends a line for some
_SCHEME_PORT = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Claim:
    """The places at which a request can name its host, as they arrived.

    tunnel: what CONNECT asked for, None where the program speaks to the gate as a plain HTTP proxy. url: the host and
    port of an absolute-form target outside a tunnel. authority: `:authority`, or an absolute-form authority inside a
    tunnel. sni: the name of the TLS handshake inside the tunnel. path: the target, with its query. fields: all headers.
    """

    scheme: str
    method: str
    path: str
    http2: bool
    hosts: tuple[str, ...]
    authority: str = ""
    tunnel: Destination | None = None
    url: tuple[str, int] | None = None
    sni: str | None = None
    misversioned: bool = False
    upgrade: str = ""
    h2c: bool = False
    fields: tuple[tuple[bytes, bytes], ...] = ()

    def destination(self) -> Destination:
        """The one place that all of it names; Refused where two disagree or one cannot be read."""
        target = self._target()
        self._check_shape(target)
        named = self._named(target)
        if named != target:
            raise _mismatch(target, f"the request names {named} but the connection goes to {target}")
        if self.sni is not None and self._read(self.sni, target.port) != target:
            raise _mismatch(target, f"TLS names {clip(self.sni)} but the connection goes to {target}")
        return target

    def _target(self) -> Destination:
        if self.tunnel is not None:
            return self.tunnel
        if self.url is None:
            raise refuse("egress.protocol", "The request names no host.")
        try:
            return Destination.of(*self.url)
        except BadName as error:
            raise refuse("egress.bad_name", f"{error}.", *self.url) from error

    def _check_shape(self, target: Destination) -> None:
        if self.tunnel is None and self.scheme != "http":
            raise _shape(target, f"a {clip(self.scheme, 20)} request must come through CONNECT")
        if not _METHOD.fullmatch(self.method):
            raise _shape(target, "the request's method is not one")
        if self.misversioned:
            raise _shape(target, "the request names another version of HTTP than the connection speaks")
        if self.method.upper() in _NEVER_PASSED:
            raise _shape(target, f"{self.method} requests are not passed on")
        if self.authority and not self.http2:
            raise _shape(target, "an absolute URL inside a tunnel is not passed on")
        if not _TARGET.fullmatch(self.path):
            raise _shape(target, "the request's path is not one")
        self._check_fields(target)
        if self.upgrade and any(
            name.lower() == b"sec-websocket-version" and value != b"13" for name, value in self.fields
        ):
            raise _shape(target, "only version 13 of WebSocket is passed on")
        if self.h2c or (self.upgrade and (self.http2 or self.upgrade.lower() != "websocket")):
            raise _shape(target, f"an upgrade to {clip(self.upgrade, 20) or 'h2c'} is not passed on, only to websocket")

    def _check_fields(self, target: Destination) -> None:
        if any(_CONTROL.search(name) or _CONTROL.search(value) for name, value in self.fields):
            raise _shape(target, "a header is folded over lines, or holds a control character")
        if any(not _framed(name.lower(), value) for name, value in self.fields):
            raise _shape(target, "the request's body is framed in a way that not every server reads")

    def _named(self, target: Destination) -> Destination:
        names = {*self.hosts, self.authority} - {""} if self.http2 else set(self.hosts)
        if len(self.hosts) > 1:
            raise _shape(target, "the request has more than one Host header")
        if len(names) != 1:
            raise _mismatch(target, "the request must name its host exactly once")
        return self._read(names.pop(), _SCHEME_PORT.get(self.scheme, 0))

    def _read(self, text: str, default_port: int) -> Destination:
        try:
            return Destination.parse(text, default_port)
        except BadName as error:
            raise refuse("egress.bad_name", f"{error}.", clip(text)) from error


def _framed(name: bytes, value: bytes) -> bool:
    """Whether nobody can take the end of the body for another place, and what follows for a request."""
    if name == b"transfer-encoding":
        return value.strip().lower() == b"chunked"
    return name != b"content-length" or _LENGTH.fullmatch(value) is not None


def _shape(target: Destination, what: str) -> Exception:
    return _refusal("egress.protocol", target, what)


def _mismatch(target: Destination, what: str) -> Exception:
    return _refusal("egress.mismatch", target, what)


def _refusal(rule: RuleId, target: Destination, what: str) -> Exception:
    return refuse(rule, f"{what[0].upper()}{what[1:]}.", target.host, target.port)
