"""A server whose only image is a busybox, static or linked against musl: commands, files and the network as a client sees them."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from mcp import Client

from server.ops.demo_origin import HOST, Origin, serving
from tests import foreign
from tests.end_to_end.rig import Home, believed, text_from, text_of

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def origin(folder: Path) -> Iterator[Origin]:
    with serving(folder) as made:
        yield made


def image(libc: str) -> AbstractContextManager[str]:
    if libc == "musl":
        return foreign.built("musl", foreign.MUSL, network="host")
    return foreign.image("only-busybox", foreign.small(), ["ENV PATH=/bin"])


@pytest.fixture(scope="module", params=["none", pytest.param("musl", marks=pytest.mark.soak)])
def home(folder: Path, origin: Origin, request: pytest.FixtureRequest) -> Iterator[Home]:
    """By the C library of the image: a static busybox needs none."""
    with image(request.param) as tag:
        yield Home(
            folder,
            settings=f'environment = "tiny"\n[sandbox]\nimages = {{tiny = "{tag}", gone = "sandgate-test/gone:1"}}\n'
            f'[egress]\nallow = ["{HOST}:{origin.port}"]\n{believed(origin.certificate)}[policy]\nallow = ["wget"]\n',
        )


async def test_a_script_runs_by_sh_and_that_is_said(client: Client) -> None:
    told = await text_from(client, "shell", command="echo $((6 * 7)) && id -u")

    assert told.startswith("42\n1000\n")
    assert "[this image has no bash: /bin/sh ran the script]" in told


@pytest.mark.promise("call.permit")
async def test_what_sh_would_run_is_judged(client: Client) -> None:
    refused = await client.call_tool("shell", {"command": "echo fine; sudo id"})

    assert refused.is_error
    assert "sudo" in text_of(refused)


async def test_a_program_runs_without_a_shell(client: Client) -> None:
    assert (await text_from(client, "exec", argv=["ls", "-d", "/workspace"])).startswith("/workspace")


async def test_the_file_tools_work(client: Client) -> None:
    await text_from(client, "file_write", path="a/b.txt", content="one\ntwo\n")
    await text_from(client, "file_edit", path="a/b.txt", old="two", new="three")

    assert "three" in await text_from(client, "file_read", path="a/b.txt")
    assert "b.txt" in await text_from(client, "file_list", path="a")
    assert "a/b.txt" in await text_from(client, "file_search", pattern="thr.e", path=".")


async def test_names_lead_to_the_gate_and_no_further(client: Client) -> None:
    told = await text_from(client, "shell", command="wget -T 60 -q -O - http://elsewhere.example/ 2>&1; true")

    assert "403" in told
    assert "[the gate refused elsewhere.example:80" in told


async def test_an_image_that_the_engine_does_not_have_says_so_and_what_to_do(client: Client) -> None:
    refused = await client.call_tool("session_open", {"session": "x", "environment": "gone"})

    assert refused.is_error
    assert "no image sandgate-test/gone:1; pull it (docker pull sandgate-test/gone:1)" in text_of(refused)


async def test_an_environment_that_is_not_listed_names_those_that_are(client: Client) -> None:
    refused = await client.call_tool("session_open", {"session": "y", "environment": "windows"})

    assert "this server offers: tiny, gone" in text_of(refused)
