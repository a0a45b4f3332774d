"""The socket to Slack comes back by itself from everything that kills it, and ends when told to."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import aiohttp
import pytest
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient
from structlog.testing import capture_logs

from bot.integrations.socket_mode import run_socket_mode
from bot.sandbox.server import SandboxServer
from bot.sandbox.slack import SlackSandbox

APP_TOKEN = "xapp-1-a-token"
MENTION = {"type": "app_mention", "user": "U1", "text": "hello", "ts": "1.0", "channel": "C1"}


@pytest.fixture
async def slack() -> AsyncIterator[SlackSandbox]:
    slack = SlackSandbox(
        bot_token="xoxb-a-token", signing_secret="a signing secret", app_token=APP_TOKEN, socket_mode=True
    )
    async with SandboxServer(slack):
        yield slack
    assert slack.unexpected == []


async def connected(slack: SlackSandbox, sockets: int = 1) -> None:
    await slack.changed(lambda: slack.sockets.connections == sockets, 30)


@dataclass
class Run:
    """A running `run_socket_mode`: its listener's events and what it said of the connection."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] = field(init=False)
    states: list[bool] = field(default_factory=list)
    up: asyncio.Event = field(default_factory=asyncio.Event)
    down: asyncio.Event = field(default_factory=asyncio.Event)
    watched: asyncio.Event = field(default_factory=asyncio.Event)
    """Set after 20 looks, which take twice as long as a dead connection is borne with."""

    def on_state(self, connected: bool) -> None:
        self.states.append(connected)
        if len(self.states) == 20:
            self.watched.set()
        (self.up if connected else self.down).set()


_T = TypeVar("_T")


@asynccontextmanager
async def running(slack: SlackSandbox, *, token: str = APP_TOKEN, grace: float = 30.0) -> AsyncIterator[Run]:
    """Run with a watchdog that looks often and gives up soon; everything else as in production."""

    async def authorize() -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=None, team_id="T1", bot_id="B1", bot_user_id="UBOT")

    async with aiohttp.ClientSession() as http:
        client = AsyncWebClient(token="xoxb-a-token", base_url=slack.api_url, session=http, retry_handlers=[])
        app = AsyncApp(
            client=client, authorize=authorize, signing_secret="a signing secret", process_before_response=True
        )

        @app.event("app_mention")
        async def mentioned() -> None:
            """Take the event."""

        run = Run()
        run.task = asyncio.create_task(
            run_socket_mode(app, token, run.stop, run.on_state, probe=0.02, dead_after=0.2, grace=grace)
        )
        try:
            yield run
        finally:
            run.stop.set()
            await asyncio.wait_for(run.task, 30)


async def within(what: Awaitable[_T]) -> _T:
    """Fail instead of hanging."""
    return await asyncio.wait_for(what, 30)


async def test_an_event_that_arrives_by_socket_is_handled_and_acknowledged(slack: SlackSandbox) -> None:
    """Socket Mode and HTTP lead to the same listeners."""
    async with running(slack) as run:
        await within(run.up.wait())
        assert (await slack.send_event(MENTION)).ok


async def test_a_live_connection_is_kept(slack: SlackSandbox) -> None:
    """The watchdog throws away what is dead and nothing else."""
    async with running(slack) as run:
        await within(run.watched.wait())
        assert run.states == [True] * len(run.states)
        assert len(slack.calls("apps.connections.open")) == 1


async def test_a_wedged_connection_is_replaced(slack: SlackSandbox) -> None:
    """After a handshake that failed, the SDK alone would try its spent URL for ever."""
    async with running(slack) as run:
        await within(run.up.wait())
        slack.sockets.refuse_handshakes = 1
        await slack.sockets.close()
        await connected(slack, 0)
        await connected(slack)
        assert (await slack.send_event(MENTION)).ok
        assert run.down.is_set()
        assert len(slack.calls("apps.connections.open")) == 3


async def test_an_outage_at_the_start_ends_when_slack_is_back(slack: SlackSandbox) -> None:
    """However often apps.connections.open fails, it is asked again."""
    slack.fail("apps.connections.open", "internal_error", times=None)
    async with running(slack, grace=0.1) as run:
        await within(run.down.wait())
        assert not run.up.is_set()
        slack.clear_faults()
        await connected(slack)


async def test_stopping_closes_the_socket(slack: SlackSandbox) -> None:
    """A shutdown leaves no socket that Slack would still send clicks to."""
    async with running(slack) as run:
        await within(run.up.wait())
        run.stop.set()
        await within(run.task)
        await connected(slack, 0)
        assert run.states[-1] is False


async def test_stopping_does_not_wait_for_a_connection_that_never_comes_up(slack: SlackSandbox) -> None:
    """SIGTERM is not held up by a refused token."""
    async with running(slack, token="xapp-1-another") as run:
        await slack.changed(lambda: slack.calls("apps.connections.open"), 30)
        run.stop.set()
        await within(run.task)
        assert not run.up.is_set()


async def test_neither_a_token_nor_a_one_time_url_is_logged(
    slack: SlackSandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """What the SDK complains about is told by place and class, not by its text."""
    caplog.set_level(logging.INFO)
    slack.sockets.refuse_handshakes = 1
    with capture_logs() as lines:
        async with running(slack, grace=0.2):
            await connected(slack)
    sdk = [record.getMessage() for record in caplog.records if record.name.startswith("slack")]
    told = f"{lines} {sdk}"
    assert "slack.socket_trouble" in told
    assert "ticket" not in told
    assert APP_TOKEN not in told
