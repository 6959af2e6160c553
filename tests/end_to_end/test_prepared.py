"""Environments of the operator's own, prepared by real commands in real containers behind the real policy."""

import os
import secrets
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
from mcp import Client
from mcp.types import CallToolResult

from tests.end_to_end.rig import Home, connected, text_of
from tests.end_to_end.shop import HELLO, open_shop
from tests.end_to_end.shop import said as said_in
from tests.end_to_end.test_bad_machine import said
from tests.waiting import until

pytestmark = pytest.mark.anyio

SETUP = """
environment = "data"
[environments.data]
image = "base"
setup = ["mkdir ~/made && cp requirements.txt ~/made/ && date +%N > ~/made/when", "echo second >> ~/made/requirements.txt"]
cache_on = ["requirements.txt"]
"""


@pytest.fixture
def folder_of_mine(folder: Path) -> Path:
    made = folder / f"mine-{secrets.token_hex(2)}"
    made.mkdir()
    (made / "requirements.txt").write_text("first\n")
    if os.geteuid() == 0:
        os.chown(made, 1000, 1000)
    return made


@pytest.fixture
def place(folder: Path) -> Iterator[Path]:
    made = folder / secrets.token_hex(2)
    made.mkdir(mode=0o755)
    yield made
    Home(made).remove_images()


async def answer(client: Client, tool: str, **arguments: Any) -> CallToolResult:
    """Called again for as long as it says that its environment is still being prepared: on a busy machine it may."""
    while "is still being prepared" in text_of(result := await client.call_tool(tool, arguments)):
        assert result.is_error
    return result


async def text_from(client: Client, tool: str, **arguments: Any) -> str:
    result = await answer(client, tool, **arguments)
    assert not result.is_error, text_of(result)
    return text_of(result)


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    result = await answer(client, tool, **arguments)
    assert result.is_error, text_of(result)
    return text_of(result)


def warm(home: Home) -> set[str]:
    """Sandboxes that were made ahead and that nobody has had."""
    made, had = ({line["sandbox"] for line in home.audit(f"sandbox.{what}")} for what in ("created", "claimed"))
    return made - had


async def test_setup_runs_once_for_all_servers_and_anew_when_a_file_changes(place: Path, folder_of_mine: Path) -> None:
    home = Home(place, settings=SETUP, arguments=("--workspace", f"{folder_of_mine}:ro"))
    look = "cat ~/made/requirements.txt ~/made/when"
    async with connected(home) as first:
        made = (await text_from(first, "shell", command=look)).splitlines()
        assert made[:2] == ["first", "second"]
        await anyio.to_thread.run_sync(until, lambda: bool(warm(home)), "none was made ahead")
        ahead = warm(home)
        await text_from(first, "session_open", session="more")
        assert home.audit("sandbox.claimed")[-1]["sandbox"] in ahead, "the second is as warm as a plain one"
        assert (await text_from(first, "shell", command=look, session="more")).splitlines()[2] == made[2]
    async with connected(home) as second:
        assert (await text_from(second, "shell", command=look)).splitlines()[2] == made[2]
        (folder_of_mine / "requirements.txt").write_text("changed\n")
        await text_from(second, "session_open", session="changed")
        assert (await text_from(second, "shell", command=look, session="changed")).splitlines()[:2] == [
            "changed",
            "second",
        ]


def wheel(folder: Path) -> str:
    """A package as pip takes it, so that no index is needed."""
    name = "greeting-1.0-py3-none-any.whl"
    about = "greeting-1.0.dist-info"
    with zipfile.ZipFile(folder / name, "w") as archive:
        archive.writestr("greeting.py", "WORD = 'hello'\n")
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n")
        archive.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: us\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{about}/RECORD", "")
    return name


async def test_what_pip_installs_is_there_for_every_session(place: Path, folder_of_mine: Path) -> None:
    package = wheel(folder_of_mine)
    settings = f"""
environment = "data"
[environments.data]
image = "python"
setup = ["pip install --no-index {package}"]
cache_on = ["{package}"]
"""
    home = Home(place, settings=settings, arguments=("--workspace", f"{folder_of_mine}:ro"))
    async with connected(home) as client:
        command = ["python", "-c", "import greeting; print(greeting.WORD)"]
        assert (await text_from(client, "exec", argv=command)).splitlines()[0] == "hello"
        await text_from(client, "session_open", session="more")
        assert await text_from(client, "exec", argv=command, session="more") == "hello"


# Image, what fills the cache once, what a session then does, and what it need not fetch again. See shop.py for SHOP and NEW.
CACHES = {
    "pip": (
        "python",
        "pip download -q --no-deps -d /tmp/wheels --index-url SHOP/simple brass && rm -r /tmp/wheels",
        "pip install -q --index-url SHOP/simple --target NEW brass && python3 NEW/brass.py",
        "GET /brass-1.0-py3-none-any.whl",
    ),
    "npm": (
        "node",
        "npm cache add --registry SHOP/npm/ brass",
        "cd NEW && npm install --prefer-offline --registry SHOP/npm/ brass && node -e 'require(\"brass\")'",
        "GET /brass-1.0.0.tgz",
    ),
}


@pytest.mark.parametrize("name", ["pip", pytest.param("npm", marks=pytest.mark.soak)])  # node is built on request
async def test_a_cache_that_setup_filled_is_warm_in_every_session(place: Path, name: str) -> None:
    image, fill, use, fetch = CACHES[name]
    with open_shop(place) as shop:
        fill = fill.replace("SHOP", shop.url)
        warm = f'[environments.warm]\nimage = "{image}"\nsetup = ["{fill}"]\n'
        async with connected(Home(place, settings=shop.settings("warm") + warm)) as client:
            await text_from(client, "session_open", session="first")
            assert [line for line in shop.asked if line.startswith(fetch)]
            shop.asked.clear()
            assert HELLO in await said_in(client, shop, use)

        assert not [line for line in shop.asked if line.startswith(fetch)]


@pytest.mark.promise("call.permit")
async def test_setup_is_judged_and_recorded_under_the_operator(place: Path) -> None:
    settings = 'environment = "data"\n[environments.data]\nimage = "base"\nsetup = ["true", "echo 2"]\n'
    home = Home(place, settings=settings)
    async with connected(home) as client:
        await text_from(client, "shell", command="true")

    asked = [(line["caller"], line["tool"]) for line in home.audit("call.started")]
    assert asked[0] == ("local", "shell")
    assert [each for each in asked if each != asked[0]] == [
        ("operator", "session_open"),
        ("operator", "shell"),
        ("operator", "shell"),
        ("operator", "session_snapshot"),
    ]


@pytest.mark.promise("refusal.teaches")
async def test_a_setup_that_the_policy_refuses_says_which_rule_and_runs_no_session(place: Path) -> None:
    settings = 'environment = "data"\n[environments.data]\nimage = "base"\nsetup = ["true", "sudo true"]\n'
    home = Home(place, settings=settings)
    async with connected(home) as client:
        told = await refused(client, "shell", command="true")
        assert "setup 2 of 2, `sudo true`: the policy does not let it run" in told
        assert "privilege.tools" in told
        assert "no sessions" in await text_from(client, "session_list")

    assert home.images() == []


@pytest.mark.promise("egress.only_gate")
async def test_setup_reaches_only_what_its_environment_may(place: Path) -> None:
    settings = """
environment = "data"
[egress]
allow = ["docs.example", "other.example"]
[environments.data]
image = "base"
network = ["docs.example"]
setup = ["curl -sS http://other.example/; false"]
"""
    async with connected(Home(place, settings=settings)) as client:
        assert "[the gate refused other.example:80: " in await refused(client, "session_open")


async def test_its_commands_are_told_while_they_run(place: Path) -> None:
    settings = 'environment = "data"\n[environments.data]\nimage = "base"\nsetup = ["echo working on it; sleep 3"]\n'
    seen: list[str] = []

    async def heard(progress: float, total: float | None, message: str | None) -> None:
        seen.append(message or "")

    async with connected(Home(place, settings=settings)) as client:
        await client.call_tool("session_open", {}, progress_callback=heard)

    assert "working on it\n" in seen


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ("[environments.data]\nsetup = ['true']\n", "environments.data has no image"),
        (
            "[environments.data]\nimage = 'base'\nnetwork = ['evil.example']\n",
            "environments.data.network: evil.example is not among the allowed hosts",
        ),
    ],
)
def test_what_cannot_be_offered_is_said_at_start(folder: Path, settings: str, sentence: str) -> None:
    home = Home(folder / secrets.token_hex(2), settings=settings)
    code, text = said(home, *home.argv[1:])

    assert code == 1
    assert sentence in text
