"""The server's end of the line to one sandbox's agent.

Everything that arrives is untrusted: bounded, checked for shape, never evaluated. A frame that makes no sense ends the
line, and with it only that sandbox's session.
"""

import json
import socket
import struct
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import anyio

from server.sandbox.sandbox import Exit, FileRefused, Output, SandboxLost, Status

JSON, JOB, FILE = 0, 1, 2
HEAD, JOB_HEAD, FILE_HEAD = struct.Struct(">IB"), struct.Struct(">IB"), struct.Struct(">I")
MAX_BODY = 1 << 20
CHUNK = 1 << 19
ANSWER_PATIENCE_S = 30.0
MAX_FILE = 64 << 20  # what one file answer may bring at most
RECEIVE = 1 << 18

_ENDS: Mapping[str, Status] = {
    "exited": "exited",
    "not_started": "exited",
    "timed_out": "timed_out",
    "killed": "killed",
    "cancelled": "cancelled",
    "server_lost": "killed",
}
LOST = Exit("killed", detail="the sandbox was lost")


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
        self._sending = anyio.Lock()
        self._outputs: dict[int, Output] = {}
        self._answers: dict[int, _Answer] = {}
        self._last = 0
        self.hello: dict[str, Any] = {}
        self.greeted = anyio.Event()
        self.lost = False

    # --- asking ------------------------------------------------------------------------------------------------------

    async def run(self, message: dict[str, Any], output: Output) -> int:
        """Start a command; its bytes and its end go to `output`. The job's number on this line."""
        number = self._next()
        self._outputs[number] = output
        await self.say({"op": "run", "job": number, **message})
        return number

    async def feed(self, job: int, data: bytes) -> None:
        for start in range(0, len(data), CHUNK):
            piece = data[start : start + CHUNK]
            await self._send(HEAD.pack(JOB_HEAD.size + len(piece), JOB) + JOB_HEAD.pack(job, 0) + piece)

    async def ask(self, message: dict[str, Any], content: bytes = b"") -> tuple[dict[str, Any], bytes]:
        """One request and its answer. Raises FileRefused with the agent's reason, SandboxLost when it is gone."""
        number = self._next()
        answer = self._answers[number] = _Answer()
        try:
            for start in range(0, len(content), CHUNK):
                piece = content[start : start + CHUNK]
                await self._send(HEAD.pack(FILE_HEAD.size + len(piece), FILE) + FILE_HEAD.pack(number) + piece)
            await self.say({**message, "id": number})
            with anyio.move_on_after(ANSWER_PATIENCE_S):
                await answer.arrived.wait()
        finally:
            del self._answers[number]
        if answer.said is None:
            raise SandboxLost("the sandbox did not answer")
        if answer.said.get("ok") is not True:
            raise FileRefused(str(answer.said.get("error", "refused"))[:300], _integer(answer.said.get("errno") or 0))
        return answer.said, bytes(answer.content)

    async def say(self, message: dict[str, Any]) -> None:
        body = json.dumps(message).encode()
        if len(body) > MAX_BODY:
            raise FileRefused(f"the request is larger than {MAX_BODY} bytes; put what is long into a file first")
        await self._send(HEAD.pack(len(body), JSON) + body)

    def _next(self) -> int:
        self._last += 1
        return self._last

    async def _send(self, data: bytes) -> None:
        if self.lost:
            raise SandboxLost("the sandbox has ended")
        view = memoryview(data)
        try:
            async with self._sending:
                while view:
                    try:
                        view = view[self._sock.send(view) :]
                    except BlockingIOError:
                        await anyio.wait_writable(self._sock)
        except OSError as exc:
            raise SandboxLost("the sandbox has ended") from exc

    # --- hearing -----------------------------------------------------------------------------------------------------

    async def serve(self) -> None:
        """Read frames until the agent is gone or makes no sense; then every waiter is told."""
        buffer = bytearray()
        try:
            while True:
                await anyio.wait_readable(self._sock)
                data = self._sock.recv(RECEIVE)
                if not data:
                    return
                buffer += data
                self._take_frames(buffer)
                await anyio.lowlevel.checkpoint()  # a flood from one sandbox does not hold the loop
        except (OSError, ValueError, KeyError, TypeError, RecursionError, struct.error, anyio.ClosedResourceError):
            return
        finally:
            self._lose()

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
                self.hello = message
                self.greeted.set()
            case "ended":
                end = _exit(message)  # before anyone is forgotten: where it makes no sense, all waiters are told
                if output := self._outputs.pop(_integer(message["job"]), None):
                    output.ended(end)
            case "answer":
                if answer := self._answers.get(_integer(message["id"])):
                    answer.said = message
                    answer.arrived.set()
            case _:
                raise ValueError("unknown message")

    def _lose(self) -> None:
        self.lost = True
        with suppress(OSError):
            self._sock.close()
        outputs, self._outputs = self._outputs, {}
        for output in outputs.values():
            output.ended(LOST)
        for answer in self._answers.values():
            answer.arrived.set()
        self.greeted.set()

    def close(self) -> None:
        """End the line at once; `serve` then tells everyone who waits."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > 1 << 62:
        raise TypeError("not a bounded integer")
    return value


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1e12:  # noqa: PLR2004 - 30,000 years
        raise TypeError("not a bounded number")
    return float(value)


def _exit(message: dict[str, Any]) -> Exit:
    """The agent's account of an end, as far as it has the right shape."""
    reason = message["reason"]
    code, signal = message.get("exit_code"), message.get("signal")
    if reason == "not_started":
        return Exit("exited", exit_code=127, detail=str(message.get("error", "the command could not be started"))[:200])
    status = _ENDS[reason]
    killed = signal == 9 or code == 137  # noqa: PLR2004 - SIGKILL, and what a shell makes of it
    if status == "exited" and message.get("oom") is True and killed:
        status = "out_of_memory"
    elif status == "exited" and signal is not None:
        status = "killed"
    return Exit(
        status,
        exit_code=None if code is None or status != "exited" else _integer(code),
        signal=None if signal is None else _integer(signal),
        duration_ms=round(_number(message["duration_ms"])),
        cpu_s=_number(message["utime"]) + _number(message["stime"]),
        peak_memory_kb=_integer(message["maxrss_kb"]),
        left_behind=_integer(message["left"]),
        detail="the server was lost" if reason == "server_lost" else "",
    )
