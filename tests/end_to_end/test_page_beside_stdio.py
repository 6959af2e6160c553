"""The page beside a server on stdio: nothing listens until its user asks, a link lets one browser in, once."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.http_rig import cli
from tests.end_to_end.rig import Home, RawServer, connected, structured
from tests.waiting import PATIENCE_S

pytestmark = [pytest.mark.anyio, pytest.mark.promise("page.theirs")]


@pytest.fixture
def home(own_folder: Path) -> Home:
    return Home(own_folder)


def open_files(pid: int) -> Iterator[str]:
    """What is closed, or ends, meanwhile is none of them."""
    with suppress(OSError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                yield str(link.readlink())


def listening(home: Home) -> list[str]:
    """Local addresses on which processes of this home accept TCP."""
    inodes = {opened.removeprefix("socket:[")[:-1] for pid in home.pids() for opened in open_files(pid)}
    rows = [row.split() for name in ("tcp", "tcp6") for row in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    return [row[1] for row in rows if row[3] == "0A" and row[9] in inodes]


async def test_a_link_from_the_command_line_opens_it_and_only_the_person_answers(home: Home) -> None:
    async with connected(home) as agent:
        asked = structured(await agent.call_tool("shell", {"command": "git push; echo went on"}))["approval"]["id"]
        assert listening(home) == []
        said = cli(home, "page")
        link = said.stdout.strip()
        async with (
            httpx.AsyncClient(follow_redirects=True, timeout=PATIENCE_S) as person,
            httpx.AsyncClient(timeout=PATIENCE_S) as late,
        ):
            page = await person.get(link)
            assert asked in (await person.get(page.url.join("/waiting"))).text
            assert (await late.get(link)).status_code == 403
            assert (await late.get(page.url)).headers["location"] == "/signin"
            assert (await late.get(page.url, headers={"host": "evil.example"})).status_code == 421
            form = page.text.split('name="form" value="')[1].split('"')[0]
            told = {"origin": str(page.url).rstrip("/")}
            answer = {"form": form, "answer": "once"}
            assert (await late.post(page.url.join(f"/waiting/{asked}"), data=answer, headers=told)).status_code == 401
            done = await person.post(page.url.join(f"/waiting/{asked}"), data=answer, headers=told)
        went_on = structured(await agent.call_tool("shell", {"command": "git push; echo went on"}))
        where = listening(home)
        async with connected(home):  # a host starts a second one
            both = cli(home, "page")
    home.remove_images()

    assert said.returncode == 0
    assert link.startswith("http://127.0.0.1:")
    assert "is allowed, once" in done.text
    assert "went on" in went_on["stdout"]
    assert [address.split(":")[0] for address in where] == ["0100007F"]
    assert httpx.URL(link).port in [httpx.URL(each).port for each in both.stdout.split()]
    assert len(both.stdout.split()) == 2
    assert {"with default:", "with no session yet:"} <= set(both.stderr.splitlines())


def test_where_no_server_runs_it_says_so(home: Home) -> None:
    done = cli(home, "page")
    assert done.returncode == 1
    assert "no server of yours runs" in done.stderr


def test_a_server_that_ends_while_somebody_looks_says_nothing_of_it(home: Home) -> None:
    errors = home.folder / "errors"
    with errors.open("wb") as file:
        server = RawServer.start(home, file)
    link = cli(home, "page").stdout.strip()
    with httpx.Client(follow_redirects=True, timeout=PATIENCE_S) as person:
        page = person.get(link)
        with person.stream("GET", page.url.join("/live/")) as live:
            next(live.iter_lines())
            assert server.process.stdin is not None
            server.process.stdin.close()
            code = server.wait()

    assert code == 0
    assert errors.read_text() == ""
