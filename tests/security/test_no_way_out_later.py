"""What was allowed ends when it is taken away, and with the gate, in whatever way that goes; and it comes back by itself.

A program in a real sandbox asks again and again; what of it arrived is read at the other end.
"""

import os
import resource
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from mcp import Client

from tests.egress.world import steady
from tests.egress.world.gate import alive
from tests.egress.world.internet import WHY_NOT, Internet, Log, possible
from tests.egress.world.zone import ZONE
from tests.end_to_end.rig import called, structured, text_of
from tests.security.household import Household
from tests.waiting import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(not possible(), reason=WHY_NOT), pytest.mark.timeout(180)]

STAYS, GOES = "allowed.test", "other.test"
VALUE = "real-value-of-the-key-0123456789"
MANY = 8  # that arrive: then whatever was under way before has arrived as well


def settings(folder: Path, *allow: str) -> str:
    (folder / "value").write_text(VALUE)
    return f"""
environment = "base"
[policy]
profile = "open"
[egress]
allow = {list(allow)}
upstream_ca = "{folder}/internet.pem"
tls_per_second = 1000
[[secret]]
name = "key"
variable = "API_KEY"
host = "{STAYS}"
file = "{folder}/value"
"""


@pytest.fixture(scope="module")
def home(folder: Path, internet: Internet) -> Household:
    return Household(folder, settings(folder, STAYS, GOES), internet=internet)


@dataclass(frozen=True, slots=True)
class Street:
    """What is seen of it from outside."""

    home: Household
    internet: Internet
    client: Client

    def said(self, host: str, what: str, since: Log) -> list[str]:
        """What programs sent to the address of a host, where it holds `what`."""
        (address,) = ZONE[host][0]
        new = self.internet.log().since(since).packets
        return [packet["said"] for packet in new if packet["target"] == address and what in packet["said"]]

    async def goes_on(self, host: str, *ways: str) -> Log:
        """Wait until enough of each way has arrived anew; the log until then."""
        since = self.internet.log()
        for way in ways:
            await eventually(lambda way=way: len(self.said(host, way, since)) >= MANY, f"no more {way} to {host}")  # type: ignore[misc]
        return self.internet.log()

    async def tries(self) -> int:
        return int(text_of(await called(self.client, "file_read", path=f"{STAYS}.tries")).split()[0])

    async def asks_on(self) -> None:
        """Wait until the sandbox has tried again, all of it after this began."""
        before = await self.tries()
        while await self.tries() < before + 2:
            """It does."""


@asynccontextmanager
async def steadily(client: Client, home: Household, internet: Internet, *hosts: str) -> AsyncGenerator[Street]:
    source = Path(steady.__file__).read_text()
    await called(client, "file_write", path="steady.py", content=source)
    await called(client, "shell", command="rm -f stop *.tries")
    job = structured(await called(client, "exec", argv=["python3", "-I", "steady.py", *hosts], background=True))["job"]
    street = Street(home, internet, client)
    try:
        await street.goes_on(hosts[0], "/fresh/")
        yield street
    finally:
        await called(client, "file_write", path="stop", content="")
        await called(client, "job_output", job=job, wait_s=20)


@pytest.mark.promise("egress.only_gate")
async def test_a_host_that_is_taken_away_is_gone_on_open_connections_too(
    client: Client, home: Household, internet: Internet, folder: Path
) -> None:
    file = folder / ".config/sandgate/sandgate.toml"
    async with steadily(client, home, internet, STAYS, GOES) as street:
        await street.goes_on(GOES, "/fresh/", "/kept/", "tick")
        reloads = len(home.audit("server.reloaded"))
        change(file, settings(folder, STAYS))
        await eventually(lambda: len(home.audit("server.reloaded")) > reloads, "the settings were not read")
        after = await street.goes_on(STAYS, "/fresh/", "/kept/", "tick")  # those that stay are not disturbed
        await street.goes_on(STAYS, "/fresh/", "/kept/", "tick")
        assert [said for said in street.said(GOES, "", after) if said] == []
        assert GOES not in [asked["name"] for asked in internet.log().since(after).lookups]

        change(file, settings(folder, STAYS, GOES))
        await street.goes_on(GOES, "/fresh/")


def change(file: Path, text: str) -> None:
    """In one step: a server that looked at half of it would take hosts away that are to stay."""
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)


async def back(street: Street) -> None:
    await street.goes_on(STAYS, "/fresh/")
    assert street.home.sandboxes() != []


async def nothing_arrives(street: Street) -> None:
    """While it asks on, and what was on its way when the gate ended has been seen."""
    await street.asks_on()
    since = street.internet.log()
    await street.asks_on()
    new = street.internet.log().since(since)
    assert [packet for packet in new.packets if packet["said"] or packet["opens"]] == []


@pytest.mark.promise("egress.start_refused")
async def test_a_gate_that_is_killed_and_cannot_read_its_key_leaves_no_network_and_is_back_once_it_can(
    client: Client, home: Household, internet: Internet, folder: Path
) -> None:
    (key,) = (folder / "state").rglob("mitmproxy-ca.pem")
    async with steadily(client, home, internet, STAYS) as street:
        before = sorted(home.sandboxes())
        key.chmod(0o644)  # which others could read, so it is not used; root would read it whatever its mode
        pid = home.signal(signal.SIGKILL)
        try:
            await eventually(lambda: not alive(pid), "it lives on")
            await nothing_arrives(street)
        finally:
            key.chmod(0o600)
        await back(street)
        assert sorted(home.sandboxes()) == before


@pytest.mark.promise("egress.start_refused")
async def test_while_the_gate_is_stopped_nothing_arrives_and_then_it_goes_on(
    client: Client, home: Household, internet: Internet
) -> None:
    async with steadily(client, home, internet, STAYS) as street:
        pid = home.signal(signal.SIGSTOP)
        try:
            await nothing_arrives(street)
        finally:
            os.kill(pid, signal.SIGCONT)
        await back(street)
        assert home.gate() == pid


@pytest.mark.soak
@pytest.mark.promise("egress.start_refused")
async def test_a_gate_that_stays_stopped_is_replaced(client: Client, home: Household, internet: Internet) -> None:
    async with steadily(client, home, internet, STAYS) as street:
        pid = home.signal(signal.SIGSTOP)
        await back(street)
        assert not alive(pid)


@pytest.mark.promise("egress.start_refused")
async def test_a_gate_that_runs_out_of_memory_lets_nothing_else_through_and_is_back(
    client: Client, home: Household, internet: Internet
) -> None:
    async with steadily(client, home, internet, STAYS) as street:
        pid = home.gate()
        used = int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
        resource.prlimit(pid, resource.RLIMIT_AS, (used, used))
        since = internet.log()
        await hungry(client)
        await eventually(lambda: not alive(pid), "it had enough")
        await back(street)
        assert {place for place, _ in internet.log().since(since).opened} == set(ZONE[STAYS][0])


HUNGRY = """
import socket
held = [socket.create_connection(('127.0.0.1', 3128), 5) for _ in range(100)]
for sock in held:
    sock.sendall(b'GET http://denied.test/ HTTP/1.1\\r\\nHost: denied.test\\r\\nX: ' + b'x' * 60000)
"""


async def hungry(client: Client) -> None:
    """A hundred heads as large as they may be, all at once."""
    await client.call_tool("exec", {"argv": ["python3", "-c", HUNGRY]})


NEIGHBOUR = """
import glob, os, socket, sys
ways = [sys.argv[1], *glob.glob('/run/**/*.sock', recursive=True), *glob.glob('/proc/[0-9]*/root' + sys.argv[1]),
        *('/proc/%s/root%s' % (p, sys.argv[1]) for p in ('1', 'self', os.getppid())), '/run/sandgate/../../..' + sys.argv[1]]
for way in ways:
    for path in (way, '\\0' + way):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(1)
        try:
            s.connect(path)
            s.sendall(b'GET http://allowed.test/stolen HTTP/1.1\\r\\nHost: allowed.test\\r\\n\\r\\n')
            print(way, s.recv(100))
        except OSError as e:
            print(way, e)
s = socket.create_connection(('127.0.0.1', 3128))
s.sendall(b'GET http://other.test/mine HTTP/1.1\\r\\nHost: other.test\\r\\n\\r\\n')
print(s.recv(100))
"""


@pytest.mark.promise("session.alone")
async def test_a_session_that_tries_anothers_door_reaches_only_what_is_its_own(
    client: Client, home: Household, internet: Internet
) -> None:
    ours = {path for path in home.sockets() if path.name == "egress.sock"}
    opened = structured(await called(client, "session_open", network=[GOES]))
    since = internet.log()
    for door in sorted(ours):
        await called(client, "exec", argv=["python3", "-c", NEIGHBOUR, str(door)], session=opened["session"])
    arrived = internet.log().since(since).requests

    assert ours
    assert {request["head"].split(" ")[1] for request in arrived} == {"/mine"}


@pytest.mark.promise("session.alone")
@pytest.mark.promise("secrets.outside")
async def test_what_stands_for_a_secret_in_one_session_opens_nothing_in_another(
    client: Client, internet: Internet
) -> None:
    opened = structured(await called(client, "session_open", network=[STAYS]))["session"]
    lent = structured(await called(client, "shell", command="echo $API_KEY"))["stdout"].strip()
    own = structured(await called(client, "shell", command="echo $API_KEY", session=opened))["stdout"].strip()
    since = internet.log()
    for placeholder, name in ((lent, "another"), (own, "own")):
        ask = ["curl", "-sS", "-H", f"Authorization: {placeholder}", f"https://{STAYS}/{name}"]
        await called(client, "exec", argv=ask, session=opened)
    (arrived,) = internet.log().since(since).requests

    assert lent != own
    assert ":path: /own" in arrived["head"]
    assert VALUE in arrived["head"]
