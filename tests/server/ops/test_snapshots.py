"""The operator's view of what agents have kept: real snapshots of real sandboxes, and the commands as a person calls them."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from server import cli
from server.record.reading import lines
from server.sandbox.docker_sandbox import DockerSandbox
from server.sandbox.snapshots import Snapshots
from server.settings.files import load
from server.wiring.kept import snapshots as kept_snapshots
from server.wiring.kept import stored_images
from tests.live import sandbox
from tests.real_engine import engine_url
from tests.server.ops.commands import Said, refused

pytestmark = [pytest.mark.anyio, pytest.mark.asyncio_alone]


@pytest.fixture(scope="module")
def engine() -> str:
    """Found before a test takes the machine's settings away."""
    return engine_url()


@pytest.fixture
async def kept(engine: str, machine: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Snapshots]:
    monkeypatch.setenv("DOCKER_HOST", engine)
    images = stored_images(load())
    yield kept_snapshots(load(), images, lambda kind, facts: None)
    images.sweep(frozenset())
    assert str(machine) not in str([image.labels for image in images.stored()])


@pytest.fixture
async def box(kept: Snapshots) -> AsyncGenerator[DockerSandbox]:
    """A sandbox whose snapshots are tidied after it."""
    async with sandbox() as made:
        yield made


async def command(*argv: str) -> int:
    """In a thread: the commands have an event loop of their own."""
    return await anyio.to_thread.run_sync(cli.main, argv)


async def test_snapshots_are_listed_with_their_owners_for_people_and_programs(
    kept: Snapshots, box: DockerSandbox, capsys: Said
) -> None:
    assert await command("snapshots", "list") == 0
    assert "no snapshots; an agent takes one" in capsys.readouterr().out
    await kept.take(box, "a\x1b[2Jnn", "before", "base")
    await kept.take(box, "operator", "0123", "base", "prepared")

    assert await command("snapshots", "list") == 0
    _, row = capsys.readouterr().out.splitlines()
    assert row.split()[:4] == ["before", r"a\x1b[2Jnn", "named", "base"]
    assert await command("snapshots", "list", "--json") == 0
    assert [entry["name"] for entry in json.loads(capsys.readouterr().out)] == ["before"]


async def test_a_deleted_one_is_gone_with_its_image_and_recorded(
    kept: Snapshots, box: DockerSandbox, capsys: Said, machine: Path
) -> None:
    await kept.take(box, "local", "before", "base")
    await kept.take(box, "local", "other", "base")

    assert await command("snapshots", "delete", "before", "other") == 0

    assert capsys.readouterr().out.splitlines()[0].startswith("deleted before of local, ")
    assert kept.every() == []
    assert stored_images(load()).sweep(frozenset()) == []
    noted = [line for _, line in lines(load().audit_file) if line["kind"] == "snapshot.deleted"]
    assert [(line["name"], line["reason"]) for line in noted] == [("before", "asked"), ("other", "asked")]


async def test_where_one_is_not_there_or_belongs_to_two_none_is_deleted(
    kept: Snapshots, box: DockerSandbox, capsys: Said
) -> None:
    for owner in ("ann", "bob"):
        await kept.take(box, owner, "before", "base")
    await kept.take(box, "ann", "mine", "base")

    assert "there is no snapshot nothing" in refused(capsys, "snapshots", "delete", "mine", "nothing")
    assert "before is a snapshot of ann, bob; say whose with --owner" in refused(
        capsys, "snapshots", "delete", "before"
    )
    assert len(kept.every()) == 3
    assert await command("snapshots", "delete", "before", "--owner", "bob") == 0
    assert [snapshot.owner for snapshot in kept.every()] == ["ann", "ann"]


async def test_prepared_environments_are_listed_and_pruned_with_what_nothing_refers_to(
    kept: Snapshots, box: DockerSandbox, capsys: Said
) -> None:
    prepared = await kept.take(box, "operator", "0123", "data", "prepared")
    await kept.take(box, "local", "before", "base")
    left = await kept.take(box, "local", "left", "base")
    kept.forget(left)

    assert await command("images", "list") == 0
    listed = capsys.readouterr().out
    assert "prepared environment" in listed
    assert ["data", "ready"] in [line.split()[:2] for line in listed.splitlines()]
    assert await command("images", "prune", "--unused-for", "1") == 0
    assert prepared in kept.every(), "it was used today"

    assert await command("images", "prune") == 0

    said = capsys.readouterr().out
    assert "removed environment data, " in said
    assert [snapshot.name for snapshot in kept.every()] == ["before"]
    assert "removed 1 images that nothing refers to" in said
    assert await command("images", "prune") == 0
    assert capsys.readouterr().out == "nothing to remove\n"


async def test_a_prepared_environment_that_a_session_stands_on_is_not_taken_away(
    kept: Snapshots, box: DockerSandbox, capsys: Said
) -> None:
    prepared = await kept.take(box, "operator", "0123", "base", "prepared")
    async with sandbox(image=prepared.image):
        assert await command("images", "prune") == 0

    assert "kept environment base: a session or a warm sandbox stands on it" in capsys.readouterr().out
    assert kept.every() == [prepared]


async def test_what_is_past_its_time_goes_too(kept: Snapshots, box: DockerSandbox, capsys: Said, machine: Path) -> None:
    await kept.take(box, "local", "before", "base")
    (machine / "etc/sandgate.toml").write_text("[sandbox]\nkeep_snapshots_s = 0.001\n")

    assert await command("images", "prune") == 0

    assert "removed snapshot before" in capsys.readouterr().out
    assert kept.every() == []


def test_without_an_engine_nothing_is_deleted_in_one_sentence(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{machine}/nobody.sock")

    said = refused(capsys, "images", "prune")
    assert "does not answer: no such socket" in said
    assert said.endswith("Start it, or choose another. Nothing was changed.")


@pytest.mark.parametrize("days", ["many", "-1", "nan"])
def test_days_are_a_number(days: str) -> None:
    with pytest.raises(SystemExit):
        cli.main(["images", "prune", "--unused-for", days])
