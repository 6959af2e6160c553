"""The shell parser: shfmt as a bounded process, started ahead, one text each.

It is a process of its own because a hostile text can cost gigabytes or crash a parser, and that must not be ours. A
fresh one takes 2.4 ms, one that already waits for its text 1 ms, a text of plain words none. Whatever goes wrong ends
as a Reading whose parse_error says so; nothing here raises for a text.
"""

import json
import os
import resource
import shutil
import signal
import sysconfig
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, files
from types import TracebackType
from typing import Self

import anyio
from anyio.abc import TaskGroup

from policy.command import Reading
from policy.reading.script import Reader, read_argv, read_script
from policy.reading.tree import Tree, Unparsable
from server.judge.plain_text import plain_tree

TIMEOUT_S = 2.0
OUTPUT_BYTES = 4 * 1024 * 1024  # a 32 KiB script of short commands makes 2 MiB of tree
MEMORY_BYTES = 512 * 1024 * 1024
ADDRESS_BYTES = 2 * 1024 * 1024 * 1024  # Go reserves 1.2 GB before it reads a byte; under 1 GiB one start in 50 failed
CPU_S = 2
READY = 4  # for the text, for texts inside it, and for the call that comes before the next are started
AT_ONCE = 8  # texts that are parsed at the same time; each may cost MEMORY_BYTES
PAUSE_S = 0.015  # starting one costs two parses: the call that was just read is over by then
_ERROR_BYTES = 4096
_LAST_LINE = b"\n}\n"  # of an indented tree: waiting for the process to end takes half a millisecond more
_CRASHES = (b"fatal error:", b"runtime:", b"SIGSEGV", b"panic:")
_CHUNK_BYTES = 256 * 1024


class ParserMissing(Exception):
    """The shfmt binary that the package shfmt-py installs is not there."""


def locate() -> str:
    """The binary of our own environment: never the first `shfmt` on somebody's PATH."""
    found = shutil.which("shfmt", path=sysconfig.get_path("scripts")) or _recorded()
    if found is None:
        raise ParserMissing("shfmt is not installed beside this Python; install the package shfmt-py")
    return found


def _recorded() -> str | None:
    try:
        installed = files("shfmt-py") or []
    except PackageNotFoundError:
        return None
    return next((str(file.locate()) for file in installed if file.name == "shfmt"), None)


@dataclass(slots=True)
class Waiting:
    """A parser that waits for its text, and our ends of its pipes."""

    pid: int
    text: int
    answer: int
    is_reaped: bool = False

    def write(self, text: bytes) -> None:
        written = os.write(self.text, text)
        os.close(self.text)
        self.text = -1
        if written != len(text):
            raise BrokenPipeError("the text did not fit into the pipe")

    async def read(self) -> bytes:
        """The next part of the answer; empty at its end."""
        while True:
            try:
                return os.read(self.answer, _CHUNK_BYTES)
            except BlockingIOError:
                await anyio.wait_readable(self.answer)

    def is_over(self) -> bool:
        """Whether it has ended; it is reaped then."""
        self.is_reaped = self.is_reaped or os.waitpid(self.pid, os.WNOHANG)[0] == self.pid
        return self.is_reaped

    def kill(self) -> None:
        """Let go of the pipes; where that does not end it, this does. It is ours until it is reaped, so its number is too."""
        for descriptor in (self.text, self.answer):
            if descriptor >= 0:
                os.close(descriptor)
        self.text = self.answer = -1
        if not self.is_over():
            os.kill(self.pid, signal.SIGKILL)


class ShellParser:
    """Reads commands. An async context manager: the waiting processes are its own, and end with it.

    They also end when this process dies: each reads its standard input, which then closes.
    """

    def __init__(self, program: str | None = None, *, ready: int = READY, timeout_s: float = TIMEOUT_S) -> None:
        self._argv = [program or locate(), "-ln", "bash", "--to-json"]
        self._timeout_s = timeout_s
        self._want = ready
        self._ready: deque[Waiting] = deque()
        self._finished: deque[Waiting] = deque()
        self._answered = anyio.Event()
        self._turns = anyio.Semaphore(AT_ONCE, fast_acquire=True)
        self._group: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        self._group.start_soon(self._keep_ready)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if self._group is None:
            return None
        self._group.cancel_scope.cancel()
        try:
            return await self._group.__aexit__(kind, error, trace)
        finally:
            for process in (*self._ready, *self._finished):
                await _end(process)

    async def read_script(self, text: str, cwd: str, home: str, workspaces: tuple[str, ...]) -> Reading:
        """What `bash -c text` would do, started in cwd."""
        return await self._answer(read_script(text, cwd, home, workspaces))

    async def read_argv(self, argv: tuple[str, ...], cwd: str, home: str, workspaces: tuple[str, ...]) -> Reading:
        """What running argv would do; no shell reads it, unless it starts one."""
        return await self._answer(read_argv(argv, cwd, home, workspaces))

    async def _answer(self, reader: Reader) -> Reading:
        """Parse each text the reader asks for. Only then are new processes started: that costs more than a parse."""
        try:
            text = next(reader)
            while True:
                text = reader.send(await self._parse(text))
        except StopIteration as end:
            reading: Reading = end.value
            return reading
        finally:
            if self._finished:
                self._answered.set()

    async def _parse(self, text: str) -> Tree | Unparsable:
        if tree := plain_tree(text):
            return tree
        async with self._turns:
            return await self._parse_now(text)

    async def _parse_now(self, text: str) -> Tree | Unparsable:
        with anyio.move_on_after(self._timeout_s):
            try:
                process = await self._next()
            except OSError:  # no memory or no process to be had
                return Unparsable("the shell parser could not be started")
            try:
                return await _parsed(process, text)
            except OSError:
                return Unparsable("the shell parser ended before it answered")
            finally:
                self._finished.append(process)
        return Unparsable(f"the shell parser did not answer within {self._timeout_s} s")

    async def _next(self) -> Waiting:
        """A waiting process, or a fresh one; one that has died while it waited is no use."""
        while self._ready:
            process = self._ready.popleft()
            if not process.is_over():
                return process
            self._finished.append(process)
        return self._start()

    async def _keep_ready(self) -> None:
        while True:
            self._answered = anyio.Event()
            while self._finished:
                await _end(self._finished.popleft())
            with suppress(OSError):  # then the next text starts its own, or says that it could not
                while len(self._ready) < self._want:
                    self._ready.append(self._start())
            await self._answered.wait()
            await anyio.sleep(PAUSE_S)

    def _start(self) -> Waiting:
        """A process with plain pipes, by posix_spawn: what the loop has for that costs as much again as the parse.

        It opens no file by a name of its own, so where it starts does not matter.
        """
        child_in, text = os.pipe()
        answer, child_out = os.pipe()
        streams = [(os.POSIX_SPAWN_DUP2, end, number) for number, end in enumerate((child_in, child_out, child_out))]
        try:
            pid = os.posix_spawn(self._argv[0], self._argv, _ENVIRONMENT, file_actions=streams, setsid=True)
        except BaseException:
            os.close(text)
            os.close(answer)
            raise
        finally:
            os.close(child_in)
            os.close(child_out)
        os.set_blocking(text, False)
        os.set_blocking(answer, False)
        _limit(pid)
        return Waiting(pid, text, answer)


# One text, one thread, and no collecting of garbage until it is much: it starts faster and leaves the other core alone.
_ENVIRONMENT = {"GOMAXPROCS": "1", "GOGC": "off", "GOMEMLIMIT": "256MiB"}


def _limit(pid: int) -> None:
    limits = {
        resource.RLIMIT_DATA: MEMORY_BYTES,
        resource.RLIMIT_AS: ADDRESS_BYTES,
        resource.RLIMIT_CPU: CPU_S,
        resource.RLIMIT_CORE: 0,
    }
    for limit, amount in limits.items():
        with suppress(ProcessLookupError):  # it is gone already, and will be found dead when its turn comes
            resource.prlimit(pid, limit, (amount, amount))


async def _parsed(waiting: Waiting, text: str) -> Tree | Unparsable:
    """A text of at most 32 KiB fits into the pipe, so it is written at once."""
    waiting.write(text.encode("utf-8", "surrogatepass"))
    output = bytearray()
    while not output.endswith(_LAST_LINE) and (chunk := await waiting.read()):
        output += chunk
        if len(output) > OUTPUT_BYTES:
            return Unparsable(f"the syntax tree is larger than {OUTPUT_BYTES} bytes")
    return decode(bytes(output)) if output.startswith(b"{") else Unparsable(_complaint(bytes(output)))


def _complaint(output: bytes) -> str:
    """What shfmt says of a text that is not bash, or how Go reports that a limit was met."""
    if output.startswith(_CRASHES):
        return "the text costs the shell parser more than it may use"
    said = output[:_ERROR_BYTES].decode("utf-8", "replace").strip().removeprefix("<standard input>:")
    return said.partition("\n")[0] or "the shell parser gave no answer"


def decode(output: bytes) -> Tree | Unparsable:
    """shfmt's JSON; cut off, too deep or oddly shaped is no tree."""
    try:
        tree = json.loads(output)
    except (ValueError, RecursionError):
        return Unparsable("the shell parser's answer could not be read")
    if not isinstance(tree, dict) or tree.get("Type") != "File":
        return Unparsable("the shell parser's answer is no syntax tree")
    return tree


async def _end(waiting: Waiting) -> None:
    """Kill and reap; bounded, because a process that cannot be killed must not hold up the server."""
    waiting.kill()
    with anyio.move_on_after(1, shield=True):
        while not waiting.is_over():  # noqa: ASYNC110 - an event for each would cost as much as starting it
            await anyio.sleep(PAUSE_S)
