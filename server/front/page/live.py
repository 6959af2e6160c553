"""What is on a page is kept true: server-sent events, each the part of the page that changed, or output as it comes."""

import codecs
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal

import anyio
import anyio.to_thread
from starlette.responses import StreamingResponse

from server.front.page.shown import visible
from server.sandbox.jobs import Job, Stream

EVERY_S: Final = 1.0
QUIET_S: Final = 15.0  # after so long something is said, so that a connection that is gone is noticed
PAUSE_S: Final = 0.1  # between two pieces of output: a flood becomes ten a second
PIECE: Final = 64 * 1024  # bytes of output in one event
SHOWN: Final = 64 * 1024  # of what there was before: the newest
STILL_HERE: Final = b": still here\n\n"
MOST_STREAMS: Final = 100
STREAMS: Final[tuple[Stream, Stream]] = ("stdout", "stderr")

type Render = Callable[[], Awaitable[dict[str, Any] | Literal["same"] | None]]


class Streams:
    """How many there are, and whether they should come to their end."""

    def __init__(self, is_over: Callable[[], bool] = lambda: False, most: int = MOST_STREAMS) -> None:
        self.is_over, self._most, self._open = is_over, most, 0

    @property
    def full(self) -> bool:
        return self._open >= self._most

    @contextmanager
    def place(self) -> Iterator[None]:
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1


def answered(events: AsyncGenerator[bytes]) -> StreamingResponse:
    return StreamingResponse(events, media_type="text/event-stream", headers={"x-accel-buffering": "no"})


async def parts(streams: Streams, render: Render, every_s: float = EVERY_S) -> AsyncGenerator[bytes]:
    """The part that `render` makes, whenever it is another; until it makes none, because its viewer is gone."""
    with streams.place():
        quiet = 0.0
        while not streams.is_over():
            match await render():
                case None:
                    yield event("gone", {})
                    return
                case "same":
                    quiet += every_s
                    if quiet >= QUIET_S:
                        quiet = 0.0
                        yield STILL_HERE
                case made:
                    quiet = 0.0
                    yield event("part", made)
            await anyio.sleep(every_s)


async def output(
    streams: Streams, job: Job, offsets: tuple[int, int], may_see: Callable[[], Awaitable[bool]]
) -> AsyncGenerator[bytes]:
    """Both streams of a job from these offsets on, as text, and in the end how it went.

    Each event is numbered by both offsets, so that a browser that lost its connection goes on where it was.
    """
    with streams.place():
        quiet = 0.0
        readers = [_Reader(job, name, offset) for name, offset in zip(STREAMS, offsets, strict=True)]
        while not streams.is_over() and await may_see():
            over = job.over
            news = [piece for reader in readers if (piece := reader.next())]
            for piece in news:
                yield event("output", piece, "-".join(str(reader.offset) for reader in readers))
            if over and not news:
                yield event("over", {"status": ended(job)})
                return
            quiet = 0.0 if news else quiet + EVERY_S
            if quiet >= QUIET_S:
                quiet = 0.0
                yield STILL_HERE
            if not news:
                with anyio.move_on_after(EVERY_S):
                    await job.news()
            await anyio.sleep(PAUSE_S)


async def whole(job: Job, stream: Stream) -> AsyncGenerator[bytes]:
    """All that is kept of a stream, as it came."""
    offset = 0
    while (piece := await anyio.to_thread.run_sync(job.streams[stream].read, offset, PIECE)).data:
        yield piece.data
        offset = piece.next_offset


def ended(job: Job) -> str:
    """How it went, or that it runs."""
    if job.end is None:
        return "running"
    code = f" with {job.end.exit_code}" if job.end.exit_code is not None else ""
    return f"{job.end.status}{code}{f': {job.end.detail}' if job.end.detail else ''}"


@dataclass(frozen=True, slots=True)
class Start:
    """What a page begins with: the newest of a stream, and where it goes on."""

    stream: Stream
    text: str
    left_out: int
    next_offset: int


def start_of(job: Job, stream: Stream) -> Start:
    spool = job.streams[stream]
    first = max(0, spool.total - SHOWN)
    data = spool.read(first, SHOWN).data
    if first:  # not from the middle of a line
        data = data[data.find(b"\n") + 1 :]
    next_offset = spool.total
    return Start(stream, data.decode("utf-8", "replace"), next_offset - len(data), next_offset)


class _Reader:
    def __init__(self, job: Job, stream: Stream, offset: int) -> None:
        self._job, self._stream, self.offset = job, stream, offset
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def next(self) -> dict[str, Any] | None:
        piece = self._job.streams[self._stream].read(self.offset, PIECE)
        if not piece.data:
            return None
        self.offset = piece.next_offset
        text = self._decoder.decode(piece.data)
        skipped = f"\n[{piece.skipped} bytes are not kept]\n" if piece.skipped else ""
        return {"stream": self._stream, "text": skipped + visible(text)}


def event(name: str, data: dict[str, Any], number: str = "") -> bytes:
    head = f"id: {number}\n" if number else ""
    return f"{head}event: {name}\ndata: {json.dumps(data)}\n\n".encode()
