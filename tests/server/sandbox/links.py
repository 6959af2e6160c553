"""A link to a real gate, an origin that it may reach, and a program that asks for it."""

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from server.sandbox.egress_link import EgressLink
from tests.egress.world.gate import ROOT
from tests.egress.world.origin import Origin
from tests.egress.world.sandbox import Answer, Sandbox
from tests.waiting import eventually


class Setup:
    """A link, an origin it may reach as `origin.test`, and a session at /s.sock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "s.sock"
        self.origin = Origin(None)
        self.events: list[dict[str, Any]] = []
        self.where = f"origin.test:{self.origin.port}"

    def link(self, **more: Any) -> EgressLink:
        settings: dict[str, Any] = {
            "ca_dir": self.folder / "ca",
            "on_event": self.events.append,
            "networks": ["127.0.0.0/8"],
            "resolve": {"origin.test": "127.0.0.1"},
        }
        return EgressLink(**{**settings, **more})

    async def fetch(self, path: str = "/", host: str | None = None) -> Answer:
        where = host or self.where

        def ask() -> Answer:
            with Sandbox(self.path, self.folder) as sandbox:
                return sandbox.ask(f"GET http://{where}{path} HTTP/1.1\r\nHost: {where}\r\n\r\n")

        return await anyio.to_thread.run_sync(ask)

    async def until_up(self, link: EgressLink) -> int:
        await eventually(lambda: pid_of(link) is not None)
        pid = pid_of(link)
        assert pid is not None
        return pid


def pid_of(link: EgressLink) -> int | None:
    return link._process.pid if link._process is not None and link._up.is_set() else None


@asynccontextmanager
async def opened(setup: Setup, **more: Any) -> AsyncIterator[EgressLink]:
    async with setup.link(**more) as link:
        await link.open("s", setup.path)
        yield link


def nobody_is_up(link: EgressLink) -> bool:
    """Whether no gate is up; this looks anew each time."""
    return not link._up.is_set()


@contextmanager
def elsewhere(setup: Setup) -> Iterator[subprocess.Popen[bytes]]:
    """A gate as its container starts it: it waits for a server, and knows no folder but the authority's."""
    argv = [
        "-P",
        "-m",
        "egress",
        "--control-socket",
        str(setup.folder / "control"),
        "--ca-dir",
        str(setup.folder / "ca"),
    ]
    process = subprocess.Popen([sys.executable, *argv], cwd="/", env={"PYTHONPATH": str(ROOT)})
    try:
        yield process
    finally:
        process.kill()
        process.wait(60)
