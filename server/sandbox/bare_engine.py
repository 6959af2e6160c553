"""What Docker itself does, with nothing of ours: what `sandgate bench` compares us with, and nothing else uses."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import docker
import docker.errors

LABEL: Final = "sandgate.bench"
USER: Final = "1000"
_RECEIVE: Final = 1 << 18  # bytes, as the line to an agent takes them


@dataclass(frozen=True, slots=True)
class BareEngine:
    """The engine's own calls. They block; each container here sleeps until it is removed."""

    api: docker.APIClient

    @classmethod
    @contextmanager
    def at(cls, url: str) -> Iterator["BareEngine"]:
        api = docker.APIClient(base_url=url, version="auto", timeout=60)
        try:
            yield cls(api)
        finally:
            api.close()

    def facts(self) -> dict[str, str]:
        told = self.api.info()
        return {"docker": told["ServerVersion"], "storage": told["Driver"], "cgroup": f"v{told['CgroupVersion']}"}

    def exec(self, container: str, argv: Sequence[str]) -> None:
        """`docker exec`, as the user that our commands run as."""
        made = self.api.exec_create(container, list(argv), user=USER)
        self.api.exec_start(made["Id"])

    def drain(self, container: str, argv: Sequence[str]) -> int:
        """The same of a command that says much, which is dropped as it comes; how many bytes, with the engine's frames."""
        made = self.api.exec_create(container, list(argv), user=USER)
        connection: Any = self.api.exec_start(made["Id"], socket=True)
        room, total = bytearray(_RECEIVE), 0
        with closing(connection), closing(connection._response):  # noqa: SLF001 - who else would close it
            while got := connection.readinto(room):
                total += got
        return total

    def start(self, image: str) -> str:
        """`docker create` and `docker start`; its id."""
        made = self.api.create_container(
            image,
            ["infinity"],
            entrypoint=["/bin/sleep"],
            labels={LABEL: "1"},
            network_disabled=True,
            host_config=self.api.create_host_config(network_mode="none", auto_remove=True),
        )
        self.api.start(made["Id"])
        return str(made["Id"])

    def remove(self, container: str) -> None:
        with suppress(docker.errors.NotFound):
            self.api.remove_container(container, force=True, v=True)

    def pid(self, container: str) -> int:
        """Of its first process, as the host numbers it."""
        info: dict[str, Any] = self.api.inspect_container(container)
        return int(info["State"]["Pid"])
