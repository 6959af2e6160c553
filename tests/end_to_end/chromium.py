"""A real Chromium for all tests of the page, and people in it, each in a browser profile of their own."""

import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_chromium = pytest.mark.skipif(
    PROGRAM is None, reason="there is no chromium; `sh scripts/setup --browser` says how"
)
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


PATIENCE_MS = 20_000  # of a busy machine
expect.set_options(timeout=PATIENCE_MS)


@asynccontextmanager
async def chromium() -> AsyncGenerator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=PROGRAM, args=list(ARGUMENTS))
        yield browser
        await browser.close()


@asynccontextmanager
async def person(
    browser: Browser, url: str, token: str = "", expected: str = "never", **how: Any
) -> AsyncGenerator[Page]:
    """Signed in with a token, by the keyboard alone, or come by a link. Nothing may go wrong in the page meanwhile:
    a script that was stopped, something loaded from elsewhere and an error are all told on the console. `expected` is in
    what is told there where a test wants it told."""
    context = await browser.new_context(base_url=url, **how)
    context.set_default_timeout(PATIENCE_MS)
    page, wrong = await context.new_page(), list[str]()
    page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: wrong.append(f"a dialog: {dialog.message}"))
    await page.goto("/signin" if token else url)
    if token:
        await expect(page.get_by_label("Your token")).to_be_focused()  # autofocus comes with a frame after the load
        await page.keyboard.type(token)
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/")
    yield page
    await context.close()
    assert [said for said in wrong if expected not in said] == []
