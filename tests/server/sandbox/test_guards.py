"""A writable folder under attack from inside, in real sandboxes: what holds, and each limit of it."""

import os
import subprocess
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from server.sandbox.guards import Guards
from server.sandbox.jobs import Job
from server.sandbox.protected import ASIDE
from server.sandbox.sandbox import Mount, SandboxFailed, SandboxSpec
from server.sandbox.session import Session
from tests.fakes import SPEC, FakeSource, ledger
from tests.live import ACCESS, BASE, command, engine, run, shell
from tests.real_git import git, repository
from tests.server.sandbox.test_copies import Cold
from tests.waiting import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.asyncio_alone, pytest.mark.promise("workspace.rw")]


@pytest.fixture
def folder(own_folder: Path) -> Path:
    made = repository(own_folder / "project", {"a": "a\n", ".envrc": "true\n", ".github/workflows/ci.yml": "x\n"})
    if os.geteuid() == 0:
        for path in (made, *made.rglob("*")):
            os.chown(path, 1000, 1000)
    return made


def lent(folder: Path, base: SandboxSpec = SPEC) -> SandboxSpec:
    info = folder.stat()
    return replace(
        base, mounts=(Mount(str(folder), str(folder), read_only=False, device=info.st_dev, inode=info.st_ino),)
    )


def noted(source: Any, notes: list[Mapping[str, Any]] | None = None) -> Guards:
    return Guards(source, lambda _, facts: (notes if notes is not None else []).append(facts))


@asynccontextmanager
async def guarded(folder: Path) -> AsyncGenerator[tuple[Guards, Session]]:
    async with engine() as made:
        guards = noted(Cold(made))
        box = await guards.claim(lent(folder, BASE), ())
        try:
            yield (
                guards,
                Session(
                    "s1", "work", "ann", box, lent(folder, BASE), folder, 0, 0, lambda _: None, ledger(folder.parent)
                ),
            )
        finally:
            await guards.release(box)


async def attack(session: Session, folder: Path, script: str) -> str:
    access = replace(ACCESS, write=(*ACCESS.write, str(folder)))
    box: Any = session.sandbox
    return (await shell(box, f"cd {folder}; {script}", access=access)).text


async def test_what_is_there_cannot_be_written_renamed_or_replaced(folder: Path) -> None:
    async with guarded(folder) as (_, session):
        said = await attack(
            session, folder,
            """
            echo evil >> .git/config; git config core.fsmonitor evil; echo evil > .git/hooks/post-checkout
            mv .git .g2; mv .git/hooks .git/h2; rm -rf .git/hooks .envrc; mv .envrc x; echo evil > .envrc; ln -sf /etc/passwd .envrc
            mv .github .gh2; rm -r .github; chmod 777 .envrc; mount --bind /tmp .git
            """,
        )  # fmt: skip

    assert "Read-only file system" in said
    assert "Device or resource busy" in said
    assert "evil" not in (folder / ".git/config").read_text()
    assert (folder / ".envrc").read_text() == "true\n"
    assert not (folder / ".git/hooks/post-checkout").exists()
    assert sorted(path.name for path in folder.iterdir()) == [".envrc", ".git", ".github", "a"]


async def test_work_goes_on_in_it(folder: Path) -> None:
    async with guarded(folder) as (_, session):
        said = await attack(
            session,
            folder,
            "echo b >> a && git commit -qam second && git branch x && git checkout -q x && git log --format=%s",
        )

    assert said == "second\nfirst\n"
    assert git(folder, "log", "--format=%s", "x") == "second\nfirst\n"


async def test_what_is_new_is_moved_aside_after_the_command_and_told(folder: Path) -> None:
    mark = folder.parent / "ran"
    async with guarded(folder) as (guards, session):
        await attack(
            session, folder,
            f"""
            mkdir planted; cp .git/HEAD planted; mkdir planted/objects planted/refs
            printf '[core]\nrepositoryformatversion = 0\nfsmonitor = "touch {mark}"\n' > planted/config
            printf '../planted' > .git/commondir; cp planted/config .git/config.worktree
            mkdir sub; cd sub; git init -q; git config core.fsmonitor 'touch {mark}'; cd ..
            mkdir tree; echo 'gitdir: ../planted' > tree/.git; mkdir .vscode; echo x > .vscode/tasks.json
            """,
        )  # fmt: skip
        await guards.after(session)
        told = session.take_remarks()
        await guards.after(session)
        again = session.take_remarks()

    for place in (folder, folder / "sub", folder / "tree", folder / "planted"):
        subprocess.run(["git", "-C", str(place), "-c", "safe.directory=*", "status"], check=False, capture_output=True)
    assert not mark.exists()
    assert {one.partition(" is new")[0].removeprefix(f"{folder}/") for one in told} == {
        ".git/commondir", ".git/config.worktree", "planted/config", "sub/.git/config", "sub/.git/hooks", "tree/.git", ".vscode",
    }  # fmt: skip
    assert all("a person can move it back" in one for one in told)
    assert again == ()
    assert git(folder, "log", "--format=%s") == "first\n"


async def test_a_link_left_at_a_protected_path_refuses_the_next_session(folder: Path) -> None:
    async with guarded(folder) as (_, session):
        await attack(session, folder, "ln -s /root/.ssh/id_ed25519 .mcp.json")

    source = FakeSource()
    with pytest.raises(SandboxFailed, match="is a link"):
        await noted(source).claim(lent(folder), ())
    assert source.claimed == []


async def test_a_protected_path_swapped_after_the_look_is_caught_inside(folder: Path) -> None:
    """The engine resolves each source again, as root: what it mounted is compared before anybody may use it."""
    source = FakeSource()
    await noted(source).claim(lent(folder), ())
    async with engine() as made:
        spec = lent(folder, BASE)
        info = (folder / ".envrc").stat()
        guard = Mount(f"{folder}/.envrc", f"{folder}/.envrc", read_only=True, device=info.st_dev, inode=info.st_ino)
        (folder / "other").write_text("other")
        (folder / "other").rename(folder / ".envrc")

        with pytest.raises(SandboxFailed, match="swapped"):
            await made.create(replace(spec, guards=(guard,)))


async def test_nothing_is_made_on_the_host(folder: Path) -> None:
    """An engine makes a missing mount source or target itself, as root: nothing missing is ever mounted."""
    before = sorted(str(path) for path in folder.rglob("*"))
    async with guarded(folder):
        pass

    assert sorted(str(path) for path in folder.rglob("*")) == before


async def test_what_a_job_leaves_after_its_call_is_found_as_well(folder: Path) -> None:
    async with guarded(folder) as (guards, session), anyio.create_task_group() as tasks:
        job = Job("j1", "shell", folder.parent, "d-1", lambda _: None)
        session.jobs["j1"] = job
        access = replace(ACCESS, write=(*ACCESS.write, str(folder)))
        script = f"cd {folder}; until test -e go; do sleep 0.05; done; mkdir .vscode; sleep 60"
        job.command = await session.sandbox.run(command("/bin/bash", "-c", script, access=access, timeout_s=60), job)
        tasks.start_soon(guards.keep)
        await guards.after(session)
        assert session.take_remarks() == ()
        (folder / "go").touch()
        await eventually(lambda: session.remarks)
        await job.stop(9, "killed")
        tasks.cancel_scope.cancel()

    assert ".vscode is new" in session.remarks[0]
    assert not (folder / ".vscode").exists()


# --- limits: what `rw` does not hold, so that nobody has to guess --------------------------------------------------------


async def test_limit_what_a_person_runs_from_it_is_not_looked_at(folder: Path) -> None:
    async with guarded(folder) as (guards, session):
        await attack(session, folder, "printf 'all:\\n\\techo evil\\n' > Makefile; echo 'import os' > conftest.py")
        await guards.after(session)

    assert (folder / "Makefile").exists()
    assert (folder / "conftest.py").exists()


async def test_limit_while_a_command_runs_what_is_new_is_there(folder: Path) -> None:
    async with guarded(folder) as (guards, session):
        access = replace(ACCESS, write=(*ACCESS.write, str(folder)))
        box: Any = session.sandbox
        async with anyio.create_task_group() as tasks:
            script = f"cd {folder}; mkdir .vscode; echo made; until test -e stop; do sleep 0.05; done"
            tasks.start_soon(lambda: run(box, "/bin/bash", "-c", script, access=access))
            seen = await eventually((folder / ".vscode").exists)
            (folder / "stop").touch()
        await guards.after(session)

    assert seen
    assert not (folder / ".vscode").exists()
    assert [path.name for path in folder.iterdir() if ASIDE in path.name]


async def test_limit_the_history_of_a_repository_can_be_destroyed(folder: Path) -> None:
    async with guarded(folder) as (_, session):
        await attack(session, folder, "rm -rf .git/objects .git/HEAD")

    assert not (folder / ".git/HEAD").exists()


async def test_limit_two_sessions_of_one_writable_folder_see_each_other(folder: Path) -> None:
    async with guarded(folder) as (_, one), guarded(folder) as (_, two):
        await attack(one, folder, "echo hello > note")
        said = await attack(two, folder, "cat note")

    assert said == "hello\n"
