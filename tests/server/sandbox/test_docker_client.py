"""What is said of an engine's errors, and who shares a client; test_image_build.py and others open real ones."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
import requests
from docker.errors import APIError

from server.sandbox.docker_client import KeptClient, docker_client, first_line
from server.sandbox.engine import Unreachable
from tests.waiting import PATIENCE_S


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (APIError("500 Server Error", explanation="no such device\nmore"), "no such device"),
        (requests.ConnectionError("('Connection aborted.', ConnectionRefusedError(111))"), "it does not answer; "),
        (requests.ReadTimeout("Read timed out."), "it does not answer; "),
        (ValueError(), "ValueError"),
    ],
)
def test_an_error_is_told_in_the_engines_words_or_in_plain_ones(error: Exception, said: str) -> None:
    assert first_line(error).startswith(said)
    assert ("sandgate engine status" in first_line(error)) == isinstance(
        error, requests.ConnectionError | requests.Timeout
    )


def test_where_nobody_listens_the_next_step_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unreachable) as away, docker_client(f"unix://{tmp_path}/docker.sock", 5):
        pass

    assert first_line(away.value) == "no such socket; `sandgate engine status` says where one is looked for"


def test_two_threads_that_need_the_first_client_at_once_share_one_and_the_other_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, both = list["Client"](), Barrier(2, timeout=PATIENCE_S)

    class Client:
        closed = False

        def __init__(self, **_: object) -> None:
            made.append(self)
            both.wait()

        def close(self) -> None:
            self.closed = True

    monkeypatch.setattr("server.sandbox.docker_client.docker.DockerClient", Client)
    kept = KeptClient(lambda: "unix:///none", 2)
    with ThreadPoolExecutor(2) as threads:
        first, second = list[object](threads.map(lambda _: kept(), range(2)))

    assert first is second
    assert [client.closed for client in made] == [client is not first for client in made]
    kept.close()
    assert [client.closed for client in made] == [True, True]
