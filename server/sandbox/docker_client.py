"""A client of the engine: for whoever needs one for a moment, and one that stays open."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import docker
import requests

from server.sandbox.engine import Unreachable, get


@contextmanager
def docker_client(url: str, timeout_s: int) -> Iterator[docker.APIClient]:
    """Raises Unreachable where nobody answers, whose socket the docker package would leak. timeout_s: of each request."""
    get(url, "/_ping")
    with closing(docker.APIClient(base_url=url, version="auto", timeout=timeout_s)) as client:
        yield client


class KeptClient:
    """The same for every thread, made when one first needs it."""

    def __init__(self, find: Callable[[], str], threads: int) -> None:
        self._find, self._threads = find, threads
        self._made = list[docker.DockerClient]()  # the first is everybody's

    def __call__(self) -> docker.DockerClient:
        """Two threads may make one at once: under a lock one would wait for the other where the engine hangs."""
        if not self._made:
            made = docker.DockerClient(base_url=self._find(), version="auto", timeout=60, max_pool_size=self._threads)
            self._made.append(made)
            if made is not self._made[0]:
                made.close()
        return self._made[0]

    def close(self) -> None:
        for client in self._made:
            client.close()


def first_line(exc: Exception) -> str:
    """What the engine said of an error, or the error itself; what to do where it said nothing."""
    if isinstance(exc, requests.ConnectionError | requests.Timeout | Unreachable):
        why = exc if isinstance(exc, Unreachable) else "it does not answer"
        return f"{why}; `sandgate engine status` says where one is looked for"
    text = str(getattr(exc, "explanation", None) or exc)
    return text.splitlines()[0][:300] if text else type(exc).__name__
