"""Ways in that somebody found once, each tried again against the real server."""

import os
import shutil
import signal
import socket
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from mcp import Client

from tests.end_to_end.rig import Home, RawServer, connected, text_of
from tests.end_to_end.test_bad_machine import said
from tests.waiting import until

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def home(folder: Path) -> Home:
    rule = '[[policy.paths]]\nglob = "/workspace/private/**"\neffect = "deny"\n'
    reads = '[[policy.paths]]\nglob = "/workspace/blind/**"\nops = ["read"]\neffect = "deny"\n'
    pace = "[limits]\ncalls_per_second = 10000\nburst = 10000\n"  # a race is as fast as the machine
    return Home(folder, settings=rule + reads + pace)


@pytest.fixture(scope="module")
async def client(home: Home, anyio_backend: str) -> AsyncGenerator[Client]:
    async with connected(home) as made:
        # What the policy guards is made by a program that no parser reads.
        program = (
            "import os\n"
            "for d in ('p', 'private', 'blind'): os.makedirs(d, exist_ok=True)\n"
            "for d in ('private', 'blind'): open(d + '/f', 'w').write('HIDDEN_SECRET\\n')\n"
            "open('p/open', 'w').write('OPEN_SECRET\\n'); open('.env', 'w').write('ENV_SECRET\\n')\n"
            "os.symlink('p', 'link'); os.symlink('private', 'way')\n"
        )
        assert not (await made.call_tool("exec", {"argv": ["python3", "-c", program]})).is_error
        yield made


def lent(folder: Path) -> Path:
    made = folder / "lent"
    made.mkdir(exist_ok=True)
    if os.geteuid() == 0:
        os.chown(made, 1000, 1000)
    return made


@pytest.mark.promise("workspace.checked")
async def test_a_folder_that_holds_the_settings_is_not_lent(folder: Path) -> None:
    space = lent(folder)
    (space / "sandgate.toml").write_text("")
    argv = ("serve", "--stdio", "--config", str(space / "sandgate.toml"), "--workspace", f"{space}:rw")

    assert said(Home(folder), *argv)[0] == 1
    (space / "sandgate.toml").unlink()


@pytest.mark.promise("workspace.checked")
async def test_a_folder_with_an_engines_socket_is_not_lent_even_to_be_read(folder: Path) -> None:
    space = lent(folder)
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(space / "docker.sock"))
        home = Home(folder, extra={"DOCKER_HOST": f"unix://{space}/docker.sock"})
        code, words = said(home, "serve", "--stdio", "--workspace", f"{space}:ro")
    (space / "docker.sock").unlink()

    assert code == 1
    assert str(space) in words


@pytest.mark.promise("policy.strictest_wins")
@pytest.mark.parametrize(
    "arguments",
    [
        {"path": "."},
        {"path": ".", "glob": "*"},
        {"path": ".", "glob": ".env"},
        {"path": "private"},
        {"path": "blind"},
        {"path": "way"},
    ],
)
async def test_a_search_shows_nothing_that_may_not_be_read(client: Client, arguments: dict[str, str]) -> None:
    result = await client.call_tool("file_search", {"pattern": "SECRET", **arguments})

    assert "HIDDEN_SECRET" not in text_of(result)
    assert "ENV_SECRET" not in text_of(result)


async def test_a_search_still_shows_the_rest(client: Client) -> None:
    assert "OPEN_SECRET" in text_of(await client.call_tool("file_search", {"pattern": "SECRET", "path": "link"}))


RACE = """
import os, time
end = time.time() + 30
os.makedirs('race/in', exist_ok=True)
for name in ('race/open', 'race/in/f'): open(name, 'w').write('OPEN_SECRET\\n')
while time.time() < end and not os.path.exists('race/stop'):
    for target in ('open', '../private/f', '/proc/self/root/workspace/private/f', '../.env', '../blind/f'):
        os.symlink(target, 'race/next'); os.rename('race/next', 'race/way')
    os.rename('race/in', 'race/aside'); os.symlink('../private', 'race/in'); os.unlink('race/in'); os.rename('race/aside', 'race/in')
"""


@pytest.mark.promise("files.handle")
async def test_no_file_tool_shows_or_changes_what_is_not_allowed_while_links_are_swapped(client: Client) -> None:
    await client.call_tool("file_write", {"path": "race.py", "content": RACE})
    await client.call_tool("exec", {"argv": ["python3", "race.py"], "background": True})
    shown = ""
    for _ in range(40):
        for tool, arguments in (
            ("file_read", {"path": "race/way"}),
            ("file_read", {"path": "race/in/f"}),
            ("file_search", {"pattern": "SECRET", "path": "race"}),
            ("file_search", {"pattern": "SECRET", "path": "race/way"}),
            ("file_search", {"pattern": "SECRET", "path": "race/in"}),
            ("file_edit", {"path": "race/way", "old": "SECRET", "new": "SECRET"}),
            ("file_edit", {"path": "race/way", "old": "DEN_SECRET", "new": "CHANGED"}),
            ("file_edit", {"path": "race/way", "old": "no such", "new": "x"}),
        ):
            shown += text_of(await client.call_tool(tool, arguments))
    await client.call_tool("file_write", {"path": "race/stop", "content": ""})

    assert "OPEN_SECRET" in shown
    assert "HIDDEN_SECRET" not in shown
    assert "ENV_SECRET" not in shown
    kept = "import os; print(*(open(p).read() for p in ('private/f', '.env', 'blind/f')))"
    said = text_of(await client.call_tool("exec", {"argv": ["python3", "-c", kept]}))
    assert said.split() == ["HIDDEN_SECRET", "ENV_SECRET", "HIDDEN_SECRET"]


@pytest.mark.promise("policy.strictest_wins")
async def test_an_edit_is_a_read_as_well(client: Client) -> None:
    edit = {"old": "HIDDEN", "new": "x", "replace_all": True}
    result = await client.call_tool("file_edit", {"path": "blind/f", **edit})

    assert result.is_error
    assert "HIDDEN_SECRET" not in text_of(result)


@pytest.mark.promise("sandbox.survives")
@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("file_read", {"path": "a\0b"}),
        ("file_read", {"path": "/nope\0/b"}),
        ("file_write", {"path": "n\0b/c", "content": "x"}),
        ("file_read", {"path": "x" * 2_000_000}),
        ("exec", {"argv": ["true"], "cwd": "/" + "a" * 1_200_000}),
        ("exec", {"argv": ["echo", "x" * 1_200_000]}),
    ],
)
async def test_an_odd_request_is_answered_and_the_session_lives(
    client: Client, tool: str, arguments: dict[str, object]
) -> None:
    assert (await client.call_tool(tool, arguments)).is_error
    assert text_of(await client.call_tool("shell", {"command": "cat p/open"})) == "OPEN_SECRET"


@pytest.mark.promise("sandbox.survives")
async def test_a_directory_of_names_that_are_no_text_is_listed_in_part(client: Client) -> None:
    program = "import os; os.makedirs('odd'); [open(b'odd/' + b'\\xff' * 240 + str(i).encode(), 'w').close() for i in range(5000)]"
    await client.call_tool("exec", {"argv": ["python3", "-c", program]})
    listed = await client.call_tool("file_list", {"path": "odd", "limit": 5000})

    assert "more; file_list(" in text_of(listed)
    assert len(text_of(listed)) < 50_000
    assert not (await client.call_tool("shell", {"command": "true"})).is_error


@pytest.mark.promise("result.truthful")
def test_a_server_that_stalls_loses_no_output(folder: Path) -> None:
    server = RawServer.start(Home(folder))
    server.shell("true")
    server.shell("yes", background=True)
    server.tell(
        "tools/call",
        {"name": "shell", "arguments": {"command": "sleep .5; head -c 900000 /dev/zero | tr '\\0' x; echo END"}},
        id=900,
    )
    time.sleep(0.3)
    server.process.send_signal(signal.SIGSTOP)
    time.sleep(1.2)
    server.process.send_signal(signal.SIGCONT)
    answer = server.answer_to(900)
    server.end(signal.SIGTERM)

    assert answer["structuredContent"]["stdout_bytes"] == 900_004
    assert answer["structuredContent"]["stdout"].endswith("END\n")


@pytest.mark.promise("nothing.left")
def test_two_servers_with_one_state_leave_each_other_alone(folder: Path) -> None:
    jobs = folder / "state/jobs"
    first = RawServer.start(Home(folder))
    before = set(jobs.iterdir()) if jobs.exists() else set[Path]()
    first.shell("echo kept > kept", session="alone")
    (output,) = set(jobs.iterdir()) - before
    other = Home(folder, extra={"SANDGATE_RUNTIME_DIR": str(folder / "other")})
    second = RawServer.start(other)
    second.end(signal.SIGTERM)

    assert first.shell("cat kept; echo error >&2", session="alone")["structuredContent"]["stdout"] == "kept\n"
    first.ask("tools/call", {"name": "session_close", "arguments": {"session": "alone"}})
    first.end(signal.SIGTERM)
    until(lambda: not output.exists(), "output is left")
    shutil.rmtree(folder / "other")
