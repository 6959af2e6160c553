import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from egress.destination import Destination, networks
from egress.dial import Dialler, Pin, PinnedLoop, is_own
from egress.lookups import Lookups
from egress.refusal import Refused
from tests.egress.world.origin import Origin

LOOPBACK = ipaddress.ip_address("127.0.0.1")


def run[T](play: Callable[[], Awaitable[T]]) -> T:
    async def wrapped() -> T:
        return await play()

    with asyncio.Runner(loop_factory=PinnedLoop) as runner:
        return runner.run(wrapped())


@pytest.fixture
def origin() -> Any:
    made = Origin(None)
    yield made
    made.close()


@pytest.mark.promise("egress.only_gate")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_without_a_pin_the_process_connects_to_nobody(origin: Origin, host: str) -> None:
    async def play() -> None:
        await asyncio.open_connection(host, origin.port)

    with pytest.raises(OSError, match=r"never allowed|no address was pinned|Multiple"):
        run(play)
    assert origin.heard == []


@pytest.mark.promise("egress.no_private")
def test_with_a_pin_it_connects_there_whatever_the_name(origin: Origin) -> None:
    async def play() -> tuple[str, bool]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, PinnedLoop)
        loop.pin(Pin((LOOPBACK,)))
        _, writer = await asyncio.open_connection("a.test", origin.port)
        sock: socket.socket = writer.get_extra_info("socket")
        undelayed = bool(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()
        return writer.get_extra_info("peername")[0], undelayed

    assert run(play) == ("127.0.0.1", True)


def test_a_pin_is_of_one_task(origin: Origin) -> None:
    async def play() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, PinnedLoop)
        loop.pin(Pin((LOOPBACK,)))
        await asyncio.gather(asyncio.open_connection("127.0.0.1", origin.port))

    with pytest.raises(OSError, match="never allowed"):
        run(play)


def addresses(dialler: Dialler, host: str) -> tuple[str, ...]:
    return tuple(str(address) for address in run(lambda: dialler.addresses(Destination(host, 443), Lookups())))


def rule(dialler: Dialler, host: str) -> str:
    with pytest.raises(Refused) as caught:
        addresses(dialler, host)
    return caught.value.refusal.rule


def answering(monkeypatch: pytest.MonkeyPatch, *found: str) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", (address, 443)) for address in found])


@pytest.mark.promise("egress.no_private")
def test_private_answers_are_dropped_and_public_ones_used(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, "10.0.0.1", "8.8.8.8", "127.0.0.1")

    assert addresses(Dialler(), "a.test") == ("8.8.8.8",)
    assert addresses(Dialler(networks(["10.0.0.0/8"])), "a.test") == ("10.0.0.1", "8.8.8.8")


@pytest.mark.promise("egress.no_private")
def test_where_all_are_private_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, "10.0.0.1", "fe80::1%eth0")

    assert rule(Dialler(), "a.test") == "egress.private_address"
    assert rule(Dialler(), "10.0.0.1") == "egress.private_address"


def test_a_name_without_an_address_is_an_error_and_no_refusal() -> None:
    assert rule(Dialler(), "no-such-name.invalid") == "egress.error"


def test_the_static_table_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, "8.8.8.8")
    dialler = Dialler(networks(["127.0.0.0/8"]), {"a.test": LOOPBACK})

    assert addresses(dialler, "a.test") == ("127.0.0.1",)
    assert addresses(dialler, "b.test") == ("8.8.8.8",)


@pytest.mark.promise("egress.no_private")
def test_the_gates_own_host_is_recognised() -> None:
    assert is_own(LOOPBACK)
    assert not is_own(ipaddress.ip_address("8.8.8.8"))


@pytest.mark.promise("egress.no_private")
def test_a_public_address_of_the_gates_own_host_is_refused_unless_it_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, "8.8.8.8")
    monkeypatch.setattr("egress.dial.is_own", lambda address: str(address) == "8.8.8.8")

    assert rule(Dialler(), "a.test") == "egress.private_address"
    assert addresses(Dialler(networks(["8.8.8.0/24"])), "a.test") == ("8.8.8.8",)
