"""A client of the engine, for whoever needs one for a moment; docker_engine.py keeps one open."""

from collections.abc import Iterator
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


def first_line(exc: Exception) -> str:
    """What the engine said of an error, or the error itself; what to do where it said nothing."""
    if isinstance(exc, requests.ConnectionError | requests.Timeout | Unreachable):
        why = exc if isinstance(exc, Unreachable) else "it does not answer"
        return f"{why}; `sandgate engine status` says where one is looked for"
    text = str(getattr(exc, "explanation", None) or exc)
    return text.splitlines()[0][:300] if text else type(exc).__name__
