"""The life of the process: it starts whole or says why not, and it never outlives its server."""

import resource
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.egress.world.gate import ROOT, Gate


def start(folder: Path, descriptors: int | None = None) -> subprocess.CompletedProcess[bytes]:
    ours, theirs = socket.socketpair()

    def lower() -> None:
        if descriptors is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

    with ours, theirs:
        argv = [sys.executable, "-P", "-m", "egress", "--control-fd", str(theirs.fileno()), "--ca-dir", str(folder)]
        return subprocess.run(
            argv,
            pass_fds=[theirs.fileno()],
            cwd="/",
            env={"PYTHONPATH": str(ROOT)},
            capture_output=True,
            timeout=60,
            check=False,
            preexec_fn=lower,
        )


def test_without_enough_descriptors_it_does_not_start(tmp_path: Path) -> None:
    done = start(tmp_path, descriptors=512)

    assert done.returncode == 1
    assert done.stderr.decode() == "egress: The limit of open files is 512; the gate needs 1024 (ulimit -Hn).\n"


def test_with_an_unusable_authority_it_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "mitmproxy-ca.pem").write_text("nonsense")
    done = start(tmp_path)

    assert done.returncode == 1
    assert done.stderr.startswith(b"egress: The certificate authority in")
    assert done.stderr.count(b"\n") == 1


def test_it_raises_its_own_limit_of_descriptors(tmp_path: Path) -> None:
    gate = Gate(tmp_path).ready()
    limits = Path(f"/proc/{gate.process.pid}/limits").read_text()
    soft, hard = next(line.split()[3:5] for line in limits.splitlines() if line.startswith("Max open files"))
    gate.close()

    assert soft == hard


@pytest.mark.promise("egress.gate_dies_with_server")
def test_when_the_server_hangs_up_it_ends(tmp_path: Path) -> None:
    gate = Gate(tmp_path).ready()
    gate.hang_up()

    assert gate.process.wait(5) == 0
    gate.close()


@pytest.mark.promise("egress.gate_dies_with_server")
def test_it_ends_before_it_was_ready_too(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    gate.hang_up()

    assert gate.process.wait(60) in {0, 1}
    gate.close()


STUCK = """
import sys, time
from egress import listener
async def stuck(self, session, path): time.sleep(60)
listener.Listeners.open = stuck
from egress.__main__ import main
main(sys.argv[1:])
"""


@pytest.mark.promise("egress.gate_dies_with_server")
def test_it_ends_even_where_its_loop_hangs(tmp_path: Path) -> None:
    program = tmp_path / "stuck.py"
    program.write_text(STUCK)
    gate = Gate(tmp_path, [str(program)]).ready()
    gate.tell(op="open", session="s", socket="/s")
    gate.hang_up()

    assert gate.process.wait(60) == 1
    gate.close()


def test_a_killed_gate_leaves_its_authority_for_the_next(tmp_path: Path) -> None:
    gate = Gate(tmp_path).ready()
    before = gate.ca.read_bytes()
    gate.process.send_signal(signal.SIGKILL)
    gate.close()
    again = Gate(tmp_path).ready()

    assert again.ca.read_bytes() == before
    again.close()


CLOSED = """
import ctypes, resource
from egress.__main__ import close_to_others
close_to_others()
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), resource.getrlimit(resource.RLIMIT_CORE))
"""


@pytest.mark.promise("secrets.outside")
def test_its_memory_is_closed_to_programs_of_the_same_user() -> None:
    said = subprocess.run([sys.executable, "-c", CLOSED], cwd=ROOT, capture_output=True, text=True, check=True)

    assert said.stdout == "0 (0, 0)\n"
