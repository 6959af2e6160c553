"""An engine that maps root away (userns-remap): the agent is root of its namespace and nobody on the host."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from server.sandbox.engine import Unreachable, probe
from server.sandbox.sandbox import MIB
from server.sandbox.scales import UNWEIGHED
from tests.live import BASE, engine, read_file, run, shell
from tests.real_engine import client

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.promise("sandbox.powerless"),
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.geteuid() != 0, reason="an engine of the test's own takes root"),
]

FIRST = 200_000  # on the host, of the range that the sandboxes' users are in
# The list of users is the engine's own: what it needs there stays in its mount namespace.
START = f"""
set -e
mkdir -p t data; mount -t tmpfs tmpfs t; mkdir t/upper t/work
mount -t overlay -o lowerdir=/etc,upperdir=t/upper,workdir=t/work overlay /etc
echo 'sgremap:x:4242:4242::/nonexistent:/usr/sbin/nologin' >>/etc/passwd; echo 'sgremap:x:4242:' >>/etc/group
for file in subuid subgid; do echo 'sgremap:{FIRST}:65536' >/etc/$file; done
exec dockerd --host "unix://$PWD/d.sock" --data-root "$PWD/data" --exec-root "$PWD/run" --pidfile "$PWD/pid" \\
    --group root --bridge none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false --userns-remap=sgremap
"""


@pytest.fixture
def remapped() -> Iterator[str]:
    """The address of an engine with userns-remap that has what a sandbox needs."""
    if shutil.which("dockerd") is None:
        pytest.skip("dockerd is not installed here")
    folder = Path(tempfile.mkdtemp(prefix="sg"))
    folder.chmod(0o711)  # the mapped root has to come through
    with (folder / "log").open("wb") as log:
        started = subprocess.Popen(["unshare", "--mount", "sh", "-c", START], cwd=folder, stdout=log, stderr=log)
    url = f"unix://{folder}/d.sock"
    try:
        _await(url, started, folder / "log")
        with client() as here:
            there = docker.APIClient(base_url=url, timeout=120)
            for image in ("sandgate/base:latest", "sandgate/agent:latest"):
                for _ in there.load_image(here.get_image(image)):  # type: ignore[no-untyped-call]  # the package has no types for it
                    """Each line of its answer says how far it is."""
            there.close()
        yield url
    finally:
        started.send_signal(signal.SIGTERM)
        started.wait(timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


def _await(url: str, started: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            probe(url, "the test")
        except Unreachable:
            if started.poll() is not None:
                pytest.skip(f"this machine starts no engine with userns-remap: {log.read_text().splitlines()[-1:]}")
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        else:
            return


async def test_a_sandbox_works_where_root_is_nobody_on_the_host(remapped: str) -> None:
    weakened: list[str] = []
    async with engine(find=lambda: remapped, weakened=weakened) as made:
        box = await made.create(replace(BASE, disk_bytes=64 * MIB))
        said = await shell(box, "id -u; cut -c1-22 /proc/self/uid_map; echo text > f; touch /tmp/x && echo fine")
        _, content = await read_file(box, "/workspace/f")
        reached = await run(box, "ls", "/opt/sandgate/runtime")
        there = docker.APIClient(base_url=remapped)
        pid = there.inspect_container(f"sandgate-{box.id}")["State"]["Pid"]
        there.close()
        agent = Path(f"/proc/{pid}/status").read_text()
        filled = await shell(box, "exec 3>full; rm full; fallocate -l 100M /proc/self/fd/3; sleep 600", timeout_s=150)
        await box.close()

    assert UNWEIGHED not in weakened
    assert filled.end.status == "disk_full"
    assert said.text.split() == ["1000", "0", str(FIRST), "fine"]
    assert content == b"text\n"
    assert reached.end.exit_code != 0
    assert f"Uid:\t{FIRST}\t" in agent
