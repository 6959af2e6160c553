"""What goes wrong when a sandbox is made, and what a lent folder is inside; with the real engine."""

import gc
import os
import shutil
import warnings
from dataclasses import replace
from pathlib import Path
from threading import Event

import anyio
import docker
import pytest
from docker.errors import APIError

from server.sandbox.docker_engine import DockerEngine, left_out
from server.sandbox.docker_sandbox import CLOSE_PATIENCE_S
from server.sandbox.engine import NoEngine
from server.sandbox.image_recipe import seccomp_file
from server.sandbox.sandbox import Mount, SandboxFailed
from server.sandbox.surroundings import Surroundings
from server.sandbox.workspaces import check
from tests.fake_engine import silent_engine
from tests.live import ACCESS, BASE, engine, sandbox, shell
from tests.real_engine import client, engine_url
from tests.waiting import eventually

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


async def test_an_engine_that_hangs_is_named_and_does_not_hold_up_the_end(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("START_PATIENCE_S", "CLOSE_PATIENCE_S", "LEAVE_PATIENCE_S"):
        monkeypatch.setattr(f"server.sandbox.docker_engine.{name}", 0.1)
    with silent_engine(own_folder / "e.sock") as url:
        async with anyio.create_task_group() as tasks:
            made = DockerEngine(
                lambda: url, own_folder / "s", "one", seccomp_file(), Surroundings(), 20, tasks, lambda _: None
            )
            with pytest.raises(SandboxFailed, match=r"the Docker engine did not answer .* try again"):
                await made.create(BASE)
            monkeypatch.setattr(made._scales, "close", (over := Event()).wait)
            with anyio.fail_after(20):
                await made.close()
            over.set()
            tasks.cancel_scope.cancel()


async def test_an_engine_that_no_thread_had_the_time_to_ask_is_named_as_well(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.sandbox.docker_engine.START_PATIENCE_S", 0)

    assert "the Docker engine did not answer" in await why_none_is_made_in(own_folder)


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


@pytest.mark.promise("weakening.said")
async def test_a_limit_that_the_engine_leaves_out_is_a_sentence() -> None:
    """As Docker 26.1 answered where it was in the root of cgroup v2; here it leaves nothing out."""
    lacks = "Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap."
    said: list[str] = []
    async with engine(weakened=said) as made:
        await (await made.create(BASE)).close()

    assert left_out({"Id": "1", "Warnings": [lacks]}) == [
        f"The engine made a sandbox otherwise than asked for: {lacks}"
    ]
    assert not [sentence for sentence in said if "otherwise" in sentence]


async def test_a_missing_image_says_how_to_build_it() -> None:
    async with engine() as made:
        with pytest.raises(SandboxFailed, match="sandgate images build"):
            await made.create(replace(BASE, image="sandgate/nowhere"))
        with pytest.raises(SandboxFailed, match=r"docker pull nowhere:1.*or give environment ruby another"):
            await made.create(replace(BASE, image="nowhere:1", environment="ruby"))


async def test_a_socket_path_that_is_too_long_says_which_setting_shortens_it(tmp_path: Path) -> None:
    assert "SANDGATE_RUNTIME_DIR" in await why_none_is_made_in(tmp_path / ("x" * 100))


async def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "File exists" in await why_none_is_made_in(tmp_path / "file")


async def why_none_is_made_in(directory: Path) -> str:
    """With its sockets in that folder. No engine is there, and none is waited for."""

    def nowhere() -> str:
        raise NoEngine("nobody is asked")

    async with anyio.create_task_group() as tasks:
        made = DockerEngine(nowhere, directory, "s", seccomp_file(), Surroundings(), 1, tasks, lambda _: None)
        with anyio.fail_after(CLOSE_PATIENCE_S / 2):
            with pytest.raises(SandboxFailed) as refused:
                await made.create(BASE)
            await anyio.lowlevel.checkpoint()  # where a wait that nobody could cut short is noticed
    return str(refused.value)


@pytest.mark.promise("nothing.left")
async def test_a_cancelled_start_leaves_no_container() -> None:
    async with engine() as made:
        with anyio.move_on_after(0.05):
            await made.create(BASE)
        with client() as api:
            assert api.containers(all=True, filters={"label": f"sandgate.server={made.server_id}"}) == []


async def test_a_start_that_is_cancelled_before_it_began_is_waited_for_by_nobody() -> None:
    async with engine() as made:
        with anyio.fail_after(CLOSE_PATIENCE_S / 2):
            with anyio.CancelScope() as cancelled:
                cancelled.cancel()
                await made.create(BASE)
            await anyio.lowlevel.checkpoint()  # as above


@pytest.mark.promise("nothing.left")
async def test_where_the_engine_is_away_a_close_raises_nothing_and_the_agent_ends_its_sandbox(folder: Path) -> None:
    """As with the engine's own restart: what a session_close raised then ended the whole server."""
    way = folder / "docker.sock"
    way.symlink_to(engine_url().removeprefix("unix://"))
    async with engine(find=lambda: f"unix://{way}") as made:
        box = await made.create(BASE)
        way.unlink()
        made._docker().close()  # what it keeps open
        with warnings.catch_warnings(action="ignore", category=ResourceWarning):
            await box.close()
            gc.collect()  # the docker package drops the socket that it could not connect

        with client() as api:
            label = f"sandgate.server={made.server_id}"
            await eventually(lambda: not api.containers(all=True, filters={"label": label}))


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


async def test_where_the_engine_fails_at_a_container_another_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    failed, started = list[str](), docker.APIClient.start

    def start(api: docker.APIClient, container: str) -> None:
        if not failed:
            failed.append(container)
            raise APIError("500", explanation="runc create failed: read init-p: connection reset by peer")
        started(api, container)

    monkeypatch.setattr(docker.APIClient, "start", start)
    async with sandbox() as box:
        assert (await shell(box, "echo here")).out == b"here\n"
        with client() as api:
            assert failed[0] not in [container["Id"] for container in api.containers(all=True)]


async def test_an_engine_that_fails_at_each_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: docker.APIClient, __: str) -> None:
        raise APIError("500", explanation="runc create failed: no such thing")

    monkeypatch.setattr(docker.APIClient, "start", start)
    async with engine() as made:
        with pytest.raises(SandboxFailed, match=r"the Docker engine did not start a sandbox: .*no such thing"):
            await made.create(BASE)


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


@pytest.mark.promise("session.alone")
async def test_a_sandbox_that_says_there_is_no_room_has_no_neighbour_stopped() -> None:
    async with engine() as made:
        assert made._room() is None
        for identity, size in (("honest", 5 << 30), ("lying", 0)):
            made._hear_room(identity, size)

        assert made._room() == 5 << 30
