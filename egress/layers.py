"""mitmproxy's HTTP layers where the gate must do otherwise: answer early, in its own words, and hold no WebSocket."""

import re
from collections.abc import Iterable
from typing import Any

from mitmproxy import connection, flow, http
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.commands import StartHook
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers import http as http_layers
from mitmproxy.proxy.layers.http import (
    DropStream,
    GetHttpConnection,
    HttpLayer,
    HTTPMode,
    HttpStream,
    SendHttp,
    validate_request,
)
from mitmproxy.proxy.layers.http._base import ReceiveHttp
from mitmproxy.proxy.layers.http._events import (
    ErrorCode,
    HttpEvent,
    RequestData,
    RequestHeaders,
    RequestProtocolError,
    RequestTrailers,
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
)
from mitmproxy.proxy.layers.http._http1 import Http1Client, Http1Server
from mitmproxy.proxy.layers.http._http2 import Http2Server
from mitmproxy.proxy.layers.websocket import WebsocketEndHook

from egress.frames import FromSandbox
from egress.hooks import DialFailedHook, OpenedHook, RawEndHook, RequestInvalidHook, Unread, UnreadableHook
from egress.pieces import joined
from egress.refusal import Refusal, origin_failed

HEAD_BYTES = 64 * 1024
UNREADABLE = Refusal("egress.protocol", "The request could not be read without doubt.")
TOO_LONG = Refusal("egress.limit", f"A request head may be {HEAD_BYTES // 1024} KiB long at most.")

OPENED_BYTES = 96 * 1024
UNFRAMED = Refusal(
    "egress.limit", f"What is around a body, as a chunk's first line, may be {HEAD_BYTES // 1024} KiB long."
)
TRAILERS = Refusal("egress.protocol", "Headers after a request's body are not passed on.")
_UNREADABLE_ANSWER = "what it answered could not be read, or it hung up"
_SAYS_WHAT_CAME = frozenset({ErrorCode.GENERIC_SERVER_ERROR, ErrorCode.RESPONSE_VALIDATION_FAILED})

_INTERIM = re.compile(rb"HTTP/1\.[01] 1(?!01\b)\d\d\b.*?\r?\n\r?\n", re.DOTALL)

type Commands = layer.CommandGenerator[Any]


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

    def _counted(self, event: events.DataReceived) -> Iterable[bytes]:
        count = self.flow.metadata["up" if event.connection == self.context.client else "down"]
        counted: bytes | Iterable[bytes] = count(bytes(event.data))  # mitmproxy hands on bytearrays here
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
        yield from joined(self._read_body(event), RequestData)

    def _read_body(self, event: events.Event) -> Commands:
        try:
            yield from super().read_body(event)
        except NotImplementedError:  # mitmproxy's word for trailers
            yield from self._end(TRAILERS)
        if self.state == self.read_body and len(self.buf) > HEAD_BYTES:
            yield from self._end(UNFRAMED)

    def _end(self, why: Refusal) -> Commands:
        self.state = self.done
        yield UnreadableHook(Unread(self.context.client, why))
        yield commands.CloseConnection(self.conn)
        yield ReceiveHttp(RequestProtocolError(self.stream_id, why.reason, ErrorCode.GENERIC_CLIENT_ERROR))

    def send(self, event: HttpEvent) -> Commands:
        for command in super().send(event):
            if isinstance(event, ResponseProtocolError) and isinstance(command, commands.SendData):
                command.data = origin_failed(event.message).raw()
            yield command


class Answers(Http1Client):
    """mitmproxy's HTTP/1 client of an origin, which frames each body, and reads the two optional things that it could not.

    It would take an interim answer (103 Early Hints) for the answer, and give up at headers after a body. And a body that
    came over HTTP/2 without a length it would send bare: to the origin, another request that nobody has judged.
    """

    def send(self, event: HttpEvent) -> Commands:
        if isinstance(event, RequestHeaders) and event.request.is_http2 and not event.end_stream:
            request = event.request.copy()
            if "content-length" not in request.headers:
                request.headers["transfer-encoding"] = "chunked"
            event = RequestHeaders(event.stream_id, request, event.end_stream)
        yield from super().send(event)

    def read_headers(self, event: events.ConnectionEvent) -> Commands:
        while self.request and (interim := _INTERIM.match(bytes(self.buf))):
            self.buf.maybe_extract_at_most(interim.end())
        yield from super().read_headers(event)

    def read_body(self, event: events.Event) -> Commands:
        yield from joined(self._read_body(event), ResponseData)

    def _read_body(self, event: events.Event) -> Commands:
        try:
            yield from super().read_body(event)
        except NotImplementedError:  # mitmproxy's word for trailers
            if self.stream_id is not None:
                yield ReceiveHttp(ResponseEndOfMessage(self.stream_id))
                yield from self.mark_done(response=True)
        if self.state == self.read_body and self.stream_id is not None and len(self.buf) > HEAD_BYTES:
            self.state = self.done
            yield commands.CloseConnection(self.conn)
            told = ResponseProtocolError(self.stream_id, _UNREADABLE_ANSWER, ErrorCode.GENERIC_SERVER_ERROR)
            yield ReceiveHttp(told)


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
        if isinstance(event, RequestTrailers):  # of HTTP/2; those of HTTP/1 end in its reader
            yield UnreadableHook(Unread(self.context.client, TRAILERS))
            yield from self.handle_protocol_error(
                RequestProtocolError(self.stream_id, TRAILERS.reason, ErrorCode.GENERIC_CLIENT_ERROR)
            )
            yield commands.CloseConnection(self.context.client)
            return
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
        made = super().state_stream_response_body(event)
        yield from self._opened(made) if isinstance(event, ResponseData) else made

    def _opened(self, made: Commands) -> Commands:
        """What a few bytes of a compressed answer stand for may be gigabytes: they are made as fast as they are taken."""
        size, many = 0, False
        for command in made:
            more = _data_in(command)
            if more and size > OPENED_BYTES:
                size, many = 0, True
                yield OpenedHook(self.flow, True)
                if self._is_gone():
                    break
            size += more
            yield command
        if many:
            yield OpenedHook(self.flow, False)

    def _is_gone(self) -> bool:
        speaker = self._speaker()
        closed = isinstance(speaker, Http2Server) and speaker.is_closed(self.stream_id)
        return closed or not self.context.client.connected

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

    def _speaker(self) -> Any:
        parent = self.context.layers[self.context.layers.index(self) - 1]
        if not isinstance(parent, HttpLayer):
            raise TypeError("a request outside of HTTP")
        return parent.connections[self.context.client]

    def _cut(self) -> Commands:
        speaker = self._speaker()
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


def _data_in(command: commands.Command) -> int:
    """Bytes of a body that it hands on."""
    return len(command.event.data) if isinstance(command, SendHttp) and isinstance(command.event, ResponseData) else 0


class SandboxHttp(HttpLayer):
    """mitmproxy's HTTP layer, made of the parts above. It forgets the connections that are over, each of which holds TLS."""

    def __init__(self, context: Context, mode: HTTPMode) -> None:
        super().__init__(context, mode)
        self._over = set[connection.Connection]()

    def _handle_event(self, event: events.Event) -> Commands:
        if isinstance(event, events.Start):
            speaks = FromSandbox if self.context.client.alpn == b"h2" else Head
            self.connections[self.context.client] = speaks(self.context.fork())
        yield from super()._handle_event(event)
        if isinstance(event, events.ConnectionClosed) and event.connection is not self.context.client:
            self._over.add(event.connection)

    def make_stream(self, stream_id: int) -> Commands:
        self._forget()
        stream = self.streams[stream_id] = Stream(self.context.fork(), stream_id)
        yield from self.event_to_child(stream, events.Start())

    def _forget(self) -> None:
        """But one that failed is the answer to who asks for it again, and one that a request still speaks of is its."""
        spoken_of = {stream.context.server for stream in self.streams.values()}
        for one in self._over - spoken_of:
            self._over.discard(one)
            if one.error is None:
                self.connections.pop(one, None)
