"""An address is there to be listened at, or a sentence says why not."""

import asyncio
import socket

import pytest

from server.front.listening import CannotListen, bound, port_of


def test_what_is_bound_can_be_listened_at_and_is_free_again_afterwards() -> None:
    with bound("127.0.0.1", 0) as (sock,):
        sock.listen()
        port = sock.getsockname()[1]
        socket.create_connection(("127.0.0.1", port)).close()

    with bound("127.0.0.1", port):
        pass


def test_small_answers_are_not_held_back() -> None:
    async def accepted() -> int:
        seen = asyncio.get_running_loop().create_future()

        async def take(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.set_result(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        with bound("127.0.0.1", 0) as sockets:
            async with await asyncio.start_server(take, sock=sockets[0]):
                _, writer = await asyncio.open_connection("127.0.0.1", port_of(sockets))
                found = int(await seen)
                writer.close()
                return found

    assert asyncio.run(accepted())


def test_any_free_port_is_one_port_for_all_addresses_of_a_name() -> None:
    with bound("localhost", 0) as sockets:
        assert {sock.getsockname()[1] for sock in sockets} == {port_of(sockets)}
        assert len({sock.getsockname()[0] for sock in sockets}) == len(sockets)


def test_a_port_that_is_taken_is_a_sentence() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(CannotListen, match="something else listens there; choose another"),
        bound("127.0.0.1", taken.getsockname()[1]),
    ):
        pass


def test_an_address_of_another_machine_is_a_sentence() -> None:
    with pytest.raises(CannotListen, match=r"cannot listen at 192\.0\.2\.1, port 1"), bound("192.0.2.1", 1):
        pass
