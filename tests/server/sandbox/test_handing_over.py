"""Sockets for a gate that somebody else runs. What it does with them: test_egress_link.py."""

import os
import socket
import stat
from pathlib import Path

import pytest

from server.sandbox.handing_over import called, listening


def test_the_gate_that_waits_is_called_and_nobody_is_waited_for(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(tmp_path / "control"))
        door.listen(1)
        with called(tmp_path / "control") as line:
            assert line.gettimeout() == 0
            line.send(b"x")
            with door.accept()[0] as theirs:
                assert theirs.recv(1) == b"x"

    for name in ("control", "none"):
        with pytest.raises(OSError, match=f"no gate waits at {tmp_path / name}"):
            called(tmp_path / name)


@pytest.mark.skipif(os.geteuid() != 0, reason="who waits there is somebody else only where root can be that")
def test_what_somebody_else_waits_with_is_not_told_anything(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(tmp_path / "control"))
        os.seteuid(1000)
        try:
            door.listen(1)  # from here on it is theirs
        finally:
            os.seteuid(0)
        with pytest.raises(PermissionError, match="is the user 1000's"):
            called(tmp_path / "control")


def test_a_listener_takes_the_place_of_one_that_is_dead(tmp_path: Path) -> None:
    for _ in range(2):
        with listening(tmp_path / "s.sock") as made:
            assert stat.S_IMODE((tmp_path / "s.sock").stat().st_mode) == 0o666
            with socket.socket(socket.AF_UNIX) as caller:
                caller.connect(str(tmp_path / "s.sock"))
                made.accept()[0].close()
