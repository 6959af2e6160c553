"""A network namespace with nothing but loopback, and the relay in it: what a sandbox is to the gate."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.waiting import until

AGENT = Path(__file__).parents[2] / "images" / "agent"
BOOT = """
import sys
sys.path.insert(0, sys.argv[1])
import relay
import socket
agent, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
if sys.argv[2] == "hung up":
    other.close()
relay.serve(sys.argv[3], tuple(int(port) for port in sys.argv[4:]), agent if sys.argv[2] else None)
"""


class Namespace:
    """Starts the relay as the agent would (no site, isolated); `run` runs a program beside it.

    agent: one that is asked whose a connection is and has `hung up`, or is `mute`.
    """

    def __init__(self, folder: Path, gate: Path, ports: Sequence[int] = (80, 443), agent: str = "") -> None:
        self._folder = folder
        (folder / "resolv.conf").write_text("nameserver 127.0.0.1\n")
        (folder / "hosts").write_text("127.0.0.1 localhost\n")
        inside = ["sh", "-c", 'ip link set lo up && exec "$@"', "-", sys.executable, "-I", "-S", "-c", BOOT]
        argv = ["unshare", "--net", "--mount", *inside, str(AGENT), agent, str(gate), *map(str, ports)]
        self.process = subprocess.Popen(argv, stderr=subprocess.PIPE)
        until(self._is_up)

    def _is_up(self) -> bool:
        assert self.process.poll() is None, self.process.stderr.read() if self.process.stderr else b""
        sockets = Path(f"/proc/{self.process.pid}/net/tcp").read_text()
        return "0100007F:0C38" in sockets  # 127.0.0.1:3128, the last that it opens

    def run(self, *argv: str) -> subprocess.CompletedProcess[bytes]:
        mounts = 'mount --bind {0}/resolv.conf /etc/resolv.conf && mount --bind {0}/hosts /etc/hosts && exec "$@"'
        enter = ["nsenter", f"--net=/proc/{self.process.pid}/ns/net", "unshare", "--mount", "sh", "-c"]
        command = [*enter, mounts.format(self._folder), "-", *argv]
        return subprocess.run(
            command, capture_output=True, timeout=100, check=False, env={"PATH": os.defpath + ":/usr/sbin:/sbin"}
        )

    def python(self, code: str, *arguments: str) -> str:
        done = self.run(sys.executable, "-c", code, *arguments)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    def connections(self) -> int:
        """Established connections inside, as the kernel lists them."""
        rows = Path(f"/proc/{self.process.pid}/net/tcp").read_text().splitlines()[1:]
        return sum(row.split()[3] == "01" for row in rows)

    def memory_mb(self) -> float:
        return int(Path(f"/proc/{self.process.pid}/status").read_text().partition("VmRSS:")[2].split()[0]) / 1024

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stderr:
            self.process.stderr.close()
