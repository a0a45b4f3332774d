"""One browser and one running world for each module, as both start slowly. Skipped where there is no Chromium."""

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from bot.demo.stage import submit_form
from bot.sandbox.server import SandboxServer
from bot.sandbox.slack import SlackSandbox
from tests import harness
from tests.conftest import in_database, run
from tests.harness import World
from tests.page.visit import NAMES, Visit

MISSING = "there is no Chromium; on Debian and Ubuntu: apt-get install chromium"
SECONDS = 60.0

Opens: TypeAlias = Callable[..., Awaitable[Visit]]
numbers = count()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    """The system's Chromium; Playwright does not install one."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip(MISSING)
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=program)
        yield launched
        await launched.close()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running(postgres: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """The whole bot, and a page that submits to it."""
    name = f"apv_bot_page_{os.getpid()}_{next(numbers)}"
    await run(postgres, f"CREATE DATABASE {name} TEMPLATE {template}")
    folder: Path = tmp_path_factory.mktemp("page")
    async with harness.world(in_database(postgres, name), folder) as made:
        made.sandbox.offer(submit_form(made.settings))
        yield made
        await made.settle()
        # What these tests look at, they look at in the browser.
        made.slack.mark_read(*made.slack.unread())
    await run(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest_asyncio.fixture(loop_scope="module")
async def world(running: World) -> AsyncIterator[World]:
    """The module's world, at rest after each test: pytest changes `os.environ` then, and GitHub's client reads it."""
    yield running
    await running.settle()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def sandbox() -> AsyncIterator[SandboxServer]:
    """The stand-in for Slack, and no app behind it."""
    slack = SlackSandbox(bot_token="xoxb-sandbox", signing_secret="signing-secret")
    async with SandboxServer(slack) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def opens(browser: Browser) -> AsyncIterator[Opens]:
    """Opens a tab of its own, `opens(origin, as_="alice", channel="…")`; an error on the page fails the test."""
    errors: list[str] = []
    async with AsyncExitStack() as stack:

        async def open_(origin: str, as_: str = "alice", look: dict[str, Any] | None = None, **where: str) -> Visit:
            context = await browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **(look or {})})
            stack.push_async_callback(context.close)
            context.set_default_timeout(SECONDS * 1000)
            page = await context.new_page()
            page.on("pageerror", lambda error: errors.append(str(error)))
            visit = Visit(page, origin)
            await visit.comes(as_, **where)
            return visit

        yield open_
    assert not errors
