"""A client keeps a session's files and starts others from them: what crosses, what does not, and what is left."""

import secrets
import signal
import subprocess
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import anyio
import pytest
from mcp import Client

from tests.end_to_end.rig import PROGRAM, Home, RawServer, connected, refused, text_from
from tests.end_to_end.test_leftovers import GRACE, UNWEIGHED
from tests.real_engine import client as docker_client
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.anyio

BASE = 'environment = "base"\n[limits]\nsnapshots = 2\n'
LONG = 300_000_000  # bytes; what is done while they are kept has a second for it, on a quick disk


@pytest.fixture
def home(folder: Path) -> Iterator[Home]:
    place = folder / secrets.token_hex(2)
    place.mkdir(mode=0o755)
    made = Home(place, settings=BASE)
    yield made
    made.remove_images()


@pytest.fixture
async def client(home: Home, anyio_backend: str) -> AsyncGenerator[Client]:
    async with connected(home) as made:
        yield made


@pytest.fixture(scope="module")
def lasting_home(folder: Path) -> Iterator[Home]:
    """For tests that take sessions and snapshots of names of their own."""
    place = folder / "lasting"
    place.mkdir(mode=0o755)
    made = Home(place, settings='environment = "base"\n')
    yield made
    made.remove_images()


@pytest.fixture(scope="module")
async def lasting(lasting_home: Home, anyio_backend: str) -> AsyncGenerator[Client]:
    async with connected(lasting_home) as made:
        yield made


async def test_a_session_is_forked_and_restored_and_each_goes_its_own_way(lasting: Client) -> None:
    await text_from(
        lasting,
        "shell",
        session="own",
        command="echo 1 > a; mkdir -p ~/.cfg; echo mine > ~/.cfg/x; chmod 700 a; touch gone",
    )
    said = await text_from(lasting, "session_snapshot", session="own", name="before")
    assert "snapshot before of session own: environment base" in said
    assert "session_open(snapshot='before')" in said
    await text_from(lasting, "shell", session="own", command="echo 2 > a; rm gone")

    opened = await text_from(lasting, "session_open", session="fork", snapshot="before")
    assert "environment base" in opened
    fork = await text_from(lasting, "shell", session="fork", command="cat a ~/.cfg/x; stat -c %a a; ls; echo 3 > a")
    assert fork.splitlines() == ["1", "mine", "700", "a", "gone"]

    await text_from(lasting, "session_close", session="own")
    await text_from(lasting, "session_open", session="own", snapshot="before")
    assert await text_from(lasting, "shell", session="own", command="cat a") == "1"
    assert await text_from(lasting, "shell", command="cat a", session="fork") == "3"
    for session in ("own", "fork"):
        await text_from(lasting, "session_close", session=session)


async def test_a_snapshot_outlives_its_session_and_its_server(home: Home) -> None:
    async with connected(home) as first:
        await text_from(first, "shell", command="echo kept > a")
        await text_from(first, "session_snapshot", name="before")
    async with connected(home) as second:
        assert "snapshot before: base" in await text_from(second, "session_list")
        await text_from(second, "session_open", session="again", snapshot="before")
        assert await text_from(second, "shell", command="cat a", session="again") == "kept"


async def test_it_is_told_what_is_being_kept_while_it_is(lasting: Client) -> None:
    await text_from(lasting, "shell", session="told", command="head -c 100000000 /dev/urandom > big")
    seen: list[str] = []

    async def heard(progress: float, total: float | None, message: str | None) -> None:
        seen.append(message or "")

    await lasting.call_tool("session_snapshot", {"name": "told", "session": "told"}, progress_callback=heard)
    await text_from(lasting, "session_close", session="told")

    assert any(message.startswith("keeping 100 MB") for message in seen), seen


async def test_the_oldest_gives_way_with_its_image_and_a_replaced_one_too(client: Client, home: Home) -> None:
    await text_from(client, "shell", command="echo 1 > a")
    for name in ("one", "two", "two"):
        await text_from(client, "session_snapshot", name=name)
    assert len(home.images()) == 2

    assert "deleted to make room: one" in await text_from(client, "session_snapshot", name="three")

    assert len(home.images()) == 2
    assert "there is no snapshot 'one'; yours: two, three" in (
        await refused(client, "session_open", snapshot="one")
    ).replace("There", "there")


@pytest.mark.promise("audit.chain")
@pytest.mark.promise("call.permit")
async def test_a_snapshot_is_judged_and_recorded_as_any_call(lasting: Client, lasting_home: Home) -> None:
    asked = {"name": "judged", "session": "judged"}
    await text_from(lasting, "shell", session="judged", command="true")
    await text_from(lasting, "session_snapshot", **asked)
    await text_from(lasting, "session_close", session="judged")

    (started,) = [line for line in lasting_home.audit("call.started") if line["arguments"] == asked]
    trail = [line["kind"] for line in lasting_home.audit("call") if line["decision_id"] == started["decision_id"]]
    assert trail == ["call.started", "call.decided", "call.ended"]
    (taken,) = [line for line in lasting_home.audit("snapshot.taken") if line["name"] == "judged"]
    assert (taken["owner"], taken["kept_as"]) == ("local", "named")


@pytest.mark.promise("nothing.left")
async def test_a_cancelled_snapshot_leaves_nothing_and_the_session_goes_on(client: Client, home: Home) -> None:
    await text_from(client, "shell", command=f"head -c {LONG} /dev/urandom > big")
    begun = anyio.Event()

    async def heard(progress: float, total: float | None, message: str | None) -> None:
        if (message or "").startswith("keeping"):
            begun.set()

    async with anyio.create_task_group() as tasks:

        async def take() -> None:
            await client.call_tool("session_snapshot", {"name": "big"}, progress_callback=heard)

        tasks.start_soon(take)
        with anyio.fail_after(PATIENCE_S):
            await begun.wait()
        tasks.cancel_scope.cancel()

    assert "snapshot" not in await text_from(client, "session_list")
    assert await text_from(client, "shell", command="echo on") == "on"
    await anyio.to_thread.run_sync(until, lambda: home.images() == [], "what was made is still there")


async def test_one_of_a_fork_outlives_what_the_fork_came_from(client: Client, home: Home) -> None:
    await text_from(client, "shell", command="echo 1 > a")
    await text_from(client, "session_snapshot", name="first")
    await text_from(client, "session_open", session="fork", snapshot="first")
    await text_from(client, "shell", session="fork", command="echo 2 > b")
    await text_from(client, "session_snapshot", session="fork", name="second")
    await text_from(client, "session_close", session="fork")
    delete = [PROGRAM, "snapshots", "delete", "first"]
    await anyio.run_process(delete, env=home.environ)

    await text_from(client, "session_open", session="again", snapshot="second")
    assert await text_from(client, "shell", session="again", command="cat a b") == "1\n2"
    await text_from(client, "session_close", session="again")
    await anyio.run_process([*delete[:-1], "second"], env=home.environ)
    await anyio.run_process([PROGRAM, "images", "prune"], env=home.environ)
    assert home.images() == []


async def test_one_whose_image_somebody_removed_says_so_and_the_session_is_not_opened(
    client: Client, home: Home
) -> None:
    await text_from(client, "shell", command="echo 1 > a")
    await text_from(client, "session_snapshot", name="before")
    await text_from(client, "session_close")
    home.remove_images()

    said = await refused(client, "session_open", session="fork", snapshot="before")

    assert "files of snapshot before are not on the engine" in said
    assert "sandgate snapshots delete before" in said
    assert "fork" not in await text_from(client, "session_list")


async def test_a_running_command_stands_still_and_goes_on(lasting: Client) -> None:
    count = "i=0; while true; do i=$((i+1)); echo $i; sleep 0.05; done"
    await text_from(lasting, "shell", session="counting", command=count, background=True)
    await text_from(lasting, "session_snapshot", session="counting", name="running")

    counted = max(
        int(line)
        for line in (await text_from(lasting, "job_output", session="counting")).splitlines()
        if line.isdecimal()
    )
    with anyio.fail_after(PATIENCE_S):
        while f"\n{counted + 1}\n" not in (read := await text_from(lasting, "job_output", session="counting")):
            await anyio.sleep(0.05)
    assert "running" in read
    await text_from(lasting, "session_open", session="still", snapshot="running")
    assert "sleep" not in await text_from(lasting, "exec", argv=["ps", "-eo", "args"], session="still")
    for session in ("counting", "still"):
        await text_from(lasting, "session_close", session=session)


@pytest.mark.promise("nothing.left")
def test_a_server_that_dies_while_it_takes_one_leaves_no_paused_sandbox_and_no_image(home: Home) -> None:
    mortal = Home(home.folder, settings=f"{BASE}{GRACE}{UNWEIGHED}")
    server = RawServer.start(mortal)
    server.shell(f"head -c {LONG} /dev/urandom > big")
    asked = {"name": "session_snapshot", "arguments": {"name": "big"}, "_meta": {"progressToken": "how far"}}
    server.tell("tools/call", asked, id=99)
    assert server.process.stdout is not None
    assert any(b"keeping 3" in line for line in server.process.stdout)  # what it says right before the engine begins
    server.end(signal.SIGKILL)

    assert [line["kind"] for line in mortal.audit("session.")] == ["session.frozen"]
    mortal.wait_until_nothing_is_left()
    until(lambda: len(mortal.images()) == 1, "the engine finishes what it began")
    subprocess.run([PROGRAM, "images", "prune"], env=mortal.environ, check=True, capture_output=True)
    assert mortal.images() == []


async def test_a_bad_name_and_a_session_that_is_not_there_are_answers(lasting: Client) -> None:
    await text_from(lasting, "shell", session="named", command="true")
    assert "1 to 64 letters" in await refused(lasting, "session_snapshot", session="named", name="a/b")
    assert "no session nowhere" in await refused(lasting, "session_snapshot", name="a", session="nowhere")
    await text_from(lasting, "session_close", session="named")


PLANT = r"""
import os, site
planted = 'import os\nopen(f"/tmp/ran-as-{os.getuid()}", "w").close()\n'
for place in ("/workspace", site.getusersitepackages(), "/tmp"):
    os.makedirs(place, exist_ok=True)
    for module in ("json", "socket", "select", "struct", "sitecustomize", "usercustomize", "ctypes", "os"):
        with open(f"{place}/{module}.py", "w") as file:
            file.write(planted)
"""
ENV = ("ENV PYTHONPATH=/workspace", "ENV PYTHONSTARTUP=/workspace/json.py", "ENV PYTHONUSERBASE=/workspace")


@pytest.fixture
def trap() -> Iterator[str]:
    """An image that points every Python in it at the workspace."""
    name = f"sandgate-test-trap:{secrets.token_hex(4)}"
    with docker_client() as api:
        made = api.create_container("sandgate/base", ["never"])["Id"]
        repository, _, tag = name.partition(":")
        api.commit(made, repository, tag, changes="\n".join(ENV))
        api.remove_container(made, force=True, v=True)
        yield name
        api.remove_image(name, force=True)


@pytest.mark.promise("sandbox.powerless")
async def test_what_a_snapshot_has_planted_does_not_run_in_the_agent(home: Home, trap: str) -> None:
    trapped = Home(home.folder, settings=f'environment = "trap"\n[sandbox]\nimages = {{trap = "{trap}"}}\n')
    async with connected(trapped) as client:
        await text_from(client, "exec", argv=["/usr/bin/python3", "-I", "-c", PLANT])
        await text_from(client, "session_snapshot", name="planted")
        await text_from(client, "session_open", session="fork", snapshot="planted")

        assert (
            await text_from(client, "shell", session="fork", command="echo agent; ls /tmp | grep ran-as || true")
            == "agent"
        )
        await text_from(client, "file_list", session="fork", path="/tmp")
        await client.call_tool("shell", {"session": "fork", "command": "/usr/bin/python3 -c 'import json'"})
        ran = await text_from(client, "shell", session="fork", command="ls /tmp | grep ran-as")
        assert ran == "ran-as-1000", "the trap is armed, for whoever starts a Python of his own"
