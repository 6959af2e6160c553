"""A client of the engine, for whoever needs one for a moment; docker_engine.py keeps one open."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import docker

from server.sandbox.engine import get


@contextmanager
def docker_client(url: str, timeout_s: int) -> Iterator[docker.APIClient]:
    """Raises Unreachable where nobody answers, whose socket the docker package would leak. timeout_s: of each request."""
    get(url, "/_ping")
    with closing(docker.APIClient(base_url=url, version="auto", timeout=timeout_s)) as client:
        yield client
