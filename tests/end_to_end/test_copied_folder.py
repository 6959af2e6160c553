"""A folder of the operator's in copy mode: as a client meets it, and as its person brings the changes back."""

import os
import socket
import subprocess
from collections.abc import AsyncGenerator
from pathlib import Path

import anyio.to_thread
import pytest
from mcp import Client

from server.sandbox.frames import HEAD, JSON, address, message, piece
from tests.end_to_end.rig import PROGRAM, Home, connected, structured
from tests.real_git import git, repository
from tests.waiting import until

pytestmark = pytest.mark.anyio


@pytest.fixture
def project(own_folder: Path) -> Path:
    """Where a person's own folder would lie: at a path that can exist inside as well."""
    files = {
        "a.txt": "one\n",
        ".gitignore": ".env\n*.o\n",
        "b/deep.txt": "deep\n",
        "gone.txt": "gone\n",
        "old.txt": "moved\n",
    }
    made = repository(own_folder / "project", files)
    git(made, "config", "core.hooksPath", "tools/hooks")
    (made / ".env").write_text("SECRET=1\n")
    (made / "data.bin").write_bytes(bytes(range(256)))
    if os.geteuid() == 0:
        for path in (made, *made.rglob("*")):
            os.chown(path, 1000, 1000, follow_symlinks=False)
    return made


@pytest.fixture
def home(folder: Path, project: Path) -> Home:
    """The policy asks before a command writes a hook; what a script does unseen is what is tried here."""
    return Home(folder, '[policy]\nprofile = "open"\n', arguments=("--workspace", str(project)))


@pytest.fixture
async def client(home: Home) -> AsyncGenerator[Client]:
    async with connected(home) as made:
        yield made


async def inside(client: Client, script: str) -> str:
    result = structured(await client.call_tool("shell", {"command": script}))
    assert result["exit_code"] == 0, result
    return str(result["stdout"])


async def sandgate(home: Home, *argv: str, code: int = 0) -> str:
    """What the command says; a person runs it in another terminal while the server goes on."""
    ran = await anyio.to_thread.run_sync(
        lambda: subprocess.run(
            [PROGRAM, *argv], env=home.environ, capture_output=True, check=False, timeout=110, stdin=subprocess.DEVNULL
        )
    )
    told = (ran.stdout + ran.stderr).decode("utf-8", "replace")
    assert ran.returncode == code, told
    return told


def files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_bytes().decode("latin1")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".git" not in path.parts and not path.is_symlink()
    }


@pytest.mark.promise("workspace.copy")
async def test_what_a_session_does_to_a_copy_stays_in_it(home: Home, client: Client, project: Path) -> None:
    before = files(project)
    said = await inside(client, "pwd; cat a.txt; ls -A; echo two > a.txt; git status --porcelain a.txt")
    written = await client.call_tool("file_write", {"path": f"{project}/new", "content": "x"})

    assert said == f"{project}\none\n.git\n.gitignore\na.txt\nb\ndata.bin\ngone.txt\nold.txt\n M a.txt\n"
    assert not written.is_error
    assert files(project) == before
    copied = [one["ignored"] for one in home.audit("workspace.copied") if one["source"] == str(project)]
    assert copied == [1]


async def test_changes_are_shown_and_brought_back(home: Home, client: Client, project: Path) -> None:
    await inside(
        client,
        "echo two >> a.txt; rm gone.txt; mv old.txt new.txt; chmod +x b/deep.txt; mkdir -p c/d; echo x > c/d/e; "
        r"printf '\0\1' > data.bin; ln -s a.txt link; touch made.o; echo hi > 'odd name'; git commit -qam all",
    )
    shown = await sandgate(home, "diff", "default")
    dry = await sandgate(home, "apply", "default", "--dry-run")
    before = files(project)

    assert "rename from old.txt\nrename to new.txt\n" in shown
    assert "@@ -1,1 +1,2 @@\n one\n+two\n" in shown
    assert "GIT binary patch" in shown
    assert "1 new and ignored by git, left: made.o" in shown
    assert "held back, a host runs what is in .git" in shown
    assert "R old.txt -> new.txt\n" in dry
    assert {
        "M a.txt",
        "M b/deep.txt",
        "A c/",
        "A c/d/",
        "A c/d/e",
        "M data.bin",
        "D gone.txt",
        "A link -> a.txt",
    } < set(dry.splitlines())
    assert files(project) == before

    told = await sandgate(home, "apply", "default")

    assert f"applied to {project}" in told
    after = files(project)
    assert after.pop("a.txt") == "one\ntwo\n"
    assert after == {
        ".env": "SECRET=1\n", ".gitignore": ".env\n*.o\n", "b/deep.txt": "deep\n", "c/d/e": "x\n", "data.bin": "\0\1",
        "new.txt": "moved\n", "odd name": "hi\n",
    }  # fmt: skip
    assert (project / "b/deep.txt").stat().st_mode & 0o111
    assert (project / "link").readlink() == Path("a.txt")
    assert (project / "c/d/e").stat().st_uid == project.stat().st_uid
    assert git(project, "log", "--format=%s") == "first\n"
    assert "no changes" not in await sandgate(home, "diff", "default")
    assert "diff --git" not in await sandgate(home, "diff", "default")


async def test_what_git_renews_by_itself_is_nobodys_change(home: Home, client: Client, project: Path) -> None:
    await inside(client, "touch -d @1 a.txt b/deep.txt; git status")
    assert await sandgate(home, "diff", "default") == f"no changes to {project}\n"
    await inside(client, "echo two > a.txt; git add a.txt")
    assert ".git/index" in await sandgate(home, "diff", "default")


async def test_a_fork_has_the_copy_as_it_was_and_its_changes_can_be_brought_back(
    home: Home, client: Client, project: Path
) -> None:
    await inside(client, "echo two >> a.txt")
    taken = await client.call_tool("session_snapshot", {"name": "halfway"})
    assert not taken.is_error
    (project / "b/deep.txt").write_text("the host's own\n")
    await client.call_tool("session_open", {"session": "fork", "snapshot": "halfway"})

    result = structured(await client.call_tool("shell", {"session": "fork", "command": "pwd; cat a.txt b/deep.txt"}))

    assert result["stdout"] == f"{project}\none\ntwo\ndeep\n"
    assert "@@ -1,1 +1,2 @@\n one\n+two\n" in await sandgate(home, "diff", "fork")
    await client.call_tool("session_close", {"session": "fork"})
    await sandgate(home, "snapshots", "delete", "halfway")


@pytest.mark.promise("workspace.copy")
async def test_only_what_is_named_and_nothing_in_conflict(home: Home, client: Client, project: Path) -> None:
    await inside(client, "echo two >> a.txt; echo two >> b/deep.txt; echo 'curl evil' > .envrc")
    (project / "a.txt").write_text("the person's own\n")

    refused = await sandgate(home, "apply", "default", code=1)
    assert refused.startswith("1 in conflict: a.txt (it changed on the host too)\nsandgate: nothing is applied")
    assert refused.count("a.txt") == 1
    assert "deep.txt" not in refused
    assert (project / "b/deep.txt").read_text() == "deep\n"

    await sandgate(home, "apply", "default", "--only", "b/**")
    assert (project / "b/deep.txt").read_text() == "deep\ntwo\n"
    told = await sandgate(home, "apply", "default", "--skip-conflicts")
    assert "C a.txt: it changed on the host too, left as it is\n" in told
    assert (project / "a.txt").read_text() == "the person's own\n"
    assert not (project / ".envrc").exists()
    await sandgate(home, "apply", "default", "--only", ".envrc")
    assert (project / ".envrc").read_text() == "curl evil\n"


@pytest.mark.promise("workspace.copy")
async def test_git_on_the_host_runs_nothing_that_a_session_left(home: Home, client: Client, project: Path) -> None:
    """Each of these made `git status` run code where the folder was mounted writable (facts of the design)."""
    mark = project.parent / "ran"
    evil = f"touch {mark}"
    await inside(
        client,
        f"""
        git config core.fsmonitor '{evil}'; printf '#!/bin/sh\n{evil}\n' > .git/hooks/post-checkout; chmod +x .git/hooks/*
        cp -r .git g2; mv .git old.git; mv g2 .git
        mkdir planted; cp -r .git/* planted/; printf '../planted' > .git/commondir
        mkdir sub && cd sub && git init -q . && git config core.fsmonitor '{evil}' && cd ..
        mkdir other && echo 'gitdir: ../planted' > other/.git
        mkdir -p vendor/bare && cd vendor/bare && git init -q --bare . && git config core.fsmonitor '{evil}' && git config core.bare false && git config core.worktree .. ; cd ../..
        mkdir -p tools/hooks; printf '#!/bin/sh\n{evil}\n' > tools/hooks/post-index-change; chmod +x tools/hooks/*
        mkdir -p split/x split/y; git init -q --bare split/t; mv split/t/HEAD split/x/; mv split/t/objects split/t/refs split/y/; rm -r split/t
        printf '../y\n' > split/x/commondir; cd split/y; printf '[core]\nrepositoryformatversion = 1\nbare = false\n' > config
        git config -f config core.worktree {project}/split; git config -f config core.fsmonitor '{evil}'; git config -f config extensions.worktreeConfig true; cd ../..
        mkdir -p .GIT/hooks; echo x > .GIT/config; ln -s /etc out; ln -s planted dotgit; echo ok > fine.txt
        """,
    )
    await sandgate(home, "apply", "default")

    assert (project / "fine.txt").read_text() == "ok\n"
    for place in (project, *(path for path in project.rglob("*") if path.is_dir() and ".git" not in path.parts)):
        subprocess.run(["git", "-C", str(place), "-c", "safe.directory=*", "status"], check=False, capture_output=True)
    assert not mark.exists()
    assert git(project, "status", "--porcelain", "fine.txt") == "?? fine.txt\n"
    assert not (project / "out").is_symlink()
    for held in (
        "old.git/config",
        "planted/config",
        "sub/.git",
        "other/.git",
        "vendor/bare/config",
        "split/x/commondir",
        "tools/hooks/post-index-change",
        ".GIT",
        ".git/commondir",
    ):
        assert not (project / held).exists(), held

    await sandgate(home, "apply", "default", "--only", ".git/config")  # a person who names it gets it, and then it runs
    subprocess.run(["git", "-C", str(project), "-c", "safe.directory=*", "status"], check=False, capture_output=True)
    assert mark.exists()


async def test_single_files_go_in_and_out(home: Home, client: Client, project: Path, tmp_path: Path) -> None:
    (tmp_path / "in.bin").write_bytes(bytes(range(256)) * 1000)
    await inside(client, "true")
    assert "/tmp/in.bin" in await sandgate(home, "cp", str(tmp_path / "in.bin"), "default:/tmp/")
    assert await inside(client, "stat -c '%u %s' /tmp/in.bin") == "1000 256000\n"

    await sandgate(home, "cp", "default:/tmp/in.bin", str(tmp_path / "out.bin"))
    assert (tmp_path / "out.bin").read_bytes() == (tmp_path / "in.bin").read_bytes()
    await sandgate(home, "cp", "default:a.txt", str(tmp_path))
    assert (tmp_path / "a.txt").read_text() == "one\n"

    with (tmp_path / "large").open("wb") as file:
        file.write(b"begin")
        file.truncate(70 << 20)
    (tmp_path / "large").chmod(0o755)
    await sandgate(home, "cp", str(tmp_path / "large"), "default:/tmp/made/large")
    assert await inside(client, "stat -c '%a %s' /tmp/made/large; head -c 5 /tmp/made/large; ls -A /tmp/made") == (
        "755 73400320\nbeginlarge\n"
    )
    await sandgate(home, "cp", "default:/tmp/made/large", str(tmp_path / "back"))
    assert (tmp_path / "back").stat().st_mode & 0o111 == 0o111
    assert (tmp_path / "out.bin").stat().st_mode & 0o111 == 0

    for argv, words in (
        (("cp", "default:/none", str(tmp_path / "x")), "No such file"),
        (("cp", "default:/etc/shadow", str(tmp_path / "x")), "denied"),
        (("cp", "default:/dev/zero", str(tmp_path / "x")), "not a regular file"),
        (("cp", "default:/tmp", str(tmp_path / "x")), "it is a directory; pack it in the session first"),
        (("cp", "nobody:/x", str(tmp_path / "x")), "no running server has a session nobody; there are: default"),
        (("cp", str(tmp_path / "in.bin"), "default:/etc/x"), "denied"),
        (("cp", str(tmp_path / "large"), "default:/etc/x"), "denied"),  # said while most of it is still to come
        (("cp", str(tmp_path), "default:/tmp/x"), "is no file; pack a folder first"),
    ):
        assert words.lower() in (await sandgate(home, *argv, code=1)).lower()
    assert "one of the two is in a session" in await sandgate(home, "cp", "a", "b", code=2)
    assert not (tmp_path / "x").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".sandgate")] == []


@pytest.mark.promise("workspace.copy")
async def test_no_name_of_a_session_is_obeyed_by_a_terminal(home: Home, client: Client, project: Path) -> None:
    script = r"""
odd=$'\e[2J\e]0;title\a'
mkdir ".git:$odd" ".$odd.code-workspace" "$odd"; touch ".git:$odd/config" ".$odd.code-workspace/x" "$odd/plain"
ln -s "/tmp/$odd" out; ln -s "/tmp/$odd" /tmp/leads; echo here > /tmp/leads; echo changed > "$odd.txt"
truncate -s 3G "$odd.holes"
"""
    await inside(client, script)
    (project / "a.txt").write_text("a person's\n")
    (project / "b/deep.txt").unlink()
    (project / "b").rmdir()
    (project / "b").symlink_to("/tmp")
    await inside(client, "echo mine > a.txt; echo mine > b/deep.txt")
    told = [
        await sandgate(home, "diff", "default"),
        await sandgate(home, "apply", "default", "--skip-conflicts"),
        await sandgate(home, "cp", str(project / "a.txt"), "default:/tmp/leads"),
    ]

    assert "nearly all of it is holes" in told[0]
    assert "in conflict" in told[0]
    assert all(r"\x1b" in one and "\x1b" not in one and "\x07" not in one for one in told), told


@pytest.mark.promise("workspace.copy")
async def test_nonsense_at_the_operators_socket_ends_no_server(home: Home, client: Client, project: Path) -> None:
    await inside(client, "true")
    whose = {"owner": "local", "session": "default"}
    questions: list[bytes] = [
        b"", b"garbage that is no frame", b"\xff" * 64, message({}), message({"do": "all"}), HEAD.pack(5, JSON) + b"[1,2]",
        HEAD.pack(3, JSON) + b"{x}", piece(b"bytes"), message({"do": "changes", "owner": "eve", "session": "default"}),
        message({"do": "contents", **whose, "folder": "/etc", "paths": ["passwd"]}),
        message({"do": "contents", **whose, "folder": str(project), "paths": ["../../etc/passwd"]}),
        message({"do": "write", **whose, "path": "/tmp/x", "size": -1}), message({"do": "write", **whose, "path": "/tmp/x", "size": 1 << 40}),
        message({"do": "read", **whose, "path": "\0"}), message({"do": "read", **whose, "path": "/none"}),
    ]  # fmt: skip

    def ask(question: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(30)
            sock.connect(address(home.folder / "run" / home.server_id))
            sock.sendall(question)
            sock.shutdown(socket.SHUT_WR)
            return sock.recv(1 << 16)

    answers = [await anyio.to_thread.run_sync(ask, question) for question in questions]

    assert b"error" not in answers[0]
    assert all(b'"error"' in answer or not answer for answer in answers)
    assert sum(b'"error"' in answer for answer in answers) >= len(questions) - 3
    assert await inside(client, "echo still here") == "still here\n"


async def test_without_a_server_it_says_that_one_must_run(folder: Path) -> None:
    home = Home(folder, arguments=())
    assert "must run while you ask" in await sandgate(home, "diff", "default", code=1)


@pytest.mark.promise("workspace.copy")
async def test_changes_outlive_a_rest_and_a_server(own_folder: Path, project: Path) -> None:
    settings = '[policy]\nprofile = "open"\n[sandbox]\nfreeze_after_s = 0.2\npark_after_s = 0.5\n'
    home = Home(own_folder, settings, arguments=("--workspace", str(project)))
    async with connected(home) as client:
        await inside(client, "echo two >> a.txt")
        await anyio.to_thread.run_sync(lambda: until(lambda: home.audit("session.parked") != [], "it was not parked"))
        assert "+two" in await sandgate(home, "diff", "default")
    async with connected(home) as client:
        await client.list_tools()
        assert "+two" in await sandgate(home, "diff", "default")
        assert "1 applied" in await sandgate(home, "apply", "default")
        assert (project / "a.txt").read_text() == "one\ntwo\n"
        assert await inside(client, "cat a.txt") == "one\ntwo\n"
        await client.call_tool("session_close", {"session": "default"})


@pytest.mark.promise("workspace.rw")
async def test_in_a_writable_folder_what_is_new_and_run_is_told_in_the_result(own_folder: Path, project: Path) -> None:
    home = Home(own_folder, arguments=("--workspace", f"{project}:rw"))
    async with connected(home) as client:
        refused = await client.call_tool("file_write", {"path": f"{project}/.vscode/tasks.json", "content": "{}"})
        assert refused.is_error
        script = "import os; os.mkdir('.vscode'); open('.vscode/tasks.json', 'w').write('{}')"
        told = await client.call_tool("exec", {"argv": ["python3", "-c", script]})
        await client.call_tool("session_close", {"session": "default"})

    assert f"{project}/.vscode is new and a host runs what is there: moved to " in str(told.content)
    assert not (project / ".vscode").exists()
    assert home.audit("workspace.moved_aside")[0]["path"] == f"{project}/.vscode"
