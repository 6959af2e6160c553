import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from server.sandbox.peer import peer


def test_the_kernel_says_which_process_and_whose_connected(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        dials = "import socket, sys; s = socket.socket(1); s.connect(sys.argv[1]); sys.stdin.read()"
        with subprocess.Popen([sys.executable, "-c", dials, str(tmp_path / "s")], stdin=subprocess.PIPE) as caller:
            sock, _ = listener.accept()
            with sock:
                assert peer(sock) == (caller.pid, os.geteuid())
            assert caller.stdin is not None
            caller.stdin.close()


def test_a_closed_socket_is_nobodys() -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        pass
    with pytest.raises(OSError, match="Bad file descriptor"):
        peer(sock)
