"""What tests of the real thing share: real containers of our own images, real commands, all gone afterwards."""

import os
import shutil
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio

from policy.question import CallerFacts, PathUse, Question, RunCommand, SessionFacts, UseFile
from policy.verdict import Access, Allow, Permit, permit
from server.sandbox.docker_engine import DockerEngine
from server.sandbox.docker_sandbox import DockerSandbox
from server.sandbox.gate import BUNDLE, variables
from server.sandbox.image_recipe import seccomp_file
from server.sandbox.sandbox import HOME, LINK_DIR, Exit, Found, SandboxSpec
from server.sandbox.surroundings import Surroundings
from tests.folders import short_folder
from tests.real_engine import engine_url
from tests.waiting import PATIENCE_S

BASE = SandboxSpec(image="sandgate/base", environment="base", memory_bytes=512 << 20, pids=128)
ACCESS = Access(write=("/workspace", "/tmp", "/var/tmp", HOME, "/dev"))


@dataclass
class Said:
    """A command's whole output and its end."""

    out: bytearray = field(default_factory=bytearray)
    err: bytearray = field(default_factory=bytearray)
    end: Exit = field(default_factory=lambda: Exit("running"))
    over: anyio.Event = field(default_factory=anyio.Event)
    gone: anyio.Event = field(default_factory=anyio.Event)  # what it left behind

    def write(self, stream: int, data: bytes) -> None:
        if stream == 1:
            self.out += data
        else:
            self.err += data

    def ended(self, end: Exit) -> None:
        self.end = end
        self.over.set()

    def cleared(self) -> None:
        self.gone.set()

    @property
    def text(self) -> str:
        return self.out.decode() + self.err.decode()


def command(
    *argv: str, timeout_s: float = PATIENCE_S, stdin: bytes = b"", access: Access = ACCESS, cwd: str = "/workspace"
) -> Permit:
    act = RunCommand(argv, cwd, stdin, timeout_s, background=False)
    question = Question(CallerFacts("test"), "exec", SessionFacts("test", "base"), act, {})
    return permit(question, Allow(access=access))


def background(*argv: str) -> Permit:
    """As a call with background=true and no stdin: no deadline, and its input stays open."""
    act = RunCommand(argv, "/workspace", b"", 20, background=True)
    question = Question(CallerFacts("test"), "exec", SessionFacts("test", "base"), act, {})
    return permit(question, Allow(access=ACCESS))


def using(path: str) -> Permit:
    use = PathUse(path, path, "read", "workspace")
    question = Question(
        CallerFacts("test"), "file_read", SessionFacts("test", "base"), UseFile("read", path), {}, paths=(use,)
    )
    return permit(question, Allow())


async def run(
    sandbox: DockerSandbox, *argv: str, timeout_s: float = PATIENCE_S, access: Access = ACCESS, stdin: bytes = b""
) -> Said:
    """One command to its end; the test fails where it takes half a minute longer than allowed."""
    said = Said()
    with anyio.fail_after(timeout_s + 30):
        await sandbox.run(command(*argv, timeout_s=timeout_s, access=access, stdin=stdin), said)
        await said.over.wait()
    return said


async def shell(sandbox: DockerSandbox, script: str, timeout_s: float = PATIENCE_S, access: Access = ACCESS) -> Said:
    return await run(sandbox, "/bin/bash", "--noprofile", "--norc", "-c", script, timeout_s=timeout_s, access=access)


async def done(sandbox: DockerSandbox, script: str, timeout_s: float = 60) -> str:
    """What a script says that has to succeed."""
    said = await shell(sandbox, script, timeout_s)
    assert said.end.exit_code == 0, said.text
    return said.text


async def read_file(sandbox: DockerSandbox, path: str) -> tuple[Found, bytes]:
    """As the file tools do it: opened, and read by the very handle whose path is permitted."""
    found = await sandbox.resolve(path)
    return found, (await sandbox.read(using(found.real), found, 1 << 20)).data


@asynccontextmanager
async def engine(
    grace_s: float = 5,
    weakened: list[str] | None = None,
    find: Callable[[], str] = engine_url,
    seccomp: Path | None = None,
) -> AsyncGenerator[DockerEngine]:
    with short_folder() as folder:
        async with anyio.create_task_group() as tasks:
            made = DockerEngine(
                find=find,
                directory=folder / "s",
                server_id=folder.name,
                seccomp=seccomp or seccomp_file(),
                surroundings=Surroundings(variables(LINK_DIR)),
                grace_s=grace_s,
                tasks=tasks,
                weakened=(weakened if weakened is not None else []).append,
            )
            try:
                yield made
            finally:
                await made.close()
                tasks.cancel_scope.cancel()


@asynccontextmanager
async def sandbox(spec: SandboxSpec = BASE, **changes: object) -> AsyncGenerator[DockerSandbox]:
    async with engine() as made:
        box = await made.create(replace(spec, **changes))  # type: ignore[arg-type]  # the tests name real fields
        roots = ssl.get_default_verify_paths().cafile
        shutil.copy(roots or os.devnull, box.directory / BUNDLE)  # whom to trust, as the gate says at the claim
        try:
            yield box
        finally:
            await box.close()
