import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from server.sandbox.frames import BYTES, HEAD, JSON, BadFrame, address, is_ours, message, piece, taken


def test_frames_arrive_whole_however_they_are_cut() -> None:
    data, waiting, found = (
        message({"a": "\udcff"}) + piece(b"x" * 10) + piece(b""),
        bytearray(),
        list[tuple[int, bytes]](),
    )
    for place in range(len(data)):
        waiting += data[place : place + 1]
        found += taken(waiting)

    assert found == [(JSON, b'{"a": "\\udcff"}'), (BYTES, b"x" * 10), (BYTES, b"")]
    assert waiting == b""


@pytest.mark.parametrize("head", [HEAD.pack(1 << 31, JSON), HEAD.pack(1, 7)])
def test_what_is_no_frame_is_refused_before_it_is_waited_for(head: bytes) -> None:
    with pytest.raises(BadFrame):
        list(taken(bytearray(head)))


@pytest.mark.promise("workspace.copy")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else for a moment")
@pytest.mark.parametrize(("user", "ours"), [(0, True), (65534, False)])
def test_another_user_is_told_from_ours(tmp_path: Path, user: int, ours: object) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address(tmp_path))
        listener.listen()
        script = f"import socket; s = socket.socket(socket.AF_UNIX); s.connect({address(tmp_path)!r}); s.recv(1)"
        with subprocess.Popen([sys.executable, "-I", "-S", "-c", script], user=user, group=user, cwd="/") as other:
            met, _ = listener.accept()
            with met:
                assert is_ours(met) is ours
            assert other.wait(60) == 0
