"""The parts of mitmproxy's HTTP layers that are replaced, each where it meets the rest; see test_gate.py for all of it."""

import inspect

from mitmproxy.hooks import all_hooks
from mitmproxy.proxy.layers import http
from mitmproxy.proxy.layers.http import HttpLayer, HttpStream
from mitmproxy.proxy.layers.http._http1 import Http1Server

from egress.layers import Head, SandboxHttp, Stream


def test_our_hooks_are_known_to_mitmproxy_by_their_names() -> None:
    assert {"request_invalid", "dial_failed", "unreadable"} <= all_hooks.keys()


def test_what_is_replaced_is_still_what_mitmproxy_calls() -> None:
    stream, layer = inspect.getsource(HttpStream), inspect.getsource(HttpLayer)

    assert "yield from self.start_request_stream()" in stream
    assert "yield from self.make_server_connection()" in stream
    assert "yield from self.check_invalid(True)" in stream
    assert "yield from self.flow_done()" in stream
    assert "self.connections.setdefault(self.context.client, http_conn)" in layer
    assert "yield from self.make_stream(" in layer
    assert inspect.getsource(Http1Server.read_headers).count("commands.SendData") == 1


def test_the_request_hook_runs_before_a_byte_goes_to_an_origin() -> None:
    source = inspect.getsource(HttpStream.state_wait_for_request_headers)

    assert source.index("HttpRequestHeadersHook") < source.index("start_request_stream")


def test_they_are_subclasses_so_that_all_else_is_mitmproxys() -> None:
    assert issubclass(Stream, HttpStream)
    assert issubclass(Head, Http1Server)
    assert issubclass(SandboxHttp, HttpLayer)
    assert http.HTTPMode.transparent.value == 2
