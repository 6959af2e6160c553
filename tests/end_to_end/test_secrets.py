"""A secret of the operator's, used by a real program in a real sandbox that never holds it."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import anyio
import pytest
from mcp import Client

from tests.egress.world.certificates import FakeAuthority
from tests.egress.world.origin import Origin
from tests.end_to_end.rig import Home, called, connected, structured, text_of
from tests.waiting import PATIENCE_S

pytestmark = [pytest.mark.anyio, pytest.mark.promise("secrets.outside")]

FIRST, SECOND = "first-value-0123456789", "second-value-987654321"


@pytest.fixture(scope="module")
def origin(folder: Path) -> Iterator[Origin]:
    made = Origin(FakeAuthority(folder).context("api.example"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def value(folder: Path) -> Path:
    path = folder / "value"
    path.write_text(f"{FIRST}\n")
    return path


@pytest.fixture(scope="module")
def home(folder: Path, origin: Origin, value: Path) -> Home:
    settings = f"""
environment = "base"
[policy]
allow = ["curl"]
[egress]
allow = ["api.example:{origin.port}"]
resolve = {{"api.example" = "127.0.0.1"}}
networks = ["127.0.0.1/32"]
upstream_ca = "{folder}/internet.pem"
[[secret]]
name = "key"
variable = "API_KEY"
host = "api.example:{origin.port}"
file = "{value}"
prefix = "sk-"
[[secret]]
name = "printed"
variable = "PRINTED_KEY"
host = "api.example:{origin.port}"
command = ["sh", "-c", "echo from-a-command-$HOME_OF_IT"]
headers = ["x-printed"]
"""
    return Home(folder, settings=settings, extra={"HOME_OF_IT": "77"})


async def shell(client: Client, command: str) -> str:
    return str(structured(await called(client, "shell", command=command))["stdout"])


async def test_a_program_uses_it_and_the_sandbox_never_holds_it(client: Client, home: Home, origin: Origin) -> None:
    lent = (await shell(client, "echo $API_KEY")).strip()
    echoed = await shell(
        client,
        f'curl -sS https://api.example:{origin.port}/echo -H "Authorization: Bearer $API_KEY" -H "X-Printed: $PRINTED_KEY"',
    )
    around = await shell(client, "env")

    assert lent.startswith("sk-sandgate_")
    assert f": Bearer {FIRST}".encode() in origin.everything
    assert b": from-a-command-77" in origin.everything
    assert lent.encode() not in origin.everything
    assert "*" * len(FIRST) in echoed
    assert not [text for text in (FIRST, "from-a-command") if text in echoed + around]


async def test_a_placeholder_sent_elsewhere_is_said_to_the_model(client: Client, origin: Origin) -> None:
    result = await client.call_tool(
        "shell", {"command": f'curl -sS "https://api.example:{origin.port}/?leak=$API_KEY"'}
    )

    assert "[the gate refused api.example" in text_of(result)
    assert "The placeholder of the secret key may go to" in text_of(result)
    assert b"leak" not in origin.everything


async def test_a_new_value_is_taken_up_without_a_restart(client: Client, origin: Origin, value: Path) -> None:
    value.write_text(f"{SECOND}\n")
    with anyio.fail_after(PATIENCE_S):
        while SECOND.encode() not in origin.everything:
            await shell(client, f'curl -sS https://api.example:{origin.port}/echo -H "Authorization: $API_KEY"')


async def test_every_sandbox_has_another_placeholder(client: Client) -> None:
    opened = structured(await client.call_tool("session_open", {"session": "second"}))
    result = await client.call_tool("shell", {"command": "echo $API_KEY", "session": opened["session"]})

    assert structured(result)["stdout"] != await shell(client, "echo $API_KEY")


async def test_a_file_that_holds_one_is_as_good_after_a_rest_and_with_another_server(
    home: Home, own_folder: Path, origin: Origin
) -> None:
    """As a program's own settings do that keep a token: the session comes back with its environment as it was."""
    mine = Home(own_folder, settings=home.settings, extra=home.extra)
    async with connected(mine) as first:
        before = await shell(first, "echo Authorization: $API_KEY > ~/head; echo $API_KEY; export -p")
    async with connected(mine) as second:
        after = await shell(second, "echo $API_KEY; export -p")
        await shell(second, f"curl -sS -H @$HOME/head https://api.example:{origin.port}/kept")
        await called(second, "session_close")

    assert "sandgate_" in before
    assert after == before
    assert [line["secrets"] for line in mine.audit("egress.flow")] == [["key"]]


def content_of(path: Path) -> bytes:
    """Nothing, of what is gone meanwhile."""
    with suppress(FileNotFoundError):
        return path.read_bytes()
    return b""


async def test_no_value_is_in_the_record_or_in_a_log_or_on_a_command_line(client: Client, home: Home) -> None:
    flows = home.audit("egress.flow")
    values = [text.encode() for text in (FIRST, SECOND, "from-a-command-77")]
    written = [content_of(path) for path in (home.folder / "state").rglob("*") if path.is_file()]

    assert any(flow.get("secrets") == ["key", "printed"] for flow in flows)
    assert not [content for content in written if any(value in content for value in values)]
    assert not [line for line in home.processes() if any(value.decode() in line for value in values)]
