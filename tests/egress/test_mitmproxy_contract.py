"""What we lean on in mitmproxy that it promises to nobody: each by name, so that a bump which moves one fails here first."""

import importlib
import importlib.metadata
import inspect
import tomllib
from pathlib import Path
from typing import Any

import pytest
from h11 import _receivebuffer
from mitmproxy import http
from mitmproxy.addons import core, proxyserver, tlsconfig
from mitmproxy.hooks import all_hooks
from mitmproxy.master import Master
from mitmproxy.options import Options
from mitmproxy.proxy import context, layer, mode_servers, server, server_hooks, tunnel
from mitmproxy.proxy.layers import http as http_layers
from mitmproxy.proxy.layers.http import _events, _http1, _http2, _http_h2

ROOT = Path(__file__).parents[2]
STREAM, HEAD, LAYER = http_layers.HttpStream, _http1.Http1Server, http_layers.HttpLayer
HANDLER = mode_servers.ProxyConnectionHandler

# whose, its name, and its parameters after self
CALLED: list[tuple[Any, str, list[str]]] = [
    (HANDLER, "__init__", ["master", "r", "w", "options", "mode"]),
    (HANDLER, "handle_client", []),
    (HANDLER, "handle_hook", ["hook"]),
    (HANDLER, "log", ["message", "level", "exc_info"]),
    (server.TimeoutWatchdog, "disarm", []),
    (LAYER, "make_stream", ["stream_id"]),
    (LAYER, "event_to_child", ["child", "event"]),
    (LAYER, "_handle_event", ["event"]),
    (STREAM, "check_invalid", ["request"]),
    (STREAM, "start_request_stream", []),
    (STREAM, "state_stream_request_body", ["event"]),
    (STREAM, "state_stream_response_body", ["event"]),
    (STREAM, "state_wait_for_response_headers", ["event"]),
    (STREAM, "state_errored", ["_"]),
    (STREAM, "state_done", ["_"]),
    (STREAM, "handle_protocol_error", ["event"]),
    (STREAM, "make_server_connection", []),
    (STREAM, "handle_connect_regular", []),
    (STREAM, "handle_connect_finish", []),
    (STREAM, "flow_done", []),
    (STREAM, "passthrough", ["event"]),
    (HEAD, "read_headers", ["event"]),
    (HEAD, "read_body", ["event"]),
    (HEAD, "send", ["event"]),
    (HEAD, "done", ["event"]),
    (_http1.Http1Client, "read_headers", ["event"]),
    (_http1.Http1Client, "read_body", ["event"]),
    (_http1.Http1Client, "mark_done", ["request", "response"]),
    (_receivebuffer.ReceiveBuffer, "maybe_extract_at_most", ["count"]),
    (_http2.Http2Server, "is_closed", ["stream_id"]),
    (_http2.Http2Server, "is_open_for_us", ["stream_id"]),
    (_http2.Http2Server, "handle_h2_event", ["event"]),
    (_http2.Http2Server, "_handle_event", ["event"]),
    (_http2.Http2Client, "_handle_event", ["event"]),
    (http_layers, "validate_request", ["mode", "request", "validate_inbound_headers"]),
    (layer.NextLayer, "data_client", []),
    (layer.Layer, "handle_event", ["event"]),
    (context.Context, "fork", []),
    (Master, "run", []),
    (Master, "shutdown", []),
]


def test_it_is_the_version_that_all_of_this_was_read_in() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]

    assert f"mitmproxy=={importlib.metadata.version('mitmproxy')}" in wanted


@pytest.mark.parametrize(
    ("owner", "name", "parameters"), CALLED, ids=lambda value: getattr(value, "__name__", str(value))
)
def test_what_we_call_or_replace_has_these_parameters(owner: Any, name: str, parameters: list[str]) -> None:
    found = list(inspect.signature(getattr(owner, name)).parameters)

    assert [one for one in found if one != "self"] == parameters


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (_events.RequestProtocolError, {"stream_id", "message", "code"}),
        (_events.ResponseProtocolError, {"stream_id", "message", "code"}),
        (_events.ResponseHeaders, {"stream_id", "response", "end_stream"}),
        (_events.ResponseData, {"stream_id", "data"}),
        (server_hooks.ServerConnectionHookData, {"server", "client"}),
        (server.ConnectionIO, {"handler", "reader", "writer"}),
    ],
)
def test_events_have_these_fields(kind: Any, names: set[str]) -> None:
    assert names <= set(inspect.signature(kind).parameters)


def test_error_codes_that_say_what_came_are_still_these() -> None:
    assert {"GENERIC_SERVER_ERROR", "RESPONSE_VALIDATION_FAILED", "GENERIC_CLIENT_ERROR", "KILL"} <= set(
        _events.ErrorCode.__members__
    )


def test_hooks_are_called_by_these_names() -> None:
    wanted = {"client_connected", "next_layer", "http_connect", "tls_established_client", "tls_failed_client", "requestheaders",
              "request", "responseheaders", "response", "error", "websocket_end", "server_connect", "server_connected",
              "server_connect_error", "server_disconnected", "tls_established_server", "tls_failed_server", "tcp_start",
              "udp_start", "dns_request"}  # fmt: skip

    assert wanted <= set(all_hooks)


async def _with_options() -> Options:
    options = Options()
    master = Master(options)
    master.addons.add(core.Core(), proxyserver.Proxyserver(), tlsconfig.TlsConfig())  # type: ignore[no-untyped-call]  # as in egress.proxy
    return options


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_options_that_we_set_exist_and_their_defaults_are_the_dangerous_ones(anyio_backend: str) -> None:
    options = await _with_options()

    assert options.connection_strategy == "eager"  # we say lazy
    assert options.validate_inbound_headers is True
    assert options.upstream_cert is True  # we say False
    assert options.rawtcp is True  # we say False
    assert options.ssl_insecure is False
    assert options.store_streamed_bodies is False


@pytest.mark.parametrize(
    ("owner", "names"),
    [
        (LAYER, {"connections", "streams", "mode"}),
        (STREAM, {"flow", "child_layer"}),
        (server.ConnectionHandler, {"transports", "max_conns", "layer", "timeout_watchdog", "client"}),
        (_http1.Http1Connection, {"state", "buf", "stream_id", "request", "response"}),
        (_http2.Http2Connection, {"h2_conn"}),
        (_http2.Http2Client, {"stream_queue"}),
        (_http_h2.BufferedH2Connection, {"stream_buffers"}),
        (_http_h2.SendH2Data, {"data"}),
        (http_layers.HttpClient, {"child_layer"}),
        (tunnel.TunnelLayer, {"child_layer"}),
        (http.Message, {"stream", "raw_content", "trailers", "data"}),
    ],
)
def test_instances_carry_these(owner: Any, names: set[str]) -> None:
    assert names <= {*owner.__annotations__, *dir(owner)}


def test_an_error_page_of_its_own_is_sent_where_we_replace_it() -> None:
    """egress.layers.Head puts our words over what `read_headers` and `send` say by SendData."""
    for method in (_http1.Http1Server.read_headers, _http1.Http1Server.send):
        assert "commands.SendData(" in inspect.getsource(method)
        assert "make_error_response" in inspect.getsource(method)


def test_answers_are_read_by_what_has_that_name_in_the_module() -> None:
    """egress.layers and egress.frames put their own readers there."""
    for name in ("Http1Client", "Http2Client"):
        assert f"{name}(self.context)" in inspect.getsource(http_layers.HttpClient)
    assert importlib.import_module("egress.layers").Answers is vars(http_layers)["Http1Client"]
    assert importlib.import_module("egress.frames").ToOrigin is vars(http_layers)["Http2Client"]


def test_trailers_are_still_what_it_does_not_implement() -> None:
    """egress.layers.Head turns that exception into a refusal."""
    assert "raise NotImplementedError" in inspect.getsource(_http1.Http1Connection.read_body)
