"""A real server process with state of its own, and what is left of it on the machine."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import anyio
import docker.errors
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.types import CallToolResult, TextContent

from server.ops.demo_origin import HOST
from server.record.reading import lines
from server.sandbox.installation import STATE_LABEL
from server.sandbox.orphans import SANDBOX_LABEL
from tests.real_engine import client as docker_client
from tests.real_engine import engine_url
from tests.waiting import PATIENCE_S, until

PROGRAM = str(Path(sys.executable).with_name("sandgate"))


@dataclass(frozen=True, slots=True)
class Home:
    """A machine of its own as far as Sandgate sees: settings, state and sockets below one short folder."""

    folder: Path
    settings: str = ""
    arguments: tuple[str, ...] = ()
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def environ(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "SSL_CERT_FILE") if name in os.environ}
        return {
            **kept,
            "HOME": str(self.folder),
            "DOCKER_HOST": engine_url(),
            "SANDGATE_STATE_DIR": str(self.folder / "state"),
            "SANDGATE_RUNTIME_DIR": str(self.folder / "run"),
            **self.extra,
        }

    def write_settings(self) -> None:
        config = self.folder / ".config/sandgate/sandgate.toml"
        if self.settings and not config.exists():
            config.parent.mkdir(parents=True)
            config.write_text(self.settings)

    @property
    def argv(self) -> list[str]:
        self.write_settings()
        return [PROGRAM, "serve", "--stdio", *self.arguments]

    def parameters(self) -> StdioServerParameters:
        program, *arguments = self.argv
        return StdioServerParameters(command=program, args=arguments, env=self.environ)

    def audit(self, kind: str = "") -> list[dict[str, Any]]:
        found = [line for _, line in lines(self.folder / "state/audit/audit.jsonl")]
        return [line for line in found if line["kind"].startswith(kind)]

    @property
    def server_id(self) -> str:
        return str(self.audit("server.started")[-1]["server"])

    def containers(self, *labels: str) -> list[str]:
        with docker_client() as api:
            found = api.containers(all=True, filters={"label": [f"sandgate.server={self.server_id}", *labels]})
        return [entry["Names"][0] for entry in found]

    def sandboxes(self) -> list[str]:
        """Without the container that weighs them now and then."""
        return self.containers(SANDBOX_LABEL)

    def images(self) -> list[str]:
        """Of this installation's snapshots, as the engine has them; the newest first, for it may stand on older ones."""
        identity = (self.folder / "state/installation").read_text()
        with docker_client() as api:
            found = api.images(filters={"label": f"{STATE_LABEL}={identity}"})
        return [entry["Id"] for entry in sorted(found, key=lambda entry: int(entry["Created"]), reverse=True)]

    def remove_images(self) -> None:
        """What others stand on, or a container that is on its way out, is tried again."""
        until(self._no_image_is_left, lambda: f"left: {self.images()}")

    def _no_image_is_left(self) -> bool:
        with docker_client() as api:
            for image in self.images():
                with suppress(docker.errors.APIError):
                    api.remove_image(image, force=True)
        return not self.images()

    def sockets(self) -> list[Path]:
        return [path for path in (self.folder / "run").rglob("*") if path.is_socket()]

    def pids(self) -> list[int]:
        """Processes on this machine that were started with this home."""
        ours = str(self.folder).encode()
        processes = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        return [int(entry.name) for entry in processes if ours in _words(entry, "environ") + _words(entry, "cmdline")]

    def pid_of(self, word: str) -> int:
        """Of the one with that argument; a child that it starts looks like it for a moment."""

        def found() -> list[int]:
            pids = [pid for pid in self.pids() if word.encode() in _words(Path(f"/proc/{pid}"), "cmdline").split(b"\0")]
            return pids if len(pids) == 1 else []

        return until(found, f"there is not one with {word}")[0]

    def processes(self) -> list[str]:
        """Their command lines."""
        return [_words(Path(f"/proc/{pid}"), "cmdline").replace(b"\0", b" ").decode() for pid in self.pids()]

    def left(self) -> list[object]:
        return [*self.containers(), *self.sockets(), *self.processes()]

    def wait_until_nothing_is_left(self) -> None:
        until(lambda: not self.left(), lambda: f"left: {self.left()}")


def _words(process: Path, what: str) -> bytes:
    """Nothing where it has ended meanwhile."""
    try:
        return (process / what).read_bytes()
    except OSError:
        return b""


def believed(certificate: Path, host: str = HOST) -> str:
    """Lines of [egress] by which the gate finds a host, the demo's, on this machine, and believes who answers there."""
    return f'resolve = {{"{host}" = "127.0.0.1"}}\nnetworks = ["127.0.0.1/32"]\nupstream_ca = "{certificate}"\n'


@asynccontextmanager
async def connected(home: Home, mode: Any = "auto") -> AsyncGenerator[Client]:
    async with Client(home.parameters(), mode=mode) as made:
        yield made


def text_of(result: CallToolResult) -> str:
    return "\n".join(part.text for part in result.content if isinstance(part, TextContent))


async def called(client: Client, tool: str, **arguments: Any) -> CallToolResult:
    """The result of a call that is let through."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, text_of(result)
    return result


async def text_from(client: Client, tool: str, **arguments: Any) -> str:
    return text_of(await called(client, tool, **arguments))


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    """What is said of a call that is not."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, text_of(result)
    return text_of(result)


async def heard_while_it_runs(client: Client, says: str, word: str, **more: Any) -> str:
    """What a command prints that says so, and ends once its client has heard the word: by progress, for there is no result."""
    heard = anyio.Event()

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        if word in (message or ""):
            heard.set()

    async def end() -> None:
        await heard.wait()
        await called(client, "exec", argv=["touch", "heard"], **more)

    command = f"rm -f heard; {says}; until [ -e heard ]; do sleep 0.05; done; echo heard"
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(end)
        result = await client.call_tool("shell", {"command": command, **more}, progress_callback=hear)
        tasks.cancel_scope.cancel()
    return str(structured(result)["stdout"])


def structured(result: CallToolResult) -> dict[str, Any]:
    assert isinstance(result.structured_content, dict), text_of(result)
    return result.structured_content


@dataclass
class RawServer:
    """A server driven by hand, for what a library would not let us do to it."""

    process: subprocess.Popen[bytes]
    last: int = 0

    @classmethod
    def start(cls, home: Home, stderr: IO[bytes] | None = None) -> "RawServer":
        process = subprocess.Popen(
            home.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, env=home.environ
        )
        server = cls(process)
        about = {"name": "raw", "version": "1"}
        server.ask("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": about})
        server.tell("notifications/initialized", {})
        return server

    def tell(self, method: str, params: dict[str, Any], **more: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(
            json.dumps({"jsonrpc": "2.0", "method": method, "params": params, **more}).encode() + b"\n"
        )
        self.process.stdin.flush()

    def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self.last += 1
        self.tell(method, params, id=self.last)
        return self.answer_to(self.last)

    def answer_to(self, number: int) -> dict[str, Any]:
        return dict(self.message_for(number)["result"])

    def message_for(self, number: int | None) -> dict[str, Any]:
        """The result or the error that comes with this id."""
        assert self.process.stdout is not None
        while True:
            line = self.process.stdout.readline()
            assert line, "the server hung up"
            message = json.loads(line)
            if message.get("id") == number and "method" not in message:
                return dict(message)

    def shell(self, command: str, **arguments: Any) -> dict[str, Any]:
        return self.ask("tools/call", {"name": "shell", "arguments": {"command": command, **arguments}})

    def begin(self, says: str, **arguments: Any) -> str:
        """A job that has said so, and sleeps for longer than a test takes; if it went on it would leave a file."""
        command = f"echo {says}; sleep 300; echo > ran-on"
        job = str(self.shell(command, background=True, **arguments)["structuredContent"]["job"])
        told = self.ask("tools/call", {"name": "job_output", "arguments": {"job": job, "wait_s": 50, **arguments}})
        assert told["content"][0]["text"].startswith(f"{says}\n"), told
        return job

    def end(self, number: int = signal.SIGKILL) -> int:
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        code = self.process.wait(timeout=PATIENCE_S)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
        return code
