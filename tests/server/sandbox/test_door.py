import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from server.sandbox.agent_link import AgentLink
from server.sandbox.door import NAME, arrival, check_key, door, root_of
from server.sandbox.sandbox import SandboxFailed, SandboxLost
from tests.waiting import PATIENCE_S

pytestmark = [pytest.mark.anyio, pytest.mark.promise("sandbox.powerless")]

KNOCK = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])"


@pytest.fixture
def folder(own_folder: Path) -> Path:
    return own_folder / "one/box"


@pytest.mark.skipif(os.geteuid() != 0, reason="an agent is root in its container, which only root can stand for")
async def test_only_the_process_that_is_expected_is_let_in(folder: Path) -> None:
    with door(folder) as listener:
        subprocess.run([sys.executable, "-I", "-c", KNOCK, str(folder / NAME)], check=True)
        with socket.socket(socket.AF_UNIX) as agent:
            agent.connect(str(folder / NAME))
            with anyio.fail_after(PATIENCE_S):
                let_in = await arrival(listener, os.getpid())
            let_in.send(b"x")
            assert agent.recv(1) == b"x"
            let_in.close()
    assert not (folder / NAME).exists()


async def test_the_way_to_it_is_for_the_agent_and_for_no_other_user_of_the_host(folder: Path) -> None:
    with door(folder):
        modes = [stat.S_IMODE(path.stat().st_mode) for path in (folder.parent, folder, folder / NAME)]

    assert modes == [0o700, 0o755, 0o666]


async def test_what_a_dead_server_left_at_its_place_is_no_hindrance(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / NAME).touch()
    with door(folder):
        pass


async def test_a_path_that_no_socket_can_have_is_one_sentence(folder: Path) -> None:
    with pytest.raises(SandboxFailed, match="SANDGATE_RUNTIME_DIR"), door(folder / ("x" * 100)):
        pass


async def test_a_greeting_without_the_right_key_is_none() -> None:
    ours, theirs = socket.socketpair()
    link = AgentLink(ours)
    link.hello = {"key": "right"}
    check_key(link, "right")
    for hello in ({}, {"key": "wrong"}, {"key": None}, {"key": "righ\u0442"}):
        link.hello = hello
        with pytest.raises(SandboxLost):
            check_key(link, "right")
    ours.close()
    theirs.close()


def test_root_of_a_process_is_whom_its_namespace_maps_it_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7/uid_map").write_text("      1000     301000      1\n         0     200000      65536\n")
    monkeypatch.setattr("server.sandbox.door._PROC", tmp_path)

    assert root_of(7) == 200_000
    assert root_of(8) == 0
