"""What goes wrong when a sandbox is made, and what a lent folder is inside; with the real engine."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from server.sandbox.docker_engine import DockerEngine, Surroundings
from server.sandbox.image_recipe import seccomp_file
from server.sandbox.sandbox import Mount, SandboxFailed
from server.sandbox.workspaces import check
from tests.live import ACCESS, BASE, engine, sandbox, shell
from tests.real_engine import client

pytestmark = [pytest.mark.anyio, pytest.mark.asyncio_alone]


@pytest.fixture
def folder(own_folder: Path) -> Path:
    if os.geteuid() == 0:
        os.chown(own_folder, 1000, 1000)
    return own_folder


def lent(folder: Path, mode: str) -> Mount:
    lent = check(folder, "rw" if mode == "rw" else "ro", [], allow_root_owned=False).lent
    assert isinstance(lent, Mount)
    return lent


@pytest.mark.promise("weakening.said")
async def test_a_missing_disk_quota_is_said_once() -> None:
    said: list[str] = []
    async with engine(weakened=said) as made:
        for _ in range(2):
            box = await made.create(BASE)
            await box.close()
    with client() as api:
        has_quota = dict(api.info()["DriverStatus"]).get("Backing Filesystem") == "xfs"

    assert [sentence for sentence in said if "disk" in sentence] == ([] if has_quota else said[:1])


async def test_a_missing_image_says_how_to_build_it() -> None:
    async with engine() as made:
        with pytest.raises(SandboxFailed, match="sandgate images build"):
            await made.create(replace(BASE, image="sandgate/nowhere"))


async def test_a_socket_path_that_is_too_long_says_which_setting_shortens_it(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100)
    async with anyio.create_task_group() as tasks:
        made = DockerEngine(lambda: "", deep, "s", seccomp_file(), Surroundings(), 1, tasks, lambda sentence: None)
        with pytest.raises(SandboxFailed, match="SANDGATE_RUNTIME_DIR"):
            await made.create(BASE)


@pytest.mark.promise("nothing.left")
async def test_a_cancelled_start_leaves_no_container() -> None:
    async with engine() as made:
        with anyio.move_on_after(0.05):
            await made.create(BASE)
        with client() as api:
            assert api.containers(all=True, filters={"label": f"sandgate.server={made.server_id}"}) == []


async def test_a_writable_folder_is_the_owners_on_both_sides(folder: Path) -> None:
    (folder / "given").write_text("from outside\n")
    async with sandbox(mounts=(lent(folder, "rw"),)) as box:
        access = replace(ACCESS, write=(*ACCESS.write, str(folder)))
        said = await shell(box, f"cd {folder} && cat given && echo inside > made && stat -c %u made", access=access)

    assert said.text == "from outside\n1000\n"
    assert (folder / "made").read_text() == "inside\n"
    assert (folder / "made").stat().st_uid == folder.stat().st_uid


async def test_a_read_only_folder_is_read_and_not_written(folder: Path) -> None:
    (folder / "given").write_text("x\n")
    async with sandbox(mounts=(lent(folder, "ro"),)) as box:
        access = replace(ACCESS, write=(*ACCESS.write, str(folder)))
        said = await shell(box, f"cat {folder}/given; touch {folder}/new", access=access)

    assert said.out == b"x\n"
    assert b"Read-only file system" in said.err


@pytest.mark.promise("workspace.checked")
async def test_a_folder_that_was_swapped_after_the_check_is_not_used(folder: Path) -> None:
    mount = lent(folder, "rw")
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "another").touch()
    async with engine() as made:
        with pytest.raises(SandboxFailed, match="swapped for another folder"):
            await made.create(replace(BASE, mounts=(replace(mount, inode=mount.inode + 1),)))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
async def test_commands_run_as_the_owner_of_the_folder(folder: Path) -> None:
    os.chown(folder, 1234, 1234)
    async with sandbox(mounts=(lent(folder, "rw"),), user=(1234, 1234)) as box:
        access = replace(ACCESS, write=(*ACCESS.write, str(folder)))
        said = await shell(box, f"id -u; echo $HOME; touch $HOME/x && echo x > {folder}/made", access=access)

    assert said.text == "1234\n/tmp/home\n"
    assert (folder / "made").stat().st_uid == 1234


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to root")
async def test_in_a_folder_of_roots_commands_are_nobody_special(folder: Path) -> None:
    mount = lent(folder, "rw")
    os.chown(folder, 0, 0)
    folder.chmod(0o755)
    (folder / "shut").write_text("root's own\n")
    (folder / "shut").chmod(0o600)
    (folder / "shared").mkdir()
    (folder / "shared").chmod(0o777)
    async with sandbox(mounts=(mount,)) as box:
        access = replace(ACCESS, write=(*ACCESS.write, str(folder)))
        said = await shell(
            box, f"cd {folder}; id -u; cat shut; touch new; chmod 777 .; echo x > shared/made", access=access
        )

    assert said.out == b"1000\n"
    assert said.err.count(b"denied") + said.err.count(b"not permitted") == 3
    assert (folder / "shared/made").stat().st_uid == 1000


@pytest.mark.promise("session.alone")
async def test_two_sandboxes_share_nothing() -> None:
    async with engine() as made:
        one, two = await made.create(BASE), await made.create(BASE)
        await shell(one, "echo secret | tee /workspace/f /tmp/f /dev/shm/f /var/tmp/f > /dev/null")
        said = await shell(two, "ls /workspace /tmp /dev/shm /var/tmp; ls /run/sandgate; pgrep -c -u agent")
        await one.close()
        await two.close()

    assert "f" not in said.text.split()
