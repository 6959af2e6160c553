"""mitmproxy's HTTP/2 on both sides, where the gate must do otherwise: what a peer makes it hold is little, and bounded."""

from collections.abc import Iterator
from typing import Any

from h2.events import Event, RequestReceived
from h2.exceptions import ProtocolError
from hpack import Encoder
from mitmproxy import http
from mitmproxy.proxy import events, layer
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers import http as http_layers
from mitmproxy.proxy.layers.http._base import ReceiveHttp
from mitmproxy.proxy.layers.http._events import (
    ErrorCode,
    HttpEvent,
    RequestData,
    RequestProtocolError,
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
)
from mitmproxy.proxy.layers.http._http2 import Http2Client, Http2Server

from egress.pieces import joined
from egress.refusal import origin_failed

TABLE_BYTES = 4096  # HTTP/2's default; each field is looked for in all of the table
QUEUED_BYTES = 1024 * 1024
_NO_ROOM = "it takes so few requests at once that this one had to wait, and its body is too large to be held meanwhile"

type Commands = layer.CommandGenerator[Any]


class SmallTable(Encoder):
    """The library keeps as many fields for its peer as that asks for, gigabytes of them."""

    @property
    def header_table_size(self) -> int:
        return self.header_table.maxsize

    @header_table_size.setter
    def header_table_size(self, value: int) -> None:
        self.header_table.maxsize = min(value, TABLE_BYTES)
        if self.header_table.resized:
            self.table_size_changes.append(self.header_table.maxsize)


class FromSandbox(Http2Server):
    """Requests."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.h2_conn.encoder = SmallTable()

    def _handle_event(self, event: events.Event) -> Commands:
        if isinstance(event, ResponseProtocolError) and self._may_be_told(event):
            for told in _failure(event):
                yield from super()._handle_event(told)
        else:
            yield from joined(super()._handle_event(event), RequestData)

    def _may_be_told(self, event: ResponseProtocolError) -> bool:
        """In our words, in place of mitmproxy's page."""
        answerable = event.code.http_status_code() is not None and self.is_open_for_us(event.stream_id)
        return answerable and not self.h2_conn.streams[event.stream_id].state_machine.headers_sent

    def handle_h2_event(self, event: Event | ProtocolError) -> Commands:
        """The library finds a body that is shorter than it was said to be, but not one that is missing."""
        if isinstance(event, RequestReceived) and event.stream_ended and _says_a_length(event):
            event = ProtocolError("a request without a body says that it has one")
        return (yield from super().handle_h2_event(event))  # type: ignore[arg-type]  # it takes both


def _says_a_length(event: RequestReceived) -> bool:
    return any(name == b"content-length" and value.strip(b"0") for name, value in event.headers)


def _failure(event: ResponseProtocolError) -> Iterator[HttpEvent]:
    refusal = origin_failed(event.message)
    head = {"content-type": "application/json", "x-sandgate-error": refusal.header}
    answer = http.Response.make(refusal.status, refusal.body((), None), head)
    yield ResponseHeaders(event.stream_id, answer)
    yield ResponseData(event.stream_id, answer.raw_content or b"")
    yield ResponseEndOfMessage(event.stream_id)


class ToOrigin(Http2Client):
    """Requests, of which some wait until the origin takes them. mitmproxy would hold their bodies, however large."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.h2_conn.encoder = SmallTable()

    @property
    def queued(self) -> int:
        """Bytes of the bodies that wait."""
        waiting = (event for each in self.stream_queue.values() for event in each)
        return sum(len(event.data) for event in waiting if isinstance(event, RequestData))

    def _handle_event(self, event: events.Event) -> Commands:
        if isinstance(event, RequestProtocolError) and event.stream_id in self.stream_queue:
            del self.stream_queue[event.stream_id]  # taken back before the origin heard of it
        elif isinstance(event, RequestData) and self._has_no_room(event):
            del self.stream_queue[event.stream_id]
            yield ReceiveHttp(ResponseProtocolError(event.stream_id, _NO_ROOM, ErrorCode.CONNECT_FAILED))
        else:
            yield from joined(super()._handle_event(event), ResponseData)

    def _has_no_room(self, event: RequestData) -> bool:
        return event.stream_id in self.stream_queue and self.queued + len(event.data) > QUEUED_BYTES


http_layers.Http2Client = ToOrigin  # type: ignore[attr-defined]  # HttpClient makes it by that name
