"""The server's end of the line to one sandbox's agent.

Everything that arrives is untrusted: bounded, checked for shape, never evaluated. A frame that makes no sense ends the
line, and with it only that sandbox's session.
"""

import json
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import anyio

from server.sandbox.ends import bounded_integer, read_end
from server.sandbox.sandbox import Exit, FileRefused, Output, SandboxLost

JSON, JOB, FILE = 0, 1, 2
HEAD, JOB_HEAD, FILE_HEAD = struct.Struct(">IB"), struct.Struct(">IB"), struct.Struct(">I")
MAX_BODY = 1 << 20
CHUNK = 1 << 19
FORGET_PATIENCE_S = 1.0
ANSWER_PATIENCE_S = 30.0
PING_EVERY_S = 5.0
SILENCE_S = 30.0  # of an agent while something runs: it speaks twice a second then, under a fork bomb too
LOST = "the sandbox was lost"
OVERSLEPT_S = 2.0  # we were stopped ourselves: what it said meanwhile is still to be read
MAX_FILE = 64 << 20  # what one file answer may bring at most
RECEIVE = 1 << 18
LONGEST_WORD = 100  # of a greeting


def _greeting(message: dict[str, Any]) -> dict[str, Any]:
    """What is kept of one for as long as the line is there, whatever else it says."""
    words = {name: str(message.get(name, ""))[:LONGEST_WORD] for name in ("key", "shell")}
    return {**words, "landlock": bounded_integer(message.get("landlock", 0))}


async def _nobody_knows() -> Exit | None:
    return None


def _ordered(message: dict[str, Any]) -> bytes:
    body = json.dumps(message).encode()
    if len(body) > MAX_BODY:
        raise FileRefused(f"the request is larger than {MAX_BODY} bytes; put what is long into a file first")
    return HEAD.pack(len(body), JSON) + body


class _Answer:
    """A request to the agent that waits: its file bytes as they come, then what was said."""

    def __init__(self) -> None:
        self.arrived = anyio.Event()
        self.content = bytearray()
        self.said: dict[str, Any] | None = None


class AgentLink:
    """Frames over one connected socket. `serve` reads until the agent is gone; everything else may be called meanwhile."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._sending = anyio.Lock(fast_acquire=True)
        self._outputs: dict[int, Output] = {}
        self._answers: dict[int, _Answer] = {}
        self._left: dict[int, Output] = {}  # over, but something of them runs on
        self._last = 0
        self._why = LOST
        self._heard = time.monotonic()
        self.frozen = False  # set while its container is paused: then silence says nothing
        self.on_beat: Callable[[int, int], None] = lambda _bytes, _files: None  # room on its disk
        self.why_lost: Callable[[], Awaitable[Exit | None]] = _nobody_knows  # asked where commands ended with it
        self.hello: dict[str, Any] = {}
        self.greeted = anyio.Event()
        self.lost = False

    # --- asking ------------------------------------------------------------------------------------------------------

    async def run(self, message: dict[str, Any], output: Output, stdin: bytes = b"") -> int:
        """Start a command; its bytes and its end go to `output`. The job's number on this line."""
        number = self._next()
        self._outputs[number] = output
        try:
            await self._send_request(number, {"op": "run", "job": number, **message}, stdin)
        except BaseException:  # it was not asked for, so nothing starts
            self._outputs.pop(number, None)
            raise
        return number

    async def stop_all(self, reason: str) -> None:
        """End whatever runs, at once."""
        for number in [*self._outputs, *self._left]:
            await self.say({"op": "stop", "job": number, "signal": 9, "reason": reason, "grace_s": 0})

    @property
    def busy(self) -> bool:
        """Whether any command runs, or something that one left behind."""
        return bool(self._outputs or self._left)

    async def ask(self, message: dict[str, Any], content: bytes = b"") -> tuple[dict[str, Any], bytes]:
        """One request and its answer. Raises FileRefused with the agent's reason, SandboxLost when it is gone.

        Where whoever asks is cancelled, the agent is told: it keeps nothing of it, and looks for nothing any more.
        """
        number = self._next()
        answer = self._answers[number] = _Answer()
        try:
            await self._send_request(number, {**message, "id": number}, content)
            await self._patiently(answer.arrived)
        except (anyio.get_cancelled_exc_class(), FileRefused):
            with anyio.move_on_after(FORGET_PATIENCE_S, shield=True), suppress(SandboxLost):
                await self.say({"op": "forget", "id": number})
            raise
        finally:
            del self._answers[number]
        if answer.said is None:
            self.close(f"its agent did not answer for {ANSWER_PATIENCE_S:.0f} s")
            raise SandboxLost("the sandbox did not answer")
        if answer.said.get("ok") is not True:
            raise FileRefused(
                str(answer.said.get("error", "refused"))[:300], bounded_integer(answer.said.get("errno") or 0)
            )
        return answer.said, bytes(answer.content)

    async def _patiently(self, arrived: anyio.Event) -> None:
        """As long as an agent may take; while it is paused it takes no time."""
        left = ANSWER_PATIENCE_S
        while not arrived.is_set() and left > 0:
            with anyio.move_on_after(PING_EVERY_S):
                await arrived.wait()
            left -= 0 if self.frozen else PING_EVERY_S

    async def _send_request(self, number: int, message: dict[str, Any], content: bytes) -> None:
        for start in range(0, len(content), CHUNK):
            piece = content[start : start + CHUNK]
            await self._send(HEAD.pack(FILE_HEAD.size + len(piece), FILE) + FILE_HEAD.pack(number) + piece)
        await self.say(message)

    async def say(self, message: dict[str, Any]) -> None:
        await self._send(_ordered(message))

    def _next(self) -> int:
        self._last += 1
        return self._last

    async def _send(self, data: bytes) -> None:
        if self.lost:
            raise SandboxLost("the sandbox has ended")
        try:
            async with self._sending:
                await self._send_whole(memoryview(data))
        except (OSError, anyio.ClosedResourceError) as exc:
            raise SandboxLost("the sandbox has ended") from exc

    async def _send_whole(self, view: memoryview) -> None:
        """A frame that was begun is finished, whoever is cancelled meanwhile: half of one would spoil the line."""
        with suppress(BlockingIOError):
            view = view[self._sock.send(view) :]
        if not view:
            return
        left = ANSWER_PATIENCE_S
        while view and left > 0:
            began = time.monotonic()
            with anyio.move_on_after(PING_EVERY_S, shield=True):
                await anyio.wait_writable(self._sock)
                with suppress(BlockingIOError):
                    view = view[self._sock.send(view) :]
            left -= 0 if self.frozen else time.monotonic() - began
        if view:
            self.close(f"its agent took nothing for {ANSWER_PATIENCE_S:.0f} s")
            raise SandboxLost("the sandbox does not take what it is told")

    # --- hearing -----------------------------------------------------------------------------------------------------

    async def serve(self) -> None:
        """Read frames until the agent is gone, makes no sense or falls silent; then every waiter is told."""
        end: Exit | None = None
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._watch)
                await self._read()
                tasks.cancel_scope.cancel()
            self.lost = True
            if self._outputs and self._why == LOST:
                end = await self.why_lost()
        finally:
            self._lose(end or Exit("killed", detail=self._why))

    async def _read(self) -> None:
        buffer = bytearray()
        try:
            while True:
                await anyio.wait_readable(self._sock)
                data = self._sock.recv(RECEIVE)
                if not data:
                    return
                self._heard = time.monotonic()
                buffer += data
                self._take_frames(buffer)
                await anyio.lowlevel.checkpoint()  # a flood from one sandbox does not hold the loop
        except (OSError, ValueError, KeyError, TypeError, RecursionError, struct.error, anyio.ClosedResourceError):
            return

    async def _watch(self) -> None:
        """While something runs: let the agent know that we are there, and do not wait for ever for its word."""
        while not self.lost:
            before = time.monotonic()
            await anyio.sleep(PING_EVERY_S)
            now = time.monotonic()
            if self.frozen or not self.busy or now - before > PING_EVERY_S + OVERSLEPT_S:
                self._heard = now
            if now - self._heard > SILENCE_S:
                self.close(f"its agent did not answer for {SILENCE_S:.0f} s")
            elif self.busy and not self.frozen and not self._sending.locked():
                with suppress(SandboxLost):
                    await self.say({"op": "ping", "id": 0})

    def _take_frames(self, buffer: bytearray) -> None:
        start = 0
        while len(buffer) - start >= HEAD.size:
            length, kind = HEAD.unpack_from(buffer, start)
            if length > MAX_BODY:
                raise ValueError("oversized frame")
            end = start + HEAD.size + length
            if end > len(buffer):
                break
            self._hear(kind, bytes(memoryview(buffer)[start + HEAD.size : end]))
            start = end
        del buffer[:start]

    def _hear(self, kind: int, body: bytes) -> None:
        match kind:
            case 1:
                job, stream = JOB_HEAD.unpack_from(body)
                if stream not in (1, 2):
                    raise ValueError("unknown stream")
                if output := self._outputs.get(job):
                    output.write(stream, body[JOB_HEAD.size :])
            case 2:
                (number,) = FILE_HEAD.unpack_from(body)
                if answer := self._answers.get(number):
                    answer.content += body[FILE_HEAD.size :]
                    if len(answer.content) > MAX_FILE:
                        raise ValueError("oversized answer")
            case 0:
                self._hear_message(json.loads(body))
            case _:
                raise ValueError("unknown frame")

    def _hear_message(self, message: dict[str, Any]) -> None:
        match message["ev"]:
            case "hello":
                self.hello = _greeting(message)
                self.greeted.set()
            case "ended":
                end = read_end(message)  # before anyone is forgotten: where it makes no sense, all waiters are told
                job = bounded_integer(message["job"])
                if output := self._outputs.pop(job, None):
                    if end.left_behind:
                        self._left[job] = output
                    output.ended(end)
            case "gone":
                if output := self._left.pop(bounded_integer(message["job"]), None):
                    output.cleared()
            case "beat":
                self.on_beat(bounded_integer(message["disk_room"]), bounded_integer(message["files_room"]))
            case "answer":
                if answer := self._answers.get(bounded_integer(message["id"])):
                    answer.said = message
                    answer.arrived.set()
            case _:
                raise ValueError("unknown message")

    def _lose(self, end: Exit) -> None:
        self.lost = True
        anyio.notify_closing(self._sock)
        self._sock.close()
        outputs, self._outputs = self._outputs, {}
        for output in outputs.values():
            output.ended(end)
        left, self._left = self._left, {}
        for output in left.values():
            output.cleared()
        for answer in self._answers.values():
            answer.arrived.set()
        self.greeted.set()

    def part(self) -> None:
        """Say that it is over where that can be said at once, and end the line: who takes nothing is not waited for."""
        if not (self.lost or self._sending.locked()):
            with suppress(OSError):
                self._sock.send(_ordered({"op": "close"}))
        self.close()

    def close(self, why: str = "the session was closed") -> None:
        """End the line at once; `serve` then tells everyone who waits. The first reason given stays."""
        if self._why == LOST:
            self._why = why
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
