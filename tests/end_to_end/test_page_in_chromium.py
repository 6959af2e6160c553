"""The page as people use it: a real browser, the keyboard, a server with a real sandbox, and an agent that is up to no good."""

import shlex
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import anyio
import pytest
from anyio.abc import SocketStream
from mcp import Client
from playwright.async_api import Browser, Page, expect

from server.front.page.shown import visible
from tests.end_to_end.chromium import chromium, needs_chromium, person
from tests.end_to_end.http_rig import ANN, BOB, HttpServer, cli, serving, streamable, tokens
from tests.end_to_end.rig import Home, structured, text_of
from tests.end_to_end.test_page import CHIEF, with_role

pytestmark = [pytest.mark.anyio, needs_chromium]
SCHEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")
VIEWS = ("/", "/waiting", "/decisions", "/traffic", "/why")
MARKUP = "</pre></code><script>window.ran=1</script><img src=x onerror=window.ran=1><svg onload=window.ran=1>"
NASTY = f"{MARKUP} \u202egnp.exe\u200b\x1b]0;t\x07"


@dataclass(frozen=True, slots=True)
class World:
    server: HttpServer
    browser: Browser

    def chief(self, **how: Any) -> Any:
        return person(self.browser, self.server.url, CHIEF, **how)

    @asynccontextmanager
    async def agent(self, token: str = ANN) -> AsyncGenerator["Agent"]:
        async with streamable(self.server, token) as client:
            yield Agent(client)


@dataclass(frozen=True, slots=True)
class Agent:
    client: Client

    async def push(self, more: str, session: str = "work") -> Any:
        return await self.client.call_tool("shell", {"command": f"git push; echo {more}", "session": session})

    async def ask(self, more: str, session: str = "work") -> str:
        return str(structured(await self.push(more, session))["approval"]["id"])

    async def begin(self, command: str) -> str:
        """A job's name, while it runs on."""
        call = {"command": command, "session": "work", "background": True, "timeout_s": 120}
        return str(structured(await self.client.call_tool("shell", call))["job"])


@pytest.fixture(scope="module")
async def world(folder: Path) -> AsyncGenerator[World]:
    home = Home(folder, tokens(ann=ANN, bob=BOB) + with_role("chief", CHIEF, "user", "admin", "approver"))
    with serving(home) as server:
        async with chromium() as browser:
            world = World(server, browser)
            yield world
            async with world.agent() as agent:  # quicker than to have it kept
                await agent.client.call_tool("session_close", {"session": "work"})
    home.remove_images()


async def tab_to(page: Page, name: str) -> None:
    """The keyboard alone, from where the focus is."""
    focused = page.locator(":focus")
    for _ in range(40):
        await page.keyboard.press("Tab")
        if await focused.count() and name in (await focused.inner_text(), await focused.get_attribute("aria-label")):
            return
    raise AssertionError(f"the keyboard does not reach {name}")


@pytest.mark.promise("approval.bound")
async def test_a_question_appears_a_person_allows_it_by_keyboard_and_the_call_goes_on(world: World) -> None:
    async with world.agent() as agent, world.chief() as page:
        await page.goto("/waiting")
        await expect(page.get_by_text("Nothing waits for an answer.")).to_be_visible()
        asked = await agent.ask("went on")
        card = page.locator(f"#{asked}")
        await expect(card.locator("pre")).to_contain_text("git push; echo went on")
        await expect(page.get_by_role("status")).to_have_text("A question waits for a person.")
        await expect(page).to_have_title("(1) What waits for a person · Sandgate")
        await tab_to(page, "Allow once")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("status")).to_contain_text(f"{asked} is allowed, once")
        first = await agent.push("went on")
        await agent.ask("went on")  # once is once

        assert "went on" in structured(first)["stdout"], text_of(first)


@pytest.mark.promise("approval.bound")
async def test_a_yes_for_the_session_lasts_until_it_is_taken_back_and_a_no_is_a_no(world: World) -> None:
    async with world.agent() as agent, world.chief() as page:
        asked, other = await agent.ask("again"), await agent.ask("never")
        await page.goto("/waiting")
        await page.locator(f"#{asked}").get_by_role("button", name="Allow in this session").click()
        for _ in range(2):
            assert "again" in structured(await agent.push("again"))["stdout"]
        await page.locator(f"#{other}").get_by_role("button", name="Deny").click()
        await expect(page.get_by_role("status")).to_contain_text(f"{other} is denied")
        assert "A person said no" in text_of(await agent.push("never"))
        await page.locator(f"#g-{asked}").get_by_role("button", name="Take it back").click()
        await expect(page.get_by_role("status")).to_contain_text("no longer allowed")
        assert (await agent.push("again")).is_error


@pytest.mark.promise("approval.bound")
async def test_no_question_moves_under_the_hand_of_whoever_is_about_to_answer(world: World) -> None:
    async with world.agent() as agent, world.chief() as page:
        first, second = await agent.ask("one"), await agent.ask("two")
        await page.goto("/waiting")
        before = await page.locator(f"#{second}").bounding_box()
        await anyio.to_thread.run_sync(cli, world.server.home, "approvals", "deny", first)
        await expect(page.locator(f"#{first}").get_by_role("button", name="Allow once")).to_be_disabled()
        third = await agent.ask("three")
        await expect(page.locator(f"#{third}")).to_be_visible()
        await expect(page.get_by_role("status")).not_to_be_empty()
        assert await page.locator(f"#{second}").bounding_box() == before


@pytest.mark.promise("page.theirs")
async def test_whoever_asked_and_whoever_has_no_such_role_sees_no_button(world: World) -> None:
    async with world.agent() as agent, world.agent(CHIEF) as own:
        asked, mine = await agent.ask("theirs"), await own.ask("mine", "mine")
        async with world.chief() as chief, person(world.browser, world.server.url, ANN) as ann:
            for page, card in ((chief, mine), (ann, asked)):
                await page.goto("/waiting")
                await expect(page.locator(f"#{card}")).to_contain_text("your own question")
                assert await page.locator(f"#{card} button").count() == 0
            assert await ann.locator(f"#{mine}").count() == 0


@pytest.mark.promise("page.theirs")
async def test_a_form_on_another_page_of_this_machine_answers_nothing(world: World) -> None:
    async with world.agent() as agent, world.chief(expected="status of 403") as page:
        asked = await agent.ask("forged")
        form = f'<form method=post action="{world.server.url}/waiting/{asked}"><button name=answer value=once>Win</button></form>'
        async with other_page(form) as address:
            await page.goto(address)
            async with page.expect_response(lambda answer: f"/waiting/{asked}" in answer.url) as sent:
                await page.get_by_role("button").click()
            status = (await sent.value).status
        await page.goto("/waiting")
        await expect(page.locator(f"#{asked}").get_by_role("button", name="Deny")).to_be_visible()
    assert status == 403


@asynccontextmanager
async def other_page(html: str) -> AsyncGenerator[str]:
    """A server of somebody else's on loopback: another origin, and the same site."""

    answer = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n{html}".encode()

    async def serve(stream: SocketStream) -> None:
        """A browser makes connections ahead as well, and leaves them unused."""
        async with stream:
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                await stream.receive()
                await stream.send(answer)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        yield f"http://127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}/"
        tasks.cancel_scope.cancel()


@pytest.mark.promise("page.text")
async def test_what_a_sandbox_says_is_text_on_every_page_and_as_it_comes(world: World) -> None:
    async with world.agent() as agent, world.chief() as page:
        written = "".join(f"\\{byte:04o}" for byte in NASTY.encode())  # as a call, some of it would be refused
        job = await agent.begin(f"printf '%b' '{written}'; while read -r line; do printf '%s' \"$line\"; done")
        await agent.ask(shlex.quote(MARKUP))
        await agent.client.call_tool("file_read", {"path": NASTY, "session": "work"})
        await agent.client.call_tool("policy_check", {"host": NASTY})
        for view in ("/waiting", "/decisions", "/"):
            await page.goto(view)
            await expect(page.locator("main")).to_contain_text("</code><script>window.ran=1")
            await no_markup(page)
        await expect(page.locator(".jobs").first).to_be_visible()
        await page.get_by_role("link", name=f"{job} printf").click()
        await expect(page.locator("#stdout")).to_have_text(visible(NASTY), use_inner_text=False)
        await agent.client.call_tool("job_input", {"job": job, "session": "work", "text": f"{NASTY}\n"})
        await expect(page.locator("#stdout")).to_have_text(visible(NASTY) * 2, use_inner_text=False)
        await no_markup(page)
        await page.locator("a", has_text="d-").first.click()
        for line in await page.locator("summary").all():
            await line.click()
        await no_markup(page)
        await agent.client.call_tool("job_stop", {"job": job, "session": "work"})


async def no_markup(page: Page) -> None:
    """Nothing but ours is in the page, and nothing hides in it."""
    assert await page.evaluate("window.ran") is None
    assert await page.locator("script").count() == 1
    assert await page.locator("main img, main svg:not(.chart):not(.share)").count() == 0
    text = await page.locator("body").inner_text()
    assert not {"\u202e", "\u200b", "\x1b", "\x07"} & set(text)


async def test_output_comes_as_it_is_made_and_the_end_is_told(world: World) -> None:
    async with world.agent() as agent, world.chief() as page:
        job = await agent.begin('echo first; while read -r line; do echo "got $line"; done; echo oops >&2')
        await page.get_by_role("link", name=f"{job} echo first").click()
        await expect(page.locator("#stdout")).to_contain_text("first")
        for word in ("one", "two"):
            await agent.client.call_tool("job_input", {"job": job, "session": "work", "text": f"{word}\n"})
            await expect(page.locator("#stdout")).to_contain_text(f"got {word}")
        await agent.client.call_tool("job_input", {"job": job, "session": "work", "close": True})
        await expect(page.locator("#stderr")).to_contain_text("oops")
        await expect(page.locator("#status")).to_have_text("exited with 0")
        await expect(page.get_by_role("status")).to_have_text("The job is over: exited with 0.")


@pytest.mark.promise("page.theirs")
async def test_a_link_is_dead_after_its_first_use_and_the_cookie_is_out_of_a_scripts_reach(world: World) -> None:
    link = (await anyio.to_thread.run_sync(cli, world.server.home, "page")).stdout.strip()
    async with person(world.browser, link) as first:
        await expect(first.get_by_role("heading", name="What runs now")).to_be_visible()
        (cookie,) = await first.context.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
        assert await first.evaluate("document.cookie") == ""
    context = await world.browser.new_context()
    second = await context.new_page()
    answer = await second.goto(link)
    assert answer is not None
    assert answer.status == 403
    await second.goto(world.server.url)
    assert second.url.endswith("/signin")
    await context.close()


async def test_a_script_that_is_not_ours_does_not_run(world: World) -> None:
    """Were something of a sandbox's to become markup after all, the browser would not obey it."""
    context = await world.browser.new_context()
    page = await context.new_page()
    await page.goto(f"{world.server.url}/signin")
    await page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = 1'}))"
    )
    assert await page.evaluate("window.ran") is None
    await context.close()


async def test_every_view_fits_a_phone_and_says_what_each_of_its_parts_is(world: World) -> None:
    async with world.agent() as agent, world.chief(viewport={"width": 390, "height": 844}) as page:
        await agent.ask("x" * 200)
        for view in VIEWS:
            await page.goto(view)
            assert await page.evaluate("document.documentElement.scrollWidth") <= 390, view
            for landmark in ("banner", "navigation", "main", "contentinfo"):
                await expect(page.get_by_role(landmark)).to_have_count(1)
            await expect(page.get_by_role("heading", level=1)).to_have_count(1)
            assert await page.evaluate(NAMELESS) == [], view
            for scheme in SCHEMES:
                await page.emulate_media(color_scheme=scheme)
                assert await page.evaluate(FAINT) == [], (view, scheme)


# What a screen reader would only call "button" or "edit text".
NAMELESS = """() => [...document.querySelectorAll("a, button, input:not([type=hidden]), select, textarea, pre")]
    .filter((each) => !(each.ariaLabel || each.innerText?.trim() || each.labels?.length)).map((each) => each.outerHTML)"""
# Text with less contrast to what is behind it than WCAG 2 asks for (4.5 to 1).
FAINT = """() => {
    const light = (rgb) => { const [r, g, b] = rgb.map((v) => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
        return .2126 * r + .7152 * g + .0722 * b; };
    const colour = (text) => text.match(/[\\d.]+/g).map(Number);
    const behind = (each) => { for (; each; each = each.parentElement) { const found = colour(getComputedStyle(each).backgroundColor);
        if (found.length < 4 || found[3] > 0) return found.slice(0, 3); } return [255, 255, 255]; };
    return [...document.querySelectorAll("body *")].filter((each) => each.checkVisibility() &&
        [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim())).filter((each) => {
        const [a, b] = [light(colour(getComputedStyle(each).color).slice(0, 3)), light(behind(each))].sort((x, y) => y - x);
        return (a + .05) / (b + .05) < 4.5; }).map((each) => each.outerHTML.slice(0, 100));
}"""
