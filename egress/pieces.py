"""Bodies in fewer pieces than they come in: what is done for each would stop all sessions, and what is held for each is much."""

from mitmproxy.proxy import layer
from mitmproxy.proxy.layers.http._base import ReceiveHttp
from mitmproxy.proxy.layers.http._events import RequestData, ResponseData


def joined(made: layer.CommandGenerator[None], kind: type[RequestData | ResponseData]) -> layer.CommandGenerator[None]:
    """What one read brought of a body, as one piece. Nothing is no piece: to who frames it in chunks it would be the end."""
    stream, pieces = 0, list[bytes]()
    for command in made:
        event = command.event if isinstance(command, ReceiveHttp) else None
        if pieces and not (isinstance(event, kind) and event.stream_id == stream):
            yield ReceiveHttp(kind(stream, b"".join(pieces)))
            pieces.clear()
        if not isinstance(event, kind):
            yield command
        elif event.data:
            stream = event.stream_id
            pieces.append(event.data)
    if pieces:
        yield ReceiveHttp(kind(stream, b"".join(pieces)))
