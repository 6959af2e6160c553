"""examples/compose as it stands, on the engine of the tests. Only what cannot be had here is another: the socket's place, the
image to start from, and OPA, whose own engine answers in its place (opa_server.py)."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import anyio
import httpx
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, TextContent

from server.ops.clients import Place, entry
from server.sandbox.sandbox import USER_ID
from tests.free_port import free_port
from tests.real_engine import client as docker_client
from tests.real_engine import engine_url, remove_volume
from tests.waiting import until
from tests.wheel import ROOT

pytestmark = [pytest.mark.soak, pytest.mark.anyio]
PROJECT, VOLUME = "sandgate-test-compose", "sandgate-test-run"
ON_OUR_ENGINE = ("sandgate.builds-on=host-network",)


@dataclass(frozen=True, slots=True)
class Compose:
    folder: Path
    port: int

    def run(self, *argv: str, timeout_s: float = 180) -> str:
        files = ("-f", "compose.yaml", "-f", "here.yaml")
        return _docker(
            "compose", "-p", PROJECT, *files, *argv, cwd=self.folder, timeout_s=timeout_s, PORT=str(self.port)
        )


def _docker(*argv: str, cwd: Path = ROOT, timeout_s: float = 1200, **more: str) -> str:
    environ = {**os.environ, "DOCKER_HOST": engine_url(), "DOCKER_BUILDKIT": "0", **more}
    done = subprocess.run(
        ["docker", *argv], cwd=cwd, env=environ, capture_output=True, text=True, timeout=timeout_s, check=False
    )
    assert done.returncode == 0, f"{argv}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout.strip()


def _here() -> dict[str, Any]:
    """What this machine has in another place than most."""
    socket_path = f"{engine_url().removeprefix('unix://')}:/var/run/docker.sock"
    stand_in = {
        "image": "sandgate/base",
        "entrypoint": [sys.executable, "-m", "tests.soak.opa_server"],
        "command": ["/policy/bundle.tar.gz", "8181"],
        "working_dir": str(ROOT),
        "init": True,  # which hands a stop on to Python
        "volumes": [f"{ROOT}:{ROOT}:ro"],
    }
    return {"services": {"prepare": {"volumes": [socket_path]}, "server": {"volumes": [socket_path]}, "opa": stand_in}}


@pytest.fixture(scope="module")
def compose(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker has no compose here")
    folder = tmp_path_factory.mktemp("compose")
    for name in ("compose.yaml", "sandgate.toml"):
        text = (ROOT / "examples/compose" / name).read_text()
        assert "sandgate-run" in text
        (folder / name).write_text(text.replace("sandgate-run", VOLUME))  # beside one that is in use
    (folder / "here.yaml").write_text(json.dumps(_here()))
    with docker_client() as api:
        network = ("--network", "host") if set(ON_OUR_ENGINE) & set(api.info()["Labels"] or ()) else ()
    base = ("--build-arg", "DEBIAN=sandgate/base:latest")
    for name in ("server", "egress"):
        _docker("build", "-q", *network, *base, "-t", f"sandgate/{name}", "-f", f"images/{name}/Dockerfile", ".")
    made = Compose(folder, free_port())
    try:
        yield made
    finally:
        made.run("down", "-v", "--timeout", "20")
        shutil.rmtree(folder)


@asynccontextmanager
async def calling(compose: Compose, token: str) -> AsyncGenerator[Client]:
    async with (
        httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=90) as http,
        Client(streamable_http_client(f"http://127.0.0.1:{compose.port}/mcp", http_client=http)) as client,  # type: ignore[arg-type]  # as in tests/end_to_end
    ):
        yield client


def text(result: CallToolResult) -> str:
    return "".join(part.text for part in result.content if isinstance(part, TextContent))


FETCH = (
    "import urllib.request, urllib.error\n"
    "try: urllib.request.urlopen('https://elsewhere.example/')\n"
    "except urllib.error.HTTPError as error: print(error.code, error.read().decode())"
)
# Of the volume, the authority's key and the state.
SEES = "find / -path /proc -prune -o \\( -type s -o -name 'mitmproxy-ca*' -o -name '*.db' -o -name audit.jsonl \\) -print 2>/dev/null; true"


async def test_a_server_in_a_container_has_sandboxes_beside_it(compose: Compose) -> None:
    token = compose.run("run", "--rm", "server", "token", "new", "ann").splitlines()[-1]
    compose.run("up", "-d", "--no-build", "--wait")

    async with calling(compose, token) as client:
        await client.call_tool("session_open", {"session": "work"})
        wrote = await client.call_tool("shell", {"session": "work", "command": "ls /sys/class/net; echo kept > note"})
        fetched = await client.call_tool("exec", {"session": "work", "argv": ["python3", "-c", FETCH]})
        root = await client.call_tool("shell", {"session": "work", "command": "sudo id"})

    assert text(wrote).split() == ["lo"]
    assert "egress.not_allowed" in text(fetched)
    assert root.is_error
    assert "privilege.tools" in text(root)  # as OPA says

    compose.run("restart", "server")
    compose.run("up", "-d", "--no-build", "--wait")
    async with calling(compose, token) as client:
        read = await client.call_tool("shell", {"session": "work", "command": "cat note"})
    assert text(read).startswith("kept")


@pytest.mark.promise("egress.gate_dies_with_server")
async def test_the_gate_is_a_container_of_its_own_that_sees_no_sandbox_and_comes_back(compose: Compose) -> None:
    token = compose.run("run", "--rm", "server", "token", "new", "bob").splitlines()[-1]
    with docker_client() as api:
        (gate,) = api.containers(
            filters={"label": [f"com.docker.compose.project={PROJECT}", "com.docker.compose.service=gate"]}
        )
        mounts = {mount["Destination"] for mount in api.inspect_container(gate["Id"])["Mounts"]}
        sees = compose.run("exec", "-T", "gate", "find", "/run", "/var/lib/gate", "-type", "s")
    assert mounts == {"/run/gate", "/var/lib/gate"}
    assert sees == ""  # it has been called, and waits for nobody

    async with calling(compose, token) as client:
        await client.call_tool("session_open", {"session": "work"})
        before = await client.call_tool("exec", {"session": "work", "argv": ["python3", "-c", FETCH]})
        looked = await client.call_tool("shell", {"session": "work", "command": SEES})
        compose.run("kill", "gate")
        compose.run("up", "-d", "--no-build", "--wait")
        with anyio.fail_after(60):
            while "egress.not_allowed" not in text(
                after := await client.call_tool("exec", {"session": "work", "argv": ["python3", "-c", FETCH]})
            ):
                await anyio.sleep(0.5)
    assert "egress.not_allowed" in text(before)
    assert not after.is_error
    assert {Path(seen).name for seen in text(looked).split()} == {"egress.sock"}


@pytest.mark.promise("session.alone")
def test_each_sandbox_mounts_its_own_part_of_the_volume(compose: Compose) -> None:
    with docker_client() as api:
        boxes = [api.inspect_container(box["Id"]) for box in api.containers(filters={"label": "sandgate.sandbox"})]
    links = [mount for box in boxes for mount in box["HostConfig"]["Mounts"] if mount["Source"] == VOLUME]
    parts = [mount["VolumeOptions"]["Subpath"] for mount in links]

    assert parts
    assert len(set(parts)) == len(parts)
    assert all(mount["ReadOnly"] and len(Path(part).parts) == 2 for mount, part in zip(links, parts, strict=True))


def test_the_doctor_finds_all_promises_held_in_there(compose: Compose) -> None:
    report = json.loads(compose.run("exec", "-T", "server", "sandgate", "doctor", "--json"))

    assert {check["id"]: check["sentence"] for check in report["checks"] if check["outcome"] == "fail"} == {}
    assert {"held_mounts", "gate_allows", "limit_disk"} <= {check["id"] for check in report["checks"]}


@pytest.fixture
def theirs(own_folder: Path) -> Path:
    """Somebody's own folder, with a file of his."""
    (own_folder / "theirs").write_text("from the host")
    for path in (own_folder, own_folder / "theirs"):
        os.chown(path, USER_ID, USER_ID)
    return own_folder


async def test_a_client_that_starts_it_with_docker_run_has_it_on_stdio(compose: Compose, theirs: Path) -> None:
    """As `sandgate install CLIENT --container -- --workspace DIR:rw` writes it down, but for the names of the volumes."""
    socket_path = engine_url().removeprefix("unix://")
    told = entry(Place(theirs), Path("sandgate"), ("--workspace", f"{theirs}:rw"), {}, socket_path)
    own = str(compose.folder / "sandgate.toml")
    (compose.folder / "sandgate.toml").write_text(f'[sandbox]\nsocket_volume = "{VOLUME}"\n')
    words = [word.replace("sandgate-run", VOLUME) for word in cast("list[str]", told["args"])]
    words = ["run", "-v", f"{own}:/etc/sandgate/sandgate.toml:ro", *words[1:]]
    words = [word.replace("sandgate-state", f"{PROJECT}_stdio") for word in words]
    server = StdioServerParameters(command="docker", args=words, env={**os.environ, "DOCKER_HOST": engine_url()})

    async with Client(server) as client:
        result = await client.call_tool("shell", {"command": "cat theirs && echo from inside > ours"})

    assert text(result).startswith("from the host")
    assert (theirs / "ours").read_text() == "from inside\n"
    with docker_client() as api:
        sandboxes = {"volume": str(theirs), "label": "sandgate.sandbox"}
        until(lambda: not api.containers(all=True, filters=sandboxes), "one has outlived its server")
        remove_volume(api, f"{PROJECT}_stdio")


def test_when_it_goes_nothing_is_left(compose: Compose) -> None:
    compose.run("down", "-v", "--timeout", "20")

    with docker_client() as api:
        left = api.containers(all=True, filters={"label": f"com.docker.compose.project={PROJECT}"})
        volumes = api.volumes(filters={"name": VOLUME})["Volumes"]
    assert (left, volumes) == ([], [])
