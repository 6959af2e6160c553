"""Images made of live sandboxes, on the real engine: what they keep, what they leave out, and what they cost."""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import docker
import docker.errors
import pytest
import requests

from server.sandbox import docker_snapshots
from server.sandbox.docker_sandbox import DockerSandbox
from server.sandbox.docker_snapshots import MAX_LAYERS, DockerSnapshots
from server.sandbox.installation import STATE_LABEL, Installation
from server.sandbox.sandbox import MIB
from server.sandbox.snapshot import ImageGone, SnapshotFailed
from tests.live import BASE, engine, sandbox, shell
from tests.real_engine import client, engine_url, put_to_sleep

pytestmark = [pytest.mark.anyio, pytest.mark.asyncio_alone]

ROOM = 512 * MIB


@pytest.fixture
def images(tmp_path: Path) -> Iterator[DockerSnapshots]:
    made = DockerSnapshots(engine_url, Installation.of(tmp_path / "state"), 0)
    yield made
    made.sweep(frozenset())
    assert ours(made) == []


def ours(images: DockerSnapshots) -> list[str]:
    return [entry.id for entry in images.stored() if entry.labels[STATE_LABEL] == images.installation.id]


def keep(images: DockerSnapshots, box: DockerSandbox, most: int = ROOM) -> str:
    return images.commit(box.id, secrets.token_hex(6), most, lambda _: None).image


def inspected(image: str) -> dict[str, Any]:
    with client() as api:
        return dict(api.inspect_image(image))  # type: ignore[no-untyped-call]  # docker's types leave it out


async def said_in(image: str, script: str) -> str:
    async with sandbox(replace(BASE, image=image)) as box:
        return (await shell(box, script)).text


async def test_a_fork_has_the_files_owners_modes_and_environment_and_the_source_goes_on(
    images: DockerSnapshots,
) -> None:
    look = "cd; cat /workspace/a; stat -c '%u:%g %a %h %N' run.sh twin link; ./run.sh; echo $PATH $HOME $LANG; find . -type p"
    async with sandbox() as box:
        await shell(
            box,
            "echo 1 >/workspace/a; cd; printf '#!/bin/sh\\necho ran\\n' >run.sh; chmod 751 run.sh; ln run.sh twin; "
            "ln -s run.sh link; mkfifo pipe; rm .bashrc",
        )
        before = (await shell(box, look)).text
        forked = keep(images, box)
        await shell(box, "echo 2 >/workspace/a")

        assert await said_in(forked, look) == before
        assert "No such file" in await said_in(forked, "ls ~/.bashrc; echo fork >/workspace/a")
        assert (await shell(box, "cat /workspace/a")).text == "2\n"


async def test_forks_stand_on_one_copy_and_hold_only_what_they_change(images: DockerSnapshots) -> None:
    async with sandbox() as box:
        await shell(box, "head -c 30000000 /dev/urandom >/workspace/big")
        spec = replace(BASE, image=keep(images, box))
    async with sandbox(spec) as one, sandbox(spec) as two:
        said = await shell(one, "echo x >/workspace/small; stat -c %s /workspace/big")
        with client() as api:
            found = [api.containers(size=True, filters={"name": f"sandgate-{fork.id}"})[0] for fork in (one, two)]

    assert said.text == "30000000\n"
    assert all(held.get("SizeRw", 0) < MIB for held in found)


async def test_a_frozen_sandbox_is_kept_and_stays_frozen(images: DockerSnapshots) -> None:
    async with sandbox() as box:
        await shell(box, "echo cold >/workspace/a")
        with client() as api:
            put_to_sleep(api, f"sandgate-{box.id}")
            forked = keep(images, box)
            still = api.inspect_container(f"sandgate-{box.id}")["State"]["Paused"]
            api.unpause(f"sandgate-{box.id}")

    assert still
    assert await said_in(forked, "cat /workspace/a") == "cold\n"


async def test_holes_of_a_sparse_file_count_since_a_commit_would_write_them(images: DockerSnapshots) -> None:
    async with sandbox() as box:
        await shell(box, "truncate -s 900G /workspace/hole")
        with pytest.raises(SnapshotFailed, match=r"966\.4 GB .* at most 537 MB: delete"):
            keep(images, box)
        await shell(box, "rm /workspace/hole")

        assert (await shell(box, "echo goes on")).text == "goes on\n"
        assert ours(images) == []


async def test_what_the_engine_s_disk_cannot_hold_is_refused_before_it_is_written(tmp_path: Path) -> None:
    images = DockerSnapshots(engine_url, Installation.of(tmp_path), 1 << 60)
    async with sandbox() as box:
        with pytest.raises(SnapshotFailed, match="held back; a person can make room: sandgate images prune"):
            keep(images, box)

        assert (await shell(box, "echo goes on")).text == "goes on\n"
    assert ours(images) == []


async def test_an_engine_that_is_gone_leaves_nothing_and_says_so(tmp_path: Path) -> None:
    images = DockerSnapshots(lambda: f"unix://{tmp_path}/gone.sock", Installation.of(tmp_path), 0)

    with pytest.raises(SnapshotFailed, match=r"does not answer .*no such socket"):
        images.commit("0" * 12, "c" * 12, ROOM, lambda _: None)


def test_an_image_is_told_by_its_digest_and_one_that_is_not_there_as_that(images: DockerSnapshots) -> None:
    with client() as api:
        known = {entry["Id"] for entry in api.images("sandgate/base")}

    assert {images.identify(name) for name in ("sandgate/base", "sandgate/base:latest")} == known
    for name in ("sandgate/nobody-made-this", "sandgate-snapshot:000000000000", "a b?c"):
        with pytest.raises((ImageGone, SnapshotFailed), match=r"has no image|does not answer"):
            images.identify(name)
    with pytest.raises(ImageGone):
        images.identify("sandgate-snapshot:000000000000")


async def test_a_sandbox_that_ended_meanwhile_is_said_to_have(images: DockerSnapshots) -> None:
    with pytest.raises(SnapshotFailed, match="does not have it any more: No such container"):
        images.commit("0" * 12, "c" * 12, ROOM, lambda _: None)


async def test_so_is_one_that_ends_between_two_questions_about_it(
    images: DockerSnapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with sandbox(BASE) as box:
        monkeypatch.setattr(docker.APIClient, "containers", lambda *_, **__: [])
        with pytest.raises(SnapshotFailed, match="ended before its files could be kept"):
            keep(images, box)
        monkeypatch.undo()
        with client() as api:
            assert not api.inspect_container(f"sandgate-{box.id}")["State"]["Paused"]


async def test_a_failure_after_the_commit_takes_the_image_away_again(
    images: DockerSnapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.sandbox.docker_snapshots.MAX_LAYERS", 2)

    def full(*_: object) -> None:
        raise SnapshotFailed("the disk is full")

    monkeypatch.setattr(images, "_flatten", full)
    async with sandbox() as box:
        with pytest.raises(SnapshotFailed, match="the disk is full"):
            keep(images, box)

    assert ours(images) == []


@pytest.mark.timeout(600)  # thirty sandboxes and as many snapshots: a busy machine took more than two minutes
async def test_thirty_snapshots_of_snapshots_stay_shallow_and_lose_nothing(images: DockerSnapshots) -> None:
    layers, last = [], BASE.image
    async with engine() as made:
        for number in range(30):
            box = await made.create(replace(BASE, image=last))
            await shell(
                box,
                f"cd /workspace; echo {number} >>log; touch -d @{1000 + number} f{number}; chmod 640 f{number}",
            )
            before, last = last, keep(images, box)
            await box.close()
            if before != BASE.image:
                images.remove([before])
            layers.append(len(inspected(last)["RootFS"]["Layers"]))

    assert max(layers) <= MAX_LAYERS
    assert layers.count(1) == 1, "one join on the way"
    assert len(ours(images)) == 1, "what came before is not kept beside it"
    assert await said_in(last, "wc -l <log; stat -c '%u:%g %a %Y' f0 f29; ls | wc -l") == (
        "30\n1000:1000 640 1000\n1000:1000 640 1029\n31\n"
    )


async def test_a_join_keeps_what_an_image_is_beside_its_files(
    images: DockerSnapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = "env | sort; id; stat -c '%u:%g %a %N %s' ~/* /usr/bin/sh /tmp ~ /workspace; find / -xdev -perm /6000 2>/dev/null"
    async with sandbox() as box:
        await shell(box, "cd; echo x >a; chmod 604 a; ln a b; ln -s a c; mkdir -m 1770 d; chmod 4755 a; chmod 2755 d")
        before = (await shell(box, look)).text
        monkeypatch.setattr("server.sandbox.docker_snapshots.MAX_LAYERS", 2)
        joined = keep(images, box)

    found, source = inspected(joined), inspected(BASE.image)
    assert len(found["RootFS"]["Layers"]) == 1
    assert found["Config"]["Env"] == source["Config"]["Env"]
    assert found["Config"]["Labels"]["sandgate.state"] == images.installation.id
    assert await said_in(joined, look) == before


async def test_an_image_in_use_goes_with_the_sandbox_that_stands_on_it(images: DockerSnapshots) -> None:
    async with sandbox() as box:
        await shell(box, "echo mine >/workspace/a")
        forked = keep(images, box)
    async with sandbox(replace(BASE, image=forked)) as box:
        images.remove([forked])
        images.sweep(frozenset())

        assert (await shell(box, "cat /workspace/a")).text == "mine\n"
        assert len(ours(images)) == 1
    images.sweep(frozenset())

    assert ours(images) == []


def test_an_image_that_another_takes_away_at_the_same_moment_is_removed(
    images: DockerSnapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise docker.errors.NotFound("unrecognized image ID sha256:0123")

    monkeypatch.setattr(docker.APIClient, "remove_image", gone)

    images.remove(["sha256:0123"])


async def test_a_sweep_takes_what_no_record_names_and_only_that(images: DockerSnapshots, tmp_path: Path) -> None:
    neighbour = DockerSnapshots(engine_url, Installation.of(tmp_path / "neighbour"), 0)
    async with sandbox() as box:
        known, forgotten, neighbours = keep(images, box), keep(images, box), keep(neighbour, box)

    assert images.sweep(frozenset({known})) == [forgotten]
    assert images.sweep(frozenset()) == [known]
    assert neighbour.sweep(frozenset()) == [neighbours]


async def test_what_an_installation_left_whose_folder_is_gone_is_taken_by_another(
    images: DockerSnapshots, tmp_path: Path
) -> None:
    gone = DockerSnapshots(engine_url, Installation.of(tmp_path / "gone"), 0)
    async with sandbox() as box:
        left = keep(gone, box)
    shutil.rmtree(tmp_path / "gone")

    assert images.sweep(frozenset()) == [left]


class Busy:
    """An engine that cannot pause a container at first, as on a machine with much to do."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals

    def pause(self, container: str) -> None:
        if self.refusals:
            self.refusals -= 1
            answer = requests.Response()
            answer.status_code = 500
            raise docker.errors.APIError(f"cannot pause {container}", answer)


@pytest.mark.parametrize(("refusals", "left"), [(3, 0), (docker_snapshots.PAUSES + 4, 4)])
def test_an_engine_that_cannot_pause_just_now_is_asked_again_within_bounds(
    refusals: int, left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker_snapshots, "PAUSE_AGAIN_S", 0)
    engine = Busy(refusals)
    with nullcontext() if left == 0 else pytest.raises(docker.errors.APIError):
        docker_snapshots._pause(cast("docker.APIClient", engine), "box")

    assert engine.refusals == left
