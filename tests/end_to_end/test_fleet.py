"""Several servers behind one address, by the balancer of examples/fleet: a caller's things are where the caller is sent."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from mcp import Client

from tests.end_to_end.http_rig import HttpServer, over_sse, serving, streamable, tokens
from tests.end_to_end.rig import PROGRAM, Home, called, text_of
from tests.free_port import free_port
from tests.installed import ROOT
from tests.issuer import Issuer, issuing
from tests.waiting import until

HAPROXY = shutil.which("haproxy", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
pytestmark = [pytest.mark.anyio, pytest.mark.skipif(HAPROXY is None, reason="needs HAProxy (Debian: haproxy)")]
CALLERS = {f"caller{number}": f"sgt_caller{number}-0123456789abcdef" for number in range(8)}
SETTINGS = """
environment = "base"
[http]
trusted_proxies = ["127.0.0.1"]
[http.jwt]
issuer = "{url}"
audience = "sandgate"
"""


@dataclass(frozen=True, slots=True)
class Fleet:
    """The machines by name, and the one address that callers know."""

    machines: dict[str, HttpServer]
    front: HttpServer
    issuer: Issuer

    def which(self, caller: str) -> set[str]:
        """The machines that this caller's calls came to."""
        return {
            name
            for name, machine in self.machines.items()
            if any(caller in line["caller"] for line in machine.home.audit("call.started"))
        }


@pytest.fixture(scope="module")
def fleet(folder: Path) -> Iterator[Fleet]:
    with ExitStack() as stack:
        issuer = stack.enter_context(issuing())
        machines = {}
        for name in ("one", "two"):
            home = Home(folder / name, SETTINGS.format(url=issuer.url) + tokens(**CALLERS))
            home.folder.mkdir()
            stack.callback(home.remove_images)
            machines[name] = stack.enter_context(serving(home))
        yield Fleet(machines, stack.enter_context(_balanced(folder, machines)), issuer)


@contextmanager
def _balanced(folder: Path, machines: dict[str, HttpServer]) -> Iterator[HttpServer]:
    """HAProxy by the example's own file, but for addresses, the certificate, and its patience: a machine that is slow for
    four seconds, as a busy one is, is not to be taken for one that is away."""
    port = free_port()
    text, changed = re.subn(r"bind .*", f"bind 127.0.0.1:{port}", (ROOT / "examples/fleet/haproxy.cfg").read_text())
    for name, machine in machines.items():
        text, more = re.subn(rf"server {name} \S+", f"server {name} {machine.url.removeprefix('http://')}", text)
        changed += more
    text, more = re.subn(r"timeout connect .*", "timeout connect 60s\n  timeout check 60s", text)
    assert changed + more == 2 + len(machines)
    config = folder / "haproxy.cfg"
    config.write_text(text)
    with subprocess.Popen([str(HAPROXY), "-db", "-f", str(config)]) as process:
        try:
            front = HttpServer(next(iter(machines.values())).home, f"http://127.0.0.1:{port}", process)
            until(front.answers, "HAProxy hands on")
            yield front
        finally:
            process.terminate()


def start_again(machine: HttpServer) -> None:
    argv = [PROGRAM, "serve", "--http", machine.url.removeprefix("http://")]
    machine.process = subprocess.Popen(argv, env=machine.home.environ, stdin=subprocess.DEVNULL)


async def asks(client: Client) -> None:
    await client.call_tool("policy_check", {"command": "true"})


@pytest.mark.promise("caller.known")
async def test_all_that_a_caller_asks_comes_to_one_machine_and_callers_are_spread(fleet: Fleet) -> None:
    token = next(iter(CALLERS.values()))
    async with streamable(fleet.front, token, "legacy") as older, over_sse(fleet.front, token) as oldest:
        await asks(older)
        await asks(oldest)
    for token in CALLERS.values():
        async with streamable(fleet.front, token) as client:
            await asks(client)

    found = [fleet.which(caller) for caller in CALLERS]
    assert all(len(machines) == 1 for machines in found)
    assert set.union(*found) == {"one", "two"}


async def test_a_token_that_is_renewed_leads_to_the_same_session(fleet: Fleet) -> None:
    for subject in ("ann", "bob", "eve"):
        async with streamable(fleet.front, fleet.issuer.signed(subject)) as before:
            await asks(before)
        for number in range(4):
            async with streamable(fleet.front, fleet.issuer.signed(subject, jti=str(number))) as after:
                await asks(after)
        assert len(fleet.which(subject)) == 1


@pytest.mark.promise("nothing.left")
async def test_while_a_machine_is_away_its_callers_start_anew_and_then_find_what_they_left(fleet: Fleet) -> None:
    caller, token = next(iter(CALLERS.items()))
    note = {"path": "note", "session": "desk"}
    async with streamable(fleet.front, token) as client:
        await called(client, "file_write", **note, content="hers")
    home, other = min(fleet.which(caller)), max(fleet.machines, key=lambda name: name not in fleet.which(caller))
    machine = fleet.machines[home]
    machine.end()
    async with streamable(fleet.front, token) as client:
        elsewhere = text_of(await client.call_tool("file_read", note))
    assert fleet.which(caller) == {home, other}

    start_again(machine)
    until(lambda: fleet.front.get("/files/desk/note", Authorization=f"Bearer {token}").text == "hers", "it is back")
    async with streamable(fleet.front, token) as client:
        back = text_of(await client.call_tool("file_read", note))

    assert "hers" not in elsewhere
    assert back == "hers"
