"""The fake internet itself: what is sent from the gate's side is seen, all of it, and nothing of it is left afterwards."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.egress.world.gate import alive
from tests.egress.world.internet import WHY_NOT, Internet, possible
from tests.egress.world.zone import HOME, METADATA

pytestmark = pytest.mark.skipif(not possible(), reason=WHY_NOT)

SENDING = """
import socket, sys
for kind, family, target, port in (line.split() for line in sys.stdin):
    sock = socket.socket(getattr(socket, family), getattr(socket, kind), 1 if kind == 'SOCK_RAW' else 0)
    sock.settimeout(0.2)
    try:
        sock.connect((target, int(port)))
        sock.send(b'\\x08\\x00 seen')
    except OSError:
        pass
"""
SENT = [
    ("SOCK_STREAM", "AF_INET", METADATA, 80),
    ("SOCK_STREAM", "AF_INET", "10.0.0.7", 22),
    ("SOCK_STREAM", "AF_INET", "1.2.3.4", 443),  # where nobody stands
    ("SOCK_STREAM", "AF_INET", "127.0.0.1", 9999),
    ("SOCK_STREAM", "AF_INET", HOME, 9999),
    ("SOCK_STREAM", "AF_INET6", "64:ff9b::a9fe:a9fe", 80),
    ("SOCK_STREAM", "AF_INET6", "::ffff:169.254.169.254", 80),
    ("SOCK_DGRAM", "AF_INET", "8.8.8.8", 53),
    ("SOCK_DGRAM", "AF_INET6", "fd00::7", 9999),
    ("SOCK_RAW", "AF_INET", "8.8.8.8", 0),
]


@pytest.fixture
def internet(tmp_path: Path) -> Iterator[Internet]:
    with Internet(tmp_path) as made:
        yield made


def run(internet: Internet, *argv: str, said: str = "") -> str:
    done = subprocess.run(internet.inside(argv), input=said, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


def test_whatever_is_sent_is_seen_wherever_it_goes(internet: Internet) -> None:
    run(internet, "python3", "-c", SENDING, said="\n".join(" ".join(map(str, sent)) for sent in SENT))
    opened = internet.log().opened

    wanted = [(target.removeprefix("::ffff:"), port) for _, _, target, port in SENT]
    assert set(opened) == set(wanted)


def test_requests_arrive_with_all_that_they_say(internet: Internet) -> None:
    fetch = ("curl", "-sS", "--cacert", str(internet.authority), "https://allowed.test/one", "http://other.test/two")
    assert "hello" in run(internet, *fetch)
    secure, plain = internet.log().requests

    assert (secure["address"], secure["port"], secure["sni"], secure["tls"]) == (
        "11.22.33.10",
        443,
        "allowed.test",
        True,
    )
    assert ":path: /one" in secure["head"]
    assert (plain["address"], plain["port"], plain["sni"], plain["tls"]) == ("11.22.33.12", 80, None, False)
    assert plain["head"].startswith("GET /two ")


def test_names_lead_where_the_zone_says_and_elsewhere_the_next_time(internet: Internet) -> None:
    ask = "import socket; [print(socket.gethostbyname('late.allowed.test')) for _ in range(3)]"
    said = run(internet, "python3", "-c", ask)
    chain = run(internet, "getent", "ahostsv4", "cnamechain.allowed.test")
    nothing = run(internet, "getent", "hosts", "nobody.test")

    assert said.split() == ["11.22.33.10", METADATA, METADATA]
    assert chain.startswith("10.0.0.7 ")
    assert nothing == ""
    assert {"late.allowed.test", "nobody.test"} <= {asked["name"] for asked in internet.log().lookups}


def test_it_is_quiet_by_itself_and_what_is_new_is_told_apart(internet: Internet) -> None:
    before = internet.log()
    run(internet, "curl", "-sS", "http://other.test/")
    after = internet.log()

    assert (before.packets, before.lookups, before.requests) == ([], [], [])
    assert len(after.since(before).requests) == 1
    assert after.since(after).packets == []


def test_its_namespaces_have_no_name_and_so_end_with_it(tmp_path: Path) -> None:
    before = named()
    with Internet(tmp_path) as internet:
        pid = int(Path(internet.home).parts[2])
        assert named() == before

    assert not alive(pid)


def named() -> bytes:
    return subprocess.run(["ip", "netns", "list"], capture_output=True, check=True).stdout
