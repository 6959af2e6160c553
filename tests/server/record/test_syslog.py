"""Lines of the audit at real sockets of a syslog server."""

import re
import socket
from pathlib import Path

import pytest

from server.record.chain import Anchor, anchors, digest_of
from server.record.sink import NotNow, native
from server.record.syslog import Syslog, _was_closed
from tests.egress.world.certificates import FakeAuthority
from tests.server.record.receivers import datagrams, lines_of, stream, written
from tests.waiting import until

RFC_5424 = re.compile(
    rb"<(\d{1,3})>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [!-~]{1,255} sandgate - [!-~]{1,32} "
    rb'\[meta sequenceId="(\d+)"\] (\{.*\})'
)


@pytest.mark.parametrize("kind", ["unix", "udp"])
def test_each_line_is_a_datagram_as_the_standard_has_it(tmp_path: Path, kind: str) -> None:
    lines = lines_of(written(tmp_path, 3))
    family = socket.AF_UNIX if kind == "unix" else socket.AF_INET
    with datagrams(family, str(tmp_path / "log") if kind == "unix" else ("127.0.0.1", 0)) as (sock, heard):
        at = sock.getsockname()
        sink = Syslog(f"unix://{at}" if kind == "unix" else f"udp://127.0.0.1:{at[1]}", native)
        assert sink.send(lines).lines == 0
        received = heard.first(3)
        sink.close()

    found = [RFC_5424.fullmatch(message) for message in received]
    assert [(match[1], match[2], match[3]) for match in found if match] == [
        (b"110", b"%d" % line.sequence, line.raw) for line in lines
    ]
    assert anchors(received[2].decode())[-1] == Anchor(digest_of(lines[2].raw), 3)


def test_what_no_datagram_carries_is_told_as_lost(tmp_path: Path) -> None:
    lines = lines_of(written(tmp_path, 1, text="x" * 70_000))
    with datagrams(socket.AF_INET, ("127.0.0.1", 0)) as (sock, _):
        sink = Syslog(f"udp://127.0.0.1:{sock.getsockname()[1]}", native)
        assert sink.send(lines).lines == 1
        sink.close()


@pytest.mark.parametrize("secure", [False, True], ids=["tcp", "tls"])
def test_over_a_connection_messages_are_framed_and_a_lost_one_is_made_again(tmp_path: Path, secure: bool) -> None:  # noqa: FBT001
    authority = FakeAuthority(tmp_path)
    lines = lines_of(written(tmp_path, 4, text="é\n" * 40_000))
    with stream(authority.context("log.test") if secure else None) as server:
        sink = Syslog(f"{'tls' if secure else 'tcp'}://127.0.0.1:{server.port}", native, authority.path)
        sink.send(lines[:2])
        server.heard.first(2)
        server.hang_up()
        until(lambda: sink._socket is not None and _was_closed(sink._socket))  # else the next are lost with it
        sink.send(lines[2:])
        received = server.heard.first(4)
        sink.close()

    assert [match[3] for message in received if (match := RFC_5424.fullmatch(message))] == [line.raw for line in lines]


@pytest.mark.parametrize("url", ["tcp://127.0.0.1:1", "tls://127.0.0.1:1", "unix:///nowhere/log"])
def test_where_nobody_listens_the_lines_are_kept(tmp_path: Path, url: str) -> None:
    sink = Syslog(url, native)
    with pytest.raises(NotNow, match=url.partition(":")[0]):
        sink.send(lines_of(written(tmp_path, 1)))
