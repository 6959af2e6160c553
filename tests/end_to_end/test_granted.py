"""Environments, folders and secrets for callers of some roles: who has it not finds nothing of it."""

from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from server.settings.http import digest
from tests.end_to_end.http_rig import ANN, BOB, HttpServer, serving, streamable
from tests.end_to_end.rig import Home, called, structured, text_of
from tests.waiting import PATIENCE_S

pytestmark = [pytest.mark.anyio, pytest.mark.promise("caller.known")]
LOOK = 'ls {folder}; echo "${{KEY:-none}}"'
SETTINGS = """
environment = "base"
allow_root_owned = true
[environments.tools]
image = "base"
setup = ["echo made > ~/tools"]
roles = ["dev"]
[[workspace]]
path = "{folder}"
mode = "ro"
roles = ["dev"]
[[secret]]
name = "key"
variable = "KEY"
host = "api.example.com"
env = "HOME"
roles = ["dev"]
[[http.tokens]]
name = "ann"
sha256 = "{ann}"
roles = ["user", "dev"]
[[http.tokens]]
name = "bob"
sha256 = "{bob}"
"""


@pytest.fixture(scope="module")
def lent(folder: Path) -> Path:
    made = folder / "lent"
    made.mkdir()
    (made / "plans.txt").write_text("plans\n")
    return made


@pytest.fixture(scope="module")
def server(folder: Path, lent: Path) -> Iterator[HttpServer]:
    home = Home(folder / "g", SETTINGS.format(folder=lent, ann=digest(ANN), bob=digest(BOB)))
    home.folder.mkdir()
    with serving(home) as made:
        yield made
    home.remove_images()


async def test_who_has_the_role_has_all_of_it(server: HttpServer, lent: Path) -> None:
    async with streamable(server, ANN) as ann:
        opened = structured(await called(ann, "session_open", environment="tools", session="work"))
        made = text_of(await called(ann, "shell", command="cat ~/tools", session="work"))
        ran = structured(await called(ann, "shell", command=LOOK.format(folder=lent), session="work"))

    assert opened["cwd"] == str(lent)
    assert made == "made"
    assert ran["stdout"].startswith("plans.txt\nsandgate_")


async def test_who_has_it_not_finds_nothing_of_it(server: HttpServer, lent: Path) -> None:
    async with streamable(server, BOB) as bob:
        refused = text_of(await bob.call_tool("session_open", {"environment": "tools"}))
        ran = structured(await called(bob, "shell", command=LOOK.format(folder=lent)))
        narrowed = text_of(await bob.call_tool("session_open", {"workspace": "lent"}))

    assert "There is no environment tools; this server offers: base, python, node" in refused
    assert (ran["stdout"], ran["cwd"]) == ("none\n", "/workspace")
    assert "No such file" in ran["stderr"]
    assert "lends none" in narrowed


async def test_a_session_of_a_role_that_was_lost_can_be_ended_and_nothing_else(server: HttpServer) -> None:
    settings = server.home.folder / ".config/sandgate/sandgate.toml"
    async with streamable(server, ANN) as ann:

        async def said(tool: str, **more: str) -> str:
            return text_of(await ann.call_tool(tool, {"session": "late", **more}))

        await called(ann, "session_open", environment="base", session="late")
        await called(ann, "shell", command="cat plans.txt; sleep 300", session="late", wait_s=0)
        lesser = settings.with_name("lesser.toml")  # in its place in one: the server looks at any moment
        lesser.write_text(settings.read_text().replace('roles = ["user", "dev"]', 'roles = ["user"]'))
        lesser.replace(settings)
        with anyio.fail_after(PATIENCE_S):
            while "what your role has not" not in await said("job_output"):
                await anyio.sleep(0.2)
        refused = [
            await said("shell", command="cat plans.txt"),
            await said("file_read", path="plans.txt"),
            await said("session_snapshot", name="mine"),
            await said("job_input", job="j1", text="x"),
        ]
        ended = [await said("job_stop"), await said("session_close")]

    assert all("what your role has not" in each for each in refused)
    assert not any("what your role has not" in each for each in ended)
