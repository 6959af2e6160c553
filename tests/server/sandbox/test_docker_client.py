"""What is said of an engine's errors; test_image_build.py and test_docker_snapshots.py open clients."""

from pathlib import Path

import pytest
import requests
from docker.errors import APIError

from server.sandbox.docker_client import docker_client, first_line
from server.sandbox.engine import Unreachable


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
