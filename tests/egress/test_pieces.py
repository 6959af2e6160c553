from mitmproxy.proxy.layers.http._base import ReceiveHttp
from mitmproxy.proxy.layers.http._events import ResponseData, ResponseEndOfMessage

from egress.pieces import joined


def test_what_one_read_brought_of_a_body_is_one_piece_and_all_else_stays_in_its_place() -> None:
    ends = ReceiveHttp(ResponseEndOfMessage(1))
    made = [
        ReceiveHttp(ResponseData(1, b"a")),
        ReceiveHttp(ResponseData(1, b"")),
        ReceiveHttp(ResponseData(1, b"b")),
        ReceiveHttp(ResponseData(3, b"c")),
        ends,
        ReceiveHttp(ResponseData(5, b"")),
        ReceiveHttp(ResponseData(3, b"d")),
    ]
    found = [vars(command)["event"] for command in joined((command for command in made), ResponseData)]

    assert found == [ResponseData(1, b"ab"), ResponseData(3, b"c"), ends.event, ResponseData(3, b"d")]
