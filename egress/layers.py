"""mitmproxy's HTTP layers where the gate must do otherwise: answer early, in its own words, and hold no WebSocket."""

import re
from dataclasses import dataclass
from typing import Any, ClassVar

from mitmproxy import connection, flow, http
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.commands import StartHook
from mitmproxy.proxy.layers import http as http_layers
from mitmproxy.proxy.layers.http import DropStream, GetHttpConnection, HttpLayer, HttpStream, SendHttp, validate_request
from mitmproxy.proxy.layers.http._base import ReceiveHttp
from mitmproxy.proxy.layers.http._events import (
    ErrorCode,
    HttpEvent,
    RequestProtocolError,
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
)
from mitmproxy.proxy.layers.http._http1 import Http1Client, Http1Server
from mitmproxy.proxy.layers.http._http2 import Http2Server
from mitmproxy.proxy.layers.websocket import WebsocketEndHook

from egress.refusal import BAD_GATEWAY, Refusal

HEAD_BYTES = 64 * 1024
UNREADABLE = Refusal("egress.protocol", "The request could not be read without doubt.")
TOO_LONG = Refusal("egress.limit", f"A request head may be {HEAD_BYTES // 1024} KiB long at most.")

TRAILERS = Refusal("egress.protocol", "Headers after a request's body are not passed on.")
_UNREADABLE_ANSWER = "what it answered could not be read, or it hung up"
_SAYS_WHAT_CAME = frozenset({ErrorCode.GENERIC_SERVER_ERROR, ErrorCode.RESPONSE_VALIDATION_FAILED})

_INTERIM = re.compile(rb"HTTP/1\.[01] 1(?!01\b)\d\d\b.*?\r?\n\r?\n", re.DOTALL)

type Commands = layer.CommandGenerator[Any]


@dataclass
class RequestInvalidHook(StartHook):  # type: ignore[no-untyped-call]  # mitmproxy leaves it untyped
    """A request head is of a shape that two programs could read differently; the addon sets the response."""

    flow: http.HTTPFlow


@dataclass
class DialFailedHook(StartHook):  # type: ignore[no-untyped-call]  # mitmproxy leaves it untyped
    """The origin of an admitted request was not reached (flow.error says why); the addon sets the response."""

    flow: http.HTTPFlow


@dataclass(frozen=True, slots=True)
class Unread:
    """What a client was told whose bytes were no request head, or too long a one."""

    client: connection.Client
    refusal: Refusal


@dataclass
class UnreadableHook(StartHook):  # type: ignore[no-untyped-call]  # mitmproxy leaves it untyped
    """Bytes of a client could not be read as a request head; it was answered and cut."""

    blocking: ClassVar[bool] = False  # type: ignore[misc]  # nothing waits for what the addon does with it
    unread: Unread


@dataclass
class RawEndHook(StartHook):  # type: ignore[no-untyped-call]  # mitmproxy leaves it untyped
    """A tunnel that was passed unread is over."""

    flow: http.HTTPFlow


class Cut(layer.Layer):
    """What follows a connection that speaks nothing the gate reads: its end."""

    def _handle_event(self, event: events.Event) -> Commands:
        if isinstance(event, events.Start):
            yield commands.CloseConnection(self.context.client)


class Splice(layer.Layer):
    """Bytes both ways once a WebSocket is open. mitmproxy's own layer would keep every message for ever."""

    end: type[StartHook] = WebsocketEndHook

    def __init__(self, context: Any, flow_: http.HTTPFlow) -> None:
        super().__init__(context)
        self.flow = flow_

    def _handle_event(self, event: events.Event) -> Commands:
        if isinstance(event, events.DataReceived):
            for piece in self._counted(event):
                yield commands.SendData(self._other(event.connection), piece)
        elif isinstance(event, events.ConnectionClosed):
            yield commands.CloseConnection(self._other(event.connection))
            yield commands.CloseConnection(event.connection)
            yield self.end(self.flow)
            self._handle_event = self._over  # type: ignore[method-assign, assignment]  # mitmproxy's way to change state

    def _over(self, _event: events.Event) -> Commands:
        yield from ()

    def _other(self, one: connection.Connection) -> connection.Connection:
        return self.context.server if one == self.context.client else self.context.client

    def _counted(self, event: events.DataReceived) -> list[bytes]:
        count = self.flow.metadata["up" if event.connection == self.context.client else "down"]
        counted: bytes | list[bytes] = count(bytes(event.data))  # mitmproxy hands on bytearrays here
        return [counted] if isinstance(counted, bytes) else counted


class Raw(Splice):
    """Bytes both ways to where the operator's list says tcp://."""

    end = RawEndHook


class Head(Http1Server):
    """mitmproxy's HTTP/1 reader with a bound, and with our words in place of its error page."""

    def read_headers(self, event: events.ConnectionEvent) -> Commands:
        for command in super().read_headers(event):
            if isinstance(command, commands.SendData):  # its page for a head that it cannot read
                command.data = UNREADABLE.raw()
                yield UnreadableHook(Unread(self.context.client, UNREADABLE))
            yield command
        if self.state == self.read_headers and len(self.buf) > HEAD_BYTES:
            yield commands.SendData(self.conn, TOO_LONG.raw())
            yield UnreadableHook(Unread(self.context.client, TOO_LONG))
            yield commands.CloseConnection(self.conn)
            self.state = self.done

    def read_body(self, event: events.Event) -> Commands:
        try:
            yield from super().read_body(event)
        except NotImplementedError:  # mitmproxy's word for trailers
            self.state = self.done
            yield UnreadableHook(Unread(self.context.client, TRAILERS))
            yield commands.CloseConnection(self.conn)
            told = RequestProtocolError(self.stream_id, TRAILERS.reason, ErrorCode.GENERIC_CLIENT_ERROR)
            yield ReceiveHttp(told)

    def send(self, event: HttpEvent) -> Commands:
        for command in super().send(event):
            if isinstance(event, ResponseProtocolError) and isinstance(command, commands.SendData):
                command.data = Refusal("egress.error", f"The origin failed: {event.message}.", status=BAD_GATEWAY).raw()
            yield command


class Answers(Http1Client):
    """mitmproxy's HTTP/1 reader of what an origin says, without the two optional things that it cannot read.

    It would take an interim answer (103 Early Hints) for the answer, and give up at headers after a body.
    """

    def read_headers(self, event: events.ConnectionEvent) -> Commands:
        while self.request and (interim := _INTERIM.match(bytes(self.buf))):
            self.buf.maybe_extract_at_most(interim.end())
        yield from super().read_headers(event)

    def read_body(self, event: events.Event) -> Commands:
        try:
            yield from super().read_body(event)
        except NotImplementedError:  # mitmproxy's word for trailers
            if self.stream_id is not None:
                yield ReceiveHttp(ResponseEndOfMessage(self.stream_id))
                yield from self.mark_done(response=True)


http_layers.Http1Client = Answers  # type: ignore[attr-defined]  # HttpClient makes its reader by that name


class Stream(HttpStream):
    """One request and its answer. An answer of ours is sent at once, and what is left of the request is not read."""

    def check_invalid(self, request: bool) -> Commands:  # noqa: FBT001  mitmproxy's signature
        if not request:
            for command in super().check_invalid(False):
                if isinstance(command, SendHttp) and isinstance(command.event, ResponseProtocolError):
                    command.event.message = _UNREADABLE_ANSWER
                yield command
            return self.server_state == self.state_errored
        error = validate_request(self.mode, self.flow.request, True)
        if error is None:
            return False
        self.flow.error = flow.Error(error)
        yield RequestInvalidHook(self.flow)
        if self.context.client.connected:  # a head that the reader itself gave up on was answered there
            yield from self._answer()
        self.client_state = self.server_state = self.state_errored
        return True

    def state_stream_request_body(self, event: Any) -> Commands:
        """The addon may refuse what comes to light in a body; where the origin has not spoken yet, we do."""
        yield from super().state_stream_request_body(event)
        if not self.flow.metadata.get("refused"):
            return
        if self.server_state == self.state_wait_for_response_headers:
            told = RequestProtocolError(self.stream_id, "refused", ErrorCode.KILL)
            yield SendHttp(told, self.context.server)
            yield from self._answer()
        else:
            yield commands.CloseConnection(self.context.client)

    def state_stream_response_body(self, event: Any) -> Commands:
        if isinstance(event, ResponseData) and not event.data:
            return  # an empty frame is no end, which is what an empty piece means to whoever looks through it
        yield from super().state_stream_response_body(event)

    def handle_protocol_error(self, event: Any) -> Commands:
        """Its text goes to the sandbox, and what an origin sent may hold a secret that it was given."""
        if isinstance(event, ResponseProtocolError) and event.code in _SAYS_WHAT_CAME:
            event.message = _UNREADABLE_ANSWER
        yield from super().handle_protocol_error(event)

    def start_request_stream(self) -> Commands:
        if self.flow.response:
            yield from self._answer()
        else:
            yield from super().start_request_stream()

    def handle_connect_regular(self) -> Commands:
        if not self.flow.metadata.get("raw"):
            yield from super().handle_connect_regular()  # type: ignore[no-untyped-call]  # mitmproxy leaves it untyped
            return
        error = yield commands.OpenConnection(self.context.server)
        if error:
            self.flow.error = flow.Error(error)
            yield DialFailedHook(self.flow)
        self.child_layer = Raw(self.context, self.flow)
        yield from self.handle_connect_finish()  # type: ignore[no-untyped-call]  # mitmproxy leaves it untyped

    def make_server_connection(self) -> Commands:
        request, server = self.flow.request, self.flow.server_conn
        wanted = GetHttpConnection(
            (request.host, request.port), request.scheme == "https", server.via, server.transport_protocol
        )
        found, error = yield wanted
        if error is None:
            self.context.server = self.flow.server_conn = found
            return True
        self.flow.error = flow.Error(error)
        yield DialFailedHook(self.flow)
        yield from self._answer()
        return False

    def _answer(self) -> Commands:
        """Send the response that the addon set, whole, and take nothing more of the request."""
        response, client = self.flow.response, self.context.client
        if response is None and not client.connected:
            self.client_state = self.server_state = self.state_errored
            return
        if response is None:
            raise RuntimeError("the addon left a refused request without an answer")
        unread = self.client_state != self.state_done
        self.client_state = self.server_state = self.state_errored
        self.flow.live = False
        yield SendHttp(ResponseHeaders(self.stream_id, response, False), client)
        yield SendHttp(ResponseData(self.stream_id, response.raw_content or b""), client)
        yield DropStream(self.stream_id)
        yield SendHttp(ResponseEndOfMessage(self.stream_id), client)
        if unread:
            yield from self._cut()

    def _cut(self) -> Commands:
        parent = self.context.layers[self.context.layers.index(self) - 1]
        if not isinstance(parent, HttpLayer):
            raise TypeError("a request outside of HTTP")
        speaker = parent.connections[self.context.client]
        if not isinstance(speaker, Http2Server):
            yield commands.CloseConnection(self.context.client)
        elif not speaker.is_closed(self.stream_id):
            speaker.h2_conn.reset_stream(self.stream_id, 0)  # NO_ERROR: the answer is complete, stop sending
            yield commands.SendData(self.context.client, speaker.h2_conn.data_to_send())

    def flow_done(self) -> Commands:
        if not self.flow.websocket:
            yield from super().flow_done()
            return
        self.child_layer = Splice(self.context, self.flow)
        self._handle_event = self.passthrough
        yield from self.child_layer.handle_event(events.Start())
        yield SendHttp(ResponseEndOfMessage(self.stream_id), self.context.client)


class SandboxHttp(HttpLayer):
    """mitmproxy's HTTP layer, made of the parts above."""

    def _handle_event(self, event: events.Event) -> Commands:
        if isinstance(event, events.Start) and self.context.client.alpn != b"h2":
            self.connections[self.context.client] = Head(self.context.fork())
        yield from super()._handle_event(event)

    def make_stream(self, stream_id: int) -> Commands:
        stream = self.streams[stream_id] = Stream(self.context.fork(), stream_id)
        yield from self.event_to_child(stream, events.Start())
