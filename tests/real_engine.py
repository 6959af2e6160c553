"""The engine that tests use: found as Sandgate finds it, spoken to through the `docker` package."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import docker
import docker.errors

from server.sandbox.engine import find_engine
from tests.waiting import until


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


def put_to_sleep(api: docker.APIClient, container: str) -> None:
    """A busy machine's kernel does not freeze at the first word."""

    def asleep() -> bool:
        with suppress(docker.errors.APIError):
            api.pause(container)
        return bool(api.inspect_container(container)["State"]["Paused"])

    until(asleep, "it cannot be paused")


def remove_volume(api: docker.APIClient, name: str) -> None:
    """Once no container has it: one that was left may be about to end."""

    def gone() -> bool:
        with suppress(docker.errors.APIError):
            api.remove_volume(name)
        return name not in {volume["Name"] for volume in api.volumes()["Volumes"] or ()}

    until(gone, f"{name} is in use")


def run(image: str, entrypoint: str, argv: Sequence[str], *, user: str = "", **host: Any) -> tuple[int, str]:
    """Exit code and what one container wrote; it is gone afterwards."""
    with client() as api:
        made = api.create_container(
            image, list(argv), entrypoint=[entrypoint], user=user, host_config=api.create_host_config(**host)
        )
        try:
            api.start(made["Id"])
            code = int(api.wait(made["Id"], timeout=300)["StatusCode"])
            return code, api.logs(made["Id"]).decode()
        finally:
            api.remove_container(made["Id"], force=True, v=True)
