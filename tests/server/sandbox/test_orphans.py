"""What a server left that died at the wrong moment goes with the next one; what anybody still needs stays."""

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from server.sandbox.installation import Installation
from server.sandbox.orphans import SERVER_LABEL, Orphans
from tests.real_engine import client

pytestmark = pytest.mark.promise("nothing.left")


@pytest.fixture
def api() -> Iterator[docker.APIClient]:
    with client() as opened:
        yield opened


def made(api: docker.APIClient, labels: dict[str, str]) -> str:
    return str(api.create_container("sandgate/base", ["true"], labels=labels)["Id"])


def test_only_what_a_dead_server_of_ours_never_started_is_removed(api: docker.APIClient, tmp_path: Path) -> None:
    ours, other = Installation.of(tmp_path / "ours"), Installation.of(tmp_path / "other")
    orphan = made(api, {**ours.labels, SERVER_LABEL: "dead"})
    kept = [
        made(api, {**ours.labels, SERVER_LABEL: "lives"}),
        made(api, {**other.labels, SERVER_LABEL: "dead"}),
        made(api, {SERVER_LABEL: "dead"}),
    ]
    try:
        assert len(Orphans(ours, lambda server: server == "lives").sweep(api)) == 1
        left = {entry["Id"] for entry in api.containers(all=True)}
        assert left >= set(kept)
        assert orphan not in left
    finally:
        for container in kept:
            api.remove_container(container, force=True)


def test_what_runs_ends_by_itself_and_is_left_alone(api: docker.APIClient, tmp_path: Path) -> None:
    ours = Installation.of(tmp_path)
    running = api.create_container("sandgate/base", ["sleep", "60"], labels={**ours.labels, SERVER_LABEL: "dead"})["Id"]
    try:
        api.start(running)
        assert Orphans(ours, lambda _: False).sweep(api) == []
    finally:
        api.remove_container(running, force=True)
