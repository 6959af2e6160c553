"""The page of a real server, asked as programs and browsers ask: who sees what, who may answer, and what is refused."""

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from server.settings.http import digest
from tests.end_to_end.http_rig import ANN, BOB, HttpServer, cli, serving, streamable, tokens
from tests.end_to_end.rig import Home, structured, text_of
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.promise("page.theirs")
CHIEF, EVE = "sgt_chief-0123456789abcdef", "sgt_eve-0123456789abcdef"
VIEWS = ("/", "/waiting", "/decisions", "/traffic", "/why")
PUSH = {"command": "git push; echo went on", "session": "work"}
LOUD = {"command": "echo '</pre><script>'; printf 'a\\033[1mb'", "session": "work"}


def with_role(name: str, token: str, *roles: str) -> str:
    return f'[[http.tokens]]\nname = "{name}"\nsha256 = "{digest(token)}"\nroles = {list(roles)}\n'


@dataclass(frozen=True, slots=True)
class World:
    """A server, an agent's session with one job, one refusal and one question."""

    server: HttpServer
    asked: str
    decision: str
    job: str  # its address on the page

    def program(self, token: str) -> httpx.Client:
        return httpx.Client(base_url=self.server.url, headers={"authorization": f"Bearer {token}"}, timeout=PATIENCE_S)

    @contextmanager
    def browser(self, token: str) -> Iterator[httpx.Client]:
        """Signed in by the form, as a person does."""
        told = {"origin": self.server.url}
        with httpx.Client(base_url=self.server.url, headers=told, follow_redirects=True, timeout=PATIENCE_S) as client:
            assert client.post("/signin", data={"token": token}).url.path == "/"
            yield client


@pytest.fixture(scope="module")
def world(folder: Path) -> Iterator[World]:
    staff = with_role("chief", CHIEF, "user", "approver", "admin") + with_role("eve", EVE, "auditor")
    home = Home(folder, tokens(ann=ANN, bob=BOB) + staff)
    with serving(home) as server:
        yield anyio.run(_begin, server)
    home.remove_images()


async def _begin(server: HttpServer) -> World:
    async with streamable(server, ANN) as ann:
        ran = structured(await ann.call_tool("shell", LOUD))
        asked = structured(await ann.call_tool("shell", PUSH))
    page = server.get("/", Authorization=f"Bearer {ANN}").text
    job = re.search(r'"(/sessions/\w+/j1)"', page)
    assert job is not None, page
    return World(server, asked["approval"]["id"], ran["decision_id"], job[1])


def token_of(page: str) -> str:
    found = re.search(r'name="form" value="([\w-]{40,})"', page)
    assert found is not None
    return found[1]


def test_a_browser_is_led_to_the_form_and_a_program_is_told(world: World) -> None:
    for path in (*VIEWS, f"/decisions/{world.decision}", world.job):
        assert world.server.get(path).headers["location"] == "/signin"
        assert world.server.get(path, Authorization="Bearer wrong").status_code == 401
    assert world.server.get("/live/").status_code == 401
    assert world.server.get("/signin").status_code == 200
    assert world.server.get("/static/page.js").status_code == 200
    assert world.server.get("/static/../page.py").status_code == 404


def test_each_view_is_there_with_headers_that_let_nothing_else_run(world: World) -> None:
    with world.program(ANN) as ann:
        for path in (*VIEWS, f"/decisions/{world.decision}", world.job, "/nothing"):
            answer = ann.get(path)
            assert answer.status_code == (404 if path == "/nothing" else 200), path
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert answer.headers["cache-control"] == "no-store"


def test_one_sees_their_own_and_an_auditor_sees_everybodys(world: World) -> None:
    for token, sees in ((ANN, True), (BOB, False), (EVE, True), (CHIEF, True)):
        with world.program(token) as client:
            assert ("git push" in client.get("/decisions").text) is sees
            assert (world.job in client.get("/").text) is sees
            assert (world.asked in client.get("/waiting").text) is sees
            for path in (f"/decisions/{world.decision}", world.job, f"/live{world.job}", f"{world.job}/stdout"):
                assert client.get(path).status_code == (200 if sees else 404), path


@pytest.mark.promise("page.text")
def test_a_decision_and_its_output_are_in_one_place_as_text(world: World) -> None:
    with world.program(ANN) as ann:
        decision, job = ann.get(f"/decisions/{world.decision}").text, ann.get(world.job).text
        live = ann.get(f"/live{world.job}").text
        whole = ann.get(f"{world.job}/stdout")
        assert ann.get(f"{world.job}/other").status_code == 404
    assert world.job in decision
    assert "call.started" in decision
    assert "&lt;/pre&gt;&lt;script&gt;\na\\x1b[1mb" in job
    assert "exited with 0" in job
    assert whole.content == b"</pre><script>\na\x1b[1mb"
    assert whole.headers["content-type"] == "application/octet-stream"
    assert whole.headers["content-disposition"].startswith("attachment")
    assert [line for line in live.splitlines() if line.startswith("event:")] == ["event: output", "event: over"]


def test_decisions_are_chosen_by_rule_and_verdict(world: World) -> None:
    with world.program(CHIEF) as chief:
        rule = re.search(r"<option>(outward\.\w+)", chief.get("/decisions").text)
        assert rule is not None
        found = chief.get("/decisions", params={"verdict": "ask", "rule": rule[1], "caller": "sandgate|ann"}).text
        none = chief.get("/decisions", params={"caller": "sandgate|bob", "verdict": "ask"}).text
    assert found.count('class="row decision"') >= 1
    assert "echo &#39;" not in found
    assert "None like that" in none


def test_why_says_what_would_be_said_and_nothing_runs(world: World) -> None:
    with world.program(BOB) as bob:
        refused = bob.post("/why", data={"command": "sudo id"}).text
        host = bob.post("/why", data={"host": "evil.example"}).text
        path = bob.post("/why", data={"path": "/etc/shadow", "op": "write"}).text
        sessions = bob.get("/").text
    assert "privilege.tools" in refused
    assert "not on the list" in host
    assert "Answer" in path
    assert "No session is open" in sessions


def _answer(world: World, client: httpx.Client, form: str, **more: Any) -> int:
    fields = {"form": form, "answer": "once", **more.pop("data", {})}
    return client.post(f"/waiting/{world.asked}", data=fields, **more).status_code


def test_a_form_of_another_page_or_of_none_is_refused(world: World) -> None:
    with world.browser(CHIEF) as chief, world.browser(CHIEF) as elsewhere:
        page = chief.get("/waiting").text
        form, other = token_of(page), token_of(elsewhere.get("/waiting").text)
        wrong_origin = {"origin": "http://localhost:1"}  # a local page, which the doorway lets through
        refusals = [
            _answer(world, chief, ""),
            _answer(world, chief, other),
            _answer(world, chief, form, headers=wrong_origin),
            _answer(world, chief, form, headers={"content-type": "text/plain"}),
            _answer(world, chief, form, data={"answer": "for ever"}),
            _answer(world, chief, form, data={"answer": "minutes", "minutes": "-5"}),
            _answer(world, chief, form, data={"answer": "minutes", "minutes": "9" * 5_000}),
        ]
        del chief.headers["origin"]
        refusals.append(_answer(world, chief, form))
        assert world.asked in chief.get("/waiting").text
        signin = chief.post("/signin", data={"token": CHIEF}, headers=wrong_origin).status_code
    assert refusals == [403, 403, 403, 400, 400, 400, 400, 403]
    assert signin == 403


@pytest.mark.anyio
async def test_only_an_approver_answers_never_their_own_and_then_the_call_goes_on(world: World) -> None:
    with world.program(ANN) as ann, world.program(EVE) as eve, world.program(BOB) as bob:
        assert _answer(world, ann, "") == 403
        assert _answer(world, eve, "") == 403
        assert (
            bob.post(f"/waiting/{world.asked}", data={"answer": "once"}).headers["location"].startswith("/waiting?late")
        )
    async with streamable(world.server, ANN) as agent:
        assert (await agent.call_tool("shell", PUSH)).is_error
    async with streamable(world.server, CHIEF) as agent:
        own = structured(await agent.call_tool("shell", {**PUSH, "session": "mine"}))["approval"]["id"]
    with world.browser(CHIEF) as chief:
        form = token_of(chief.get("/waiting").text)
        assert chief.post(f"/waiting/{own}", data={"form": form, "answer": "once"}).status_code == 403
        assert "is allowed, once" in chief.post(f"/waiting/{world.asked}", data={"form": form, "answer": "once"}).text
        assert "waits no more" in chief.post(f"/waiting/{world.asked}", data={"form": form, "answer": "deny"}).text
    async with streamable(world.server, ANN) as agent:
        went_on = await agent.call_tool("shell", PUSH)

    assert "went on" in structured(went_on)["stdout"], text_of(went_on)
    assert ("sandgate|chief", "token") in [
        (each["caller"], each["with"]) for each in world.server.home.audit("page.entered")
    ]
    (line,) = world.server.home.audit("approval.answered")
    assert (line["approval"], line["by"], line["answer"]) == (world.asked, "sandgate|chief on the page", "once")
    with world.program(ANN) as ann:
        assert "allowed by a person" in ann.get("/decisions").text


def test_a_number_beyond_all_measure_is_none(world: World) -> None:
    nines = "9" * 5_000
    with world.program(ANN) as ann:
        assert ann.get("/decisions", params={"from": nines}).status_code == 200
        assert ann.get(f"/live{world.job}", headers={"last-event-id": f"{nines}-1"}).status_code == 200


def test_an_address_alone_does_not_make_the_page_say_that_something_was_answered(world: World) -> None:
    with world.program(CHIEF) as chief:
        for answer in ("once", "deny", "session"):
            assert 'role="status"></p>' in chief.get("/waiting", params={answer: "a-12345678"}).text


def test_the_operator_of_this_machine_needs_no_token(world: World) -> None:
    link = cli(world.server.home, "page").stdout.strip()
    with httpx.Client(follow_redirects=True, timeout=PATIENCE_S) as person:
        assert link.startswith(world.server.url)
        assert "What runs now" in person.get(link).text


def test_who_signs_out_is_out(world: World) -> None:
    with (
        world.browser(BOB) as bob,
        httpx.Client(base_url=world.server.url, cookies=dict(bob.cookies), timeout=PATIENCE_S) as thief,
    ):
        assert thief.get("/").status_code == 200
        out = bob.post("/signout", data={"form": token_of(bob.get("/").text)})
        assert out.url.path == "/signin"
        assert thief.get("/").headers["location"] == "/signin"


# --- where a proxy stands before it --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def proxied(folder: Path) -> Iterator[HttpServer]:
    home = Home(folder / "p", '[http]\npublic_url = "https://gate.test"\n' + tokens(ann=ANN))
    home.folder.mkdir()
    with serving(home) as server:
        yield server


def test_behind_a_proxy_forms_come_from_its_public_name(proxied: HttpServer) -> None:
    public = {"host": "gate.test", "origin": "https://gate.test"}
    with httpx.Client(base_url=proxied.url, headers=public, timeout=PATIENCE_S) as browser:
        let_in = browser.post("/signin", data={"token": ANN})
        cookie = let_in.headers["set-cookie"]
        page = browser.get("/why", headers={"cookie": cookie.split(";")[0]}).text
        told = {"cookie": cookie.split(";")[0]}
        why = browser.post("/why", data={"form": token_of(page), "command": "sudo id"}, headers=told)
        other = browser.post("/signin", data={"token": ANN}, headers={"origin": "https://evil.test"})
    assert let_in.status_code == 303
    assert cookie.startswith("__Host-")
    assert "Secure" in cookie
    assert "privilege.tools" in why.text
    assert other.status_code == 403


def test_a_page_that_is_kept_up_ends_with_its_server(proxied: HttpServer) -> None:
    with httpx.Client(headers={"authorization": f"Bearer {ANN}"}, timeout=PATIENCE_S) as ann:
        with ann.stream("GET", f"{proxied.url}/live/") as kept:
            events = kept.iter_lines()
            assert next(events) == "event: part"
            proxied.process.send_signal(signal.SIGTERM)
            more = {line for line in events if line.startswith("event:")}  # it is told to its end, not broken off
        assert more <= {"event: part"}  # a sandbox that became warm before the signal was heard, say
        assert proxied.process.wait(PATIENCE_S) == 0
