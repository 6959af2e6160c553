"""Containers whose server died between making and starting them: the engine itself removes only what once ran."""

from collections.abc import Callable, Mapping
from typing import Final

import docker
from docker.errors import APIError

from server.sandbox.installation import STATE_LABEL, Installation

SERVER_LABEL: Final = "sandgate.server"  # on every sandbox: the server that made it
NEVER_ENDS: Final = ("created", "exited", "dead")  # what no agent in it can end any more


class Orphans:
    """`alive`: whether a server of this installation, by its id, lives."""

    def __init__(self, installation: Installation, alive: Callable[[str], bool]) -> None:
        self._installation, self._alive = installation, alive

    @property
    def labels(self) -> Mapping[str, str]:
        """What tells whose a container is; without them it is nobody's and stays."""
        return self._installation.labels

    def sweep(self, api: docker.APIClient) -> list[str]:
        """Remove those of servers that are gone; their names."""
        filters = {"label": [STATE_LABEL, SERVER_LABEL], "status": list(NEVER_ENDS)}
        found = [entry for entry in api.containers(all=True, filters=filters) if self._is_orphan(entry["Labels"])]
        return [entry["Names"][0] for entry in found if _removed(api, entry["Id"])]

    def _is_orphan(self, labels: dict[str, str]) -> bool:
        return self._installation.may_remove(labels) and not self._alive(labels[SERVER_LABEL])


def _removed(api: docker.APIClient, container: str) -> bool:
    try:
        api.remove_container(container, force=True)
    except APIError:  # another server was quicker
        return False
    return True
