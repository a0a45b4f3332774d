"""The stand-in served on a port, the official client and a Bolt app against it."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.server import SandboxServer
from bot.sandbox.slack import SlackSandbox
from tests.contracts.sandbox_slack.kit import (
    APP_TOKEN,
    SECRET,
    TOKEN,
    App,
    Clock,
    listening,
)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK would send even loopback calls to a proxy named in the environment."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def slack(clock: Clock) -> AsyncIterator[SlackSandbox]:
    sandbox = SlackSandbox(bot_token=TOKEN, signing_secret=SECRET, app_token=APP_TOKEN, clock=clock)
    yield sandbox
    await sandbox.sender.close()


@pytest.fixture
async def server(slack: SlackSandbox) -> AsyncIterator[SandboxServer]:
    async with SandboxServer(slack) as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def client(server: SandboxServer, http: aiohttp.ClientSession) -> AsyncWebClient:
    return AsyncWebClient(token=TOKEN, base_url=server.slack_api_url, session=http, retry_handlers=[])


@pytest.fixture
async def app(slack: SlackSandbox, client: AsyncWebClient) -> AsyncIterator[App]:
    async def authorize(**_: object) -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=None,
            team_id="T0SANDBOX",
            bot_user_id=slack.bot.id,
            bot_id=slack.bot.bot_id,
            bot_token=TOKEN,
        )

    bolt = AsyncApp(client=client, authorize=authorize, signing_secret=SECRET, process_before_response=True)
    running = App(bolt)
    async with listening(running.handle) as url:
        slack.request_url = url
        yield running


@pytest.fixture
async def socket(slack: SlackSandbox, app: App) -> AsyncIterator[AsyncSocketModeHandler]:
    handler = AsyncSocketModeHandler(app.bolt, app_token=APP_TOKEN, ping_interval=0.1)
    await handler.connect_async()  # type: ignore[no-untyped-call]  # Bolt leaves it untyped
    await slack.changed(lambda: slack.sockets.connections)
    slack.socket_mode = True
    yield handler
    await handler.close_async()  # type: ignore[no-untyped-call]  # Bolt leaves it untyped
