"""Containers whose server died: most end by themselves, and what cannot goes or is woken with the next server."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import docker
from docker.errors import APIError

from server.sandbox.installation import STATE_LABEL, Installation

SERVER_LABEL: Final = "sandgate.server"  # on every sandbox: the server that made it
SANDBOX_LABEL: Final = "sandgate.sandbox"  # and its id
NEVER_ENDS: Final = ("created", "exited", "dead")  # what no agent in it can end any more
LIVES: Final = ("running", "paused")


class Orphans:
    """`alive`: whether a server of this installation, by its id, lives. `of_sessions`: ids of the sandboxes that sessions
    have, each with whether a server that lives holds it; the others wait to be taken over."""

    def __init__(
        self, installation: Installation, alive: Callable[[str], bool], of_sessions: Callable[[], Mapping[str, bool]]
    ) -> None:
        self._installation, self._alive, self._of_sessions = installation, alive, of_sessions

    @property
    def labels(self) -> Mapping[str, str]:
        """What tells whose a container is; without them it is nobody's and stays."""
        return self._installation.labels

    def sweep(self, api: docker.APIClient) -> list[str]:
        """Remove what nobody can have any use for, and wake what was left paused; the names of what was removed."""
        gone = [*self._never_started(api), *self._nobodys(api)]
        for entry in self._asleep(api):
            _done(api.unpause, entry["Id"])  # its agent then waits for another server, and ends where none comes
        return [entry["Names"][0] for entry in gone if _done(api.remove_container, entry["Id"], force=True, v=True)]

    def _never_started(self, api: docker.APIClient) -> Iterator[Any]:
        """The engine itself removes only what once ran."""
        return self._left(api, NEVER_ENDS)

    def _nobodys(self, api: docker.APIClient) -> list[Any]:
        """Those that a server of ours had ready for sessions which never came."""
        found = [entry for entry in self._left(api, LIVES) if entry["Labels"][STATE_LABEL] == self._installation.id]
        kept = self._of_sessions() if found else {}
        return [entry for entry in found if entry["Labels"].get(SANDBOX_LABEL) not in kept]

    def _asleep(self, api: docker.APIClient) -> list[Any]:
        """Not those that another server took over and froze itself."""
        found = list(self._left(api, ("paused",)))
        held = self._of_sessions() if found else {}
        return [entry for entry in found if not held.get(entry["Labels"].get(SANDBOX_LABEL, ""), False)]

    def _left(self, api: docker.APIClient, status: tuple[str, ...]) -> Iterator[Any]:
        filters = {"label": [STATE_LABEL, SERVER_LABEL], "status": list(status)}
        for entry in api.containers(all=True, filters=filters):
            labels = entry["Labels"]
            if self._installation.may_remove(labels) and not self._alive(labels[SERVER_LABEL]):
                yield entry


def _done(order: Callable[..., object], container: str, **how: Any) -> bool:
    try:
        order(container, **how)
    except APIError:  # another server was quicker
        return False
    return True
