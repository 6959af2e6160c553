"""The engine that tests use: found as Sandgate finds it, spoken to through the `docker` package."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import docker.errors

from server.sandbox.engine import find_engine


def engine_url() -> str:
    home = Path.home()
    state = Path(os.environ.get("XDG_STATE_HOME") or home / ".local/state") / "sandgate"
    return find_engine(os.environ, home, state).url


@contextmanager
def client() -> Iterator[docker.APIClient]:
    opened = docker.APIClient(base_url=engine_url(), version="auto", timeout=60)
    try:
        yield opened
    finally:
        opened.close()


def run(image: str, entrypoint: str, argv: Sequence[str], *, user: str = "", **host: Any) -> tuple[int, str]:
    """Exit code and what one container wrote; it is gone afterwards."""
    with client() as api:
        made = api.create_container(
            image, list(argv), entrypoint=[entrypoint], user=user, host_config=api.create_host_config(**host)
        )
        try:
            api.start(made["Id"])
            code = int(api.wait(made["Id"], timeout=60)["StatusCode"])
            return code, api.logs(made["Id"]).decode()
        finally:
            api.remove_container(made["Id"], force=True, v=True)
