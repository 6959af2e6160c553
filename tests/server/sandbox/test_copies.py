import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from server.sandbox.copies import Arrived, Copies
from server.sandbox.docker_engine import DockerEngine
from server.sandbox.docker_sandbox import DockerSandbox
from server.sandbox.egress_link import AllowEntry
from server.sandbox.manifest import INSIDE
from server.sandbox.sandbox import Copy, SandboxFailed, SandboxSpec
from server.sandbox.workspaces import check_all
from tests.fakes import SPEC, FakeSandbox, FakeSource
from tests.live import ACCESS, BASE, engine, shell
from tests.real_git import git, repository

pytestmark = [pytest.mark.anyio, pytest.mark.asyncio_alone]
KEY = b"k" * 32


@pytest.fixture
def folder(own_folder: Path) -> Path:
    return own_folder / "project"


def copy_of(folder: Path) -> Copy:
    info = folder.stat()
    return Copy(str(folder), str(folder), info.st_dev, info.st_ino)


def spec_for(folder: Path, base: SandboxSpec = SPEC) -> SandboxSpec:
    return replace(base, copies=(copy_of(folder),))


class Cold:
    """A source that makes each sandbox when it is asked for."""

    def __init__(self, made_by: DockerEngine) -> None:
        self.engine = made_by

    async def claim(self, spec: SandboxSpec, allow: tuple[AllowEntry, ...], *, alone: bool = False) -> DockerSandbox:
        return await self.engine.create(spec)

    async def release(self, sandbox: Any) -> None:
        await sandbox.close()

    def bind(self, sandbox: Any, allow: tuple[AllowEntry, ...]) -> None: ...

    def calls(self, sandbox: Any, decisions: tuple[str, ...]) -> None: ...


def copies(source: Any, noted: list[Arrived] | None = None) -> Copies:
    return Copies(source, KEY, (noted if noted is not None else []).append)


# --- with a sandbox that only remembers --------------------------------------------------------------------------------


async def test_a_claim_without_copies_is_the_pools_own() -> None:
    source = FakeSource()
    box: Any = await copies(source).claim(SPEC, ())

    assert box.archives == []


async def test_the_files_and_then_the_record_of_them_go_in_once(folder: Path) -> None:
    folder.mkdir()
    (folder / "a").write_text("x")
    noted: list[Arrived] = []

    box: Any = await copies(FakeSource(), noted).claim(spec_for(folder), ())

    assert len(box.archives) == 2
    assert INSIDE.strip("/").encode() in box.archives[1][:100]
    assert [(one.files, one.bytes) for one in noted] == [(1, 1)]


async def test_a_fork_that_has_the_files_keeps_its_own(folder: Path) -> None:
    folder.mkdir()
    box = FakeSandbox(files={INSIDE: b"a record"})

    await copies(FakeSource([box])).claim(spec_for(folder), ())

    assert box.archives == []


@pytest.mark.promise("workspace.checked")
async def test_a_folder_swapped_since_the_check_goes_nowhere(folder: Path) -> None:
    folder.mkdir()
    spec = spec_for(folder)
    folder.rename(folder.with_name("before"))
    folder.mkdir()
    (folder / "secret").write_text("secret")
    source = FakeSource()

    with pytest.raises(SandboxFailed, match="swapped"):
        await copies(source).claim(spec, ())

    assert source.claimed[0].archives == []
    assert source.claimed[0].closed


async def test_more_than_a_sessions_disk_is_refused_before_anything_is_sent(folder: Path) -> None:
    folder.mkdir()
    with (folder / "large").open("wb") as file:
        file.truncate(SPEC.disk_bytes + 1)
    source = FakeSource()

    with pytest.raises(SandboxFailed, match=r"\.gitignore"):
        await copies(source).claim(spec_for(folder), ())

    assert source.claimed[0].archives == []


# --- with a real one ---------------------------------------------------------------------------------------------------


async def test_a_folder_arrives_as_the_commands_own(folder: Path) -> None:
    repository(folder, {"src/a.py": "print(1)\n", ".gitignore": "*.log\n", "run.sh": "#!/bin/sh\necho ran\n"})
    (folder / "run.sh").chmod(0o755)
    (folder / "big.log").write_text("not sent")
    (folder / "link").symlink_to("src/a.py")
    if os.geteuid() == 0:
        os.chown(folder / "src/a.py", 1234, 1234)  # whoever owns it on the host, inside it is the commands' own
    async with engine() as made:
        box: Any = await copies(Cold(made)).claim(spec_for(folder, BASE), ())
        access = replace(ACCESS, write=(*ACCESS.write, str(folder)))
        said = await shell(
            box,
            f"cd {folder} && find . -path ./.git -prune -o -print | sort && stat -c %u src/a.py && ./run.sh && "
            "cat link && git status --porcelain && echo 2 > src/a.py && touch new && git status --porcelain",
            access=access,
        )
        sent = await copies(Cold(made)).sent(box)
        await box.close()

    assert said.text == (
        ".\n./.gitignore\n./link\n./run.sh\n./src\n./src/a.py\n1000\nran\nprint(1)\n"
        " M run.sh\n?? link\n M run.sh\n M src/a.py\n?? link\n?? new\n"
    )  # fmt: skip
    assert (folder / "src/a.py").read_text() == "print(1)\n"
    assert not (folder / "new").exists()
    assert sent[0].entries["src/a.py"].content == hashlib.sha256(b"print(1)\n").hexdigest()


async def test_a_worktree_is_a_repository_inside_too(folder: Path) -> None:
    repository(folder, {"a": "a\n"})
    tree = folder.parent / "tree"
    git(folder, "worktree", "add", "-q", str(tree))
    if os.geteuid() == 0:
        os.chown(tree, 1000, 1000)
        os.chown(folder / ".git", 1000, 1000)
    lent = tuple(space.lent for space in check_all([(tree, "copy")], [], allow_root_owned=False))
    async with engine() as made:
        spec = replace(BASE, copies=tuple(copy for copy in lent if isinstance(copy, Copy)))
        box: Any = await copies(Cold(made)).claim(spec, ())
        access = replace(ACCESS, write=(*ACCESS.write, *spec.workspaces))
        said = await shell(
            box,
            f"cd {tree} && git log --format=%s && echo b > a && git commit -qam second && git log --format=%s",
            access=access,
        )
        sent = await copies(Cold(made)).sent(box)
        await box.close()

    assert said.text == "first\nsecond\nfirst\n"
    assert [copy.source for copy in sent] == [str(tree)]
    assert git(tree, "log", "--format=%s") == "first\n"


@pytest.mark.promise("workspace.copy")
async def test_no_command_changes_the_record_of_what_was_sent(folder: Path) -> None:
    folder.mkdir()
    (folder / "a").write_text("x")
    async with engine() as made:
        box: Any = await copies(Cold(made)).claim(spec_for(folder, BASE), ())
        before = await copies(Cold(made)).sent(box)
        said = await shell(
            box,
            f"rm -f {INSIDE}; echo x > {INSIDE}; mv /var/lib/sandgate /tmp/; ln -sf /tmp/x {INSIDE}; chmod 777 {INSIDE}",
            access=replace(ACCESS, write=("/",)),
        )
        after = await copies(Cold(made)).sent(box)
        await box.close()

    assert before == after
    assert said.text.count("denied") + said.text.count("not permitted") >= 4
