"""HTTP/2 where it is not mitmproxy's own; what reaches an origin is in tests/security/test_no_way_out.py."""

from typing import Any

import pytest
from h2.connection import H2Connection
from h2.settings import SettingCodes
from hyperframe.frame import SettingsFrame
from mitmproxy import http
from mitmproxy.options import Options
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.events import DataReceived, Start
from mitmproxy.proxy.layers.http._base import ReceiveHttp
from mitmproxy.proxy.layers.http._events import (
    ErrorCode,
    RequestData,
    RequestEndOfMessage,
    RequestHeaders,
    RequestProtocolError,
    ResponseProtocolError,
)
from mitmproxy.test import tflow

from egress.frames import QUEUED_BYTES, TABLE_BYTES, FromSandbox, SmallTable, ToOrigin
from tests.egress.world.sandbox import http2_get

pytestmark = pytest.mark.promise("egress.neighbours")


def context() -> Context:
    made = Context(tflow.tclient_conn(), Options())
    made.server = tflow.tserver_conn()
    made.options.add_option("http2_ping_keepalive", int, 0, "")
    made.options.add_option("validate_inbound_headers", bool, True, "")
    return made


@pytest.fixture
def full() -> ToOrigin:
    """To an origin that takes no request at the moment."""
    made = ToOrigin(context())
    happens(made, Start())
    made.provisional_max_concurrency = None
    made.h2_conn.remote_settings[SettingCodes.MAX_CONCURRENT_STREAMS] = 0
    made.h2_conn.remote_settings.acknowledge()
    return made


def happens(speaker: Any, *what: Any) -> list[Any]:
    return [command for event in what for command in speaker.handle_event(event)]


def post(stream: int) -> RequestHeaders:
    return RequestHeaders(stream, http.Request.make("POST", "https://allowed.test/"), end_stream=False)


def test_what_waits_for_its_origin_is_counted_and_goes_when_it_is_taken_back(full: ToOrigin) -> None:
    assert happens(full, post(1), RequestData(1, b"12345"), post(3), RequestData(3, b"678")) == []
    assert full.queued == 8

    gone = [RequestProtocolError(stream, "no", ErrorCode.CANCEL) for stream in (1, 3)]
    assert happens(full, *gone) == []
    assert not full.stream_queue


def test_what_waits_and_is_too_large_fails_and_the_others_wait_on(full: ToOrigin) -> None:
    happens(full, post(1), RequestData(1, b"little"), RequestEndOfMessage(1), post(3))
    told = happens(full, RequestData(3, bytes(QUEUED_BYTES)))

    assert [type(command) for command in told] == [ReceiveHttp]
    assert isinstance(told[0].event, ResponseProtocolError)
    assert (told[0].event.stream_id, list(full.stream_queue)) == (3, [1])


@pytest.mark.parametrize("side", [FromSandbox, ToOrigin])
@pytest.mark.parametrize(("asked", "kept"), [(2**31 - 1, TABLE_BYTES), (100, 100), (0, 0)])
def test_a_peer_that_asks_for_a_large_table_of_headers_gets_a_small_one(side: Any, asked: int, kept: int) -> None:
    speaker = side(context())
    happens(speaker, Start())
    wants = SettingsFrame(0, settings={SettingCodes.HEADER_TABLE_SIZE: asked})
    hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" if side is FromSandbox else b""
    happens(speaker, DataReceived(speaker.conn, hello + wants.serialize()))

    assert speaker.h2_conn.encoder.header_table.maxsize == kept


def test_a_table_that_was_made_smaller_and_larger_says_so() -> None:
    table = SmallTable()
    for size in (0, 1 << 20):
        table.header_table_size = size

    assert table.encode([(b"a", b"b")]).startswith(b"\x20\x3f\xe1\x1f")  # 0, and then 4,096


def test_a_failure_is_told_in_our_words() -> None:
    speaker = FromSandbox(context())
    happens(speaker, Start())
    client = H2Connection()
    client.initiate_connection()
    client.send_headers(1, http2_get("allowed.test", "/"), end_stream=True)
    happens(speaker, DataReceived(speaker.conn, client.data_to_send()))
    told = happens(speaker, ResponseProtocolError(1, "it hung up", ErrorCode.GENERIC_SERVER_ERROR))

    answer = b"".join(command.data for command in told)
    assert b'"reason": "The origin failed: it hung up."' in answer
    assert b"mitmproxy" not in answer
