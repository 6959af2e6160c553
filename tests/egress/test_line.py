import asyncio
import socket
from collections.abc import Awaitable, Callable

from egress.cause import Cause
from egress.destination import Destination
from egress.flight import Flight
from egress.held import HELD_BYTES, Held
from egress.line import DIAL_S, HEAD_S, IDLE_S, Line
from egress.refusal import Refusal
from tests.waiting import PATIENCE_S

HERE = Destination("a.test", 443)
FLIGHT = Flight(HERE, "https", "GET", "/", Cause())


class Bench:
    """A line over a socket pair, whose other end is the sandbox."""

    def __init__(self, line: Line, other: socket.socket, complaints: list[Refusal]) -> None:
        self.line = line
        self.other = other
        self.complaints = complaints

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    @property
    def cut(self) -> bool:
        return self.line.is_closing()


def on_a_line(play: Callable[[Bench], Awaitable[None]], patience_s: float = PATIENCE_S) -> None:
    async def run() -> None:
        ours, other = socket.socketpair()
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        complaints: list[Refusal] = []
        line = Line(reader, writer, complaints.append, lambda: 65536, held=Held(patience_s))
        with other:
            other.setblocking(False)
            await play(Bench(line, other, complaints))
            line.abort()
            await asyncio.sleep(0)

    asyncio.run(run())


def test_a_sandbox_that_says_nothing_is_cut_after_ten_seconds() -> None:
    async def play(bench: Bench) -> None:
        bench.line.look_at_clock(bench.now + HEAD_S / 2)
        assert not bench.cut
        bench.line.connected(HERE)
        bench.line.look_at_clock(bench.now + HEAD_S + 1)

        assert bench.cut
        assert bench.complaints == [Refusal("egress.limit", "No request arrived within 10 seconds.", "a.test", 443)]

    on_a_line(play)


def test_a_request_under_way_has_no_deadline_and_an_idle_line_has_a_long_one() -> None:
    async def play(bench: Bench) -> None:
        bench.line.took_off("f", FLIGHT)
        bench.line.look_at_clock(bench.now + 10_000)
        assert not bench.cut
        bench.line.landed("f")
        bench.line.look_at_clock(bench.now + IDLE_S / 2)
        assert not bench.cut
        bench.line.look_at_clock(bench.now + IDLE_S + 1)
        assert bench.cut
        assert bench.complaints == []

    on_a_line(play)


def test_the_first_byte_of_a_next_request_starts_its_ten_seconds() -> None:
    async def play(bench: Bench) -> None:
        bench.line.took_off("f", FLIGHT)
        bench.line.landed("f")
        bench.other.send(b"G")
        assert await bench.line.read(10) == b"G"
        bench.line.look_at_clock(bench.now + HEAD_S + 1)
        assert bench.cut

    on_a_line(play)


def test_more_than_may_be_held_ends_the_line() -> None:
    async def play(bench: Bench) -> None:
        got = 0
        while data := await read_some(bench):
            got += len(data)
        assert got <= HELD_BYTES
        assert bench.complaints[0].rule == "egress.limit"

    on_a_line(play, patience_s=0.1)


def test_what_is_read_of_a_body_before_its_head_was_looked_at_waits_for_that() -> None:
    async def play(bench: Bench) -> None:
        got = 0
        while got + 60_000 <= HELD_BYTES:
            got += len(await read_some(bench))
        waiting = asyncio.create_task(read_some(bench))
        done, _ = await asyncio.wait([waiting], timeout=0.02)
        assert not done
        bench.line.took_off("f", FLIGHT)
        assert len(await waiting) == 60_000
        assert bench.complaints == []

    on_a_line(play)


def test_a_body_may_be_as_long_as_it_likes() -> None:
    async def play(bench: Bench) -> None:
        bench.line.took_off("f", FLIGHT)
        got = 0
        while got < HELD_BYTES * 3:
            got += len(await read_some(bench))
        assert bench.complaints == []

    on_a_line(play)


async def read_some(bench: Bench) -> bytes:
    bench.other.send(bytes(60_000))
    return await bench.line.read(65_535)


def test_while_an_origin_is_dialled_nothing_is_read() -> None:
    async def play(bench: Bench) -> None:
        cancelled: list[str] = []
        bench.line.dialling("one", lambda: cancelled.append("one"))
        bench.other.send(b"body")
        reading = asyncio.ensure_future(bench.line.read(10))
        await asyncio.sleep(0.02)
        assert not reading.done()
        bench.line.look_at_clock(bench.now + DIAL_S + 1)
        assert cancelled == ["one"]
        bench.line.dialled("one")
        assert await reading == b"body"

    on_a_line(play)


def test_while_requests_are_held_nothing_is_read_and_nothing_is_due() -> None:
    async def play(bench: Bench) -> None:
        for _ in range(2):
            bench.line.waits()
        bench.other.send(b"body")
        reading = asyncio.ensure_future(bench.line.read(10))
        bench.line.waited()
        bench.line.look_at_clock(bench.now + 10_000)
        await asyncio.sleep(0.02)
        assert (bench.cut, reading.done()) == (False, False)
        bench.line.waited()
        assert await reading == b"body"
        bench.line.look_at_clock(bench.now + 10_000)
        assert bench.cut

    on_a_line(play)


def test_a_lingering_line_reads_on_so_that_its_last_words_arrive() -> None:
    async def play(bench: Bench) -> None:
        bench.line.linger()
        bench.line.write(b"no")
        bench.line.close()
        bench.other.send(bytes(50_000))
        finishing = asyncio.ensure_future(bench.line.finish())
        await asyncio.sleep(0.02)
        assert bench.other.recv(10) == b"no"
        assert bench.other.recv(10) == b""
        assert not finishing.done()
        bench.other.shutdown(socket.SHUT_WR)
        await finishing
        assert bench.cut

    on_a_line(play)


def test_why_a_dial_failed_is_remembered_for_a_bounded_number_of_hosts() -> None:
    async def play(bench: Bench) -> None:
        for number in range(1000):
            bench.line.not_dialled(Refusal("egress.private_address", "no", f"h{number}.test", 443))

        assert bench.line.why_not_dialled(Destination("h0.test", 443)) is None
        assert bench.line.why_not_dialled(Destination("h999.test", 443)) is not None

    on_a_line(play)


def test_a_mark_before_everything_else_is_taken_off_however_it_comes() -> None:
    async def play(bench: Bench) -> None:
        reading = asyncio.create_task(bench.line.read(100))
        for piece in (b"\0", b"mark", b"\3d-", b"1", b"GET /"):
            bench.other.send(piece)
            for _ in range(5):
                await asyncio.sleep(0)  # the reader has its turn, and waits for more

        assert await reading == b"GET /"
        assert bench.line.mark == "d-1"
        bench.other.send(b"\0mark\3d-2")
        assert await bench.line.read(100) == b"\0mark\3d-2"

    on_a_line(play)


def test_what_begins_otherwise_has_no_mark_and_one_that_breaks_off_is_the_end() -> None:
    async def plain(bench: Bench) -> None:
        bench.other.send(b"\0marGET /")
        assert (await bench.line.read(100), bench.line.mark) == (b"\0marGET /", "")

    async def broken(bench: Bench) -> None:
        bench.other.send(b"\0mark\x09d-1")
        bench.other.shutdown(socket.SHUT_WR)
        assert (await bench.line.read(100), bench.line.mark) == (b"", "")

    on_a_line(plain)
    on_a_line(broken)


def test_the_address_goes_to_the_requests_that_waited_for_it() -> None:
    async def play(bench: Bench) -> None:
        other = Flight(Destination("b.test", 443), "https", "GET", "/", Cause())
        bench.line.took_off("f", mine := Flight(HERE, "https", "GET", "/", Cause()))
        bench.line.took_off("g", other)
        bench.line.reached(HERE, "192.0.2.1")

        assert (mine.address, other.address) == ("192.0.2.1", "")

    on_a_line(play)
