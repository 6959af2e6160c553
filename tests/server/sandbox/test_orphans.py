"""What a server left that died at the wrong moment goes with the next one; what anybody still needs stays."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import docker
import docker.errors
import pytest

from server.sandbox.installation import Installation
from server.sandbox.orphans import SANDBOX_LABEL, SERVER_LABEL, Orphans
from tests.real_engine import client, put_to_sleep

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
        name = api.inspect_container(orphan)["Name"]
        # and what installations left that are gone from this machine
        assert name in Orphans(ours, lambda server: server == "lives", dict).sweep(api)
        left = {entry["Id"] for entry in api.containers(all=True)}
        assert left >= set(kept)
        assert orphan not in left
    finally:
        for container in kept:
            api.remove_container(container, force=True, v=True)


@contextmanager
def running(api: docker.APIClient, labels: dict[str, str], *, paused: bool = False) -> Iterator[str]:
    started = str(api.create_container("sandgate/base", ["sleep", "600"], labels=labels)["Id"])
    try:
        api.start(started)
        if paused:
            put_to_sleep(api, started)
        yield started
    finally:
        with suppress(docker.errors.NotFound):
            api.remove_container(started, force=True, v=True)


def state(api: docker.APIClient, container: str) -> str:
    return str(api.inspect_container(container)["State"]["Status"])


def test_what_runs_for_a_session_is_left_to_whoever_takes_it_over_and_the_rest_goes(
    api: docker.APIClient, tmp_path: Path
) -> None:
    ours = Installation.of(tmp_path)
    labels = {**ours.labels, SERVER_LABEL: "dead"}
    with (
        running(api, labels | {SANDBOX_LABEL: "waits"}) as waits,
        running(api, labels | {SANDBOX_LABEL: "warm"}) as warm,
        running(api, labels | {SANDBOX_LABEL: "frozen-warm"}, paused=True) as frozen_warm,
        running(api, labels | {SERVER_LABEL: "lives", SANDBOX_LABEL: "other"}) as other,
    ):
        names = {api.inspect_container(container)["Name"] for container in (warm, frozen_warm)}
        removed = Orphans(ours, lambda server: server == "lives", lambda: {"waits": False}).sweep(api)

        assert names <= set(removed)
        assert (state(api, waits), state(api, other)) == ("running", "running")
        left = {entry["Id"] for entry in api.containers(all=True)}
        assert not {warm, frozen_warm} & left


def test_what_a_dead_server_left_asleep_is_woken_and_what_another_took_over_sleeps_on(
    api: docker.APIClient, tmp_path: Path
) -> None:
    ours = Installation.of(tmp_path)
    labels = {**ours.labels, SERVER_LABEL: "dead"}
    with (
        running(api, labels | {SANDBOX_LABEL: "waits"}, paused=True) as waits,
        running(api, labels | {SANDBOX_LABEL: "taken"}, paused=True) as taken,
    ):
        Orphans(ours, lambda _: False, lambda: {"waits": False, "taken": True}).sweep(api)

        assert (state(api, waits), state(api, taken)) == ("running", "paused")


def test_what_an_installation_left_that_is_gone_is_woken_to_its_own_end_and_not_taken_for_a_warm_one_of_ours(
    api: docker.APIClient, tmp_path: Path
) -> None:
    gone = Installation.of(tmp_path / "gone")
    labels = {**gone.labels, SERVER_LABEL: "dead"}
    with (
        running(api, labels | {SANDBOX_LABEL: "waits"}) as waits,
        running(api, labels | {SANDBOX_LABEL: "asleep"}, paused=True) as sleeps,
    ):
        shutil.rmtree(tmp_path / "gone")  # only now: until it is started another server's sweep might take it
        Orphans(Installation.of(tmp_path / "ours"), lambda _: False, dict).sweep(api)

        assert (state(api, waits), state(api, sleeps)) == ("running", "running")
