"""The socket to Slack comes back by itself from everything that kills it, and ends when told to."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient
from structlog.testing import capture_logs

from bot.integrations.socket_mode import run_socket_mode

APP_TOKEN = "xapp-1-a-token"
MENTION = {
    "type": "events_api",
    "envelope_id": "envelope-1",
    "accepts_response_payload": False,
    "payload": {
        "type": "event_callback",
        "team_id": "T1",
        "event": {"type": "app_mention", "user": "U1", "text": "hello", "ts": "1.0", "channel": "C1"},
    },
}


@dataclass
class Slack:
    """The Socket Mode side of Slack: one-time tickets, sockets, and what is wrong with them."""

    url: str = ""
    tickets: int = 0
    handshakes: int = 0
    refused_handshakes: int = 0
    """How many of the next handshakes fail; their ticket is spent all the same."""
    error: str | None = None
    spent: set[str] = field(default_factory=set)
    sockets: asyncio.Queue[web.WebSocketResponse] = field(default_factory=asyncio.Queue)
    acknowledged: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def open(self, request: web.Request) -> web.Response:
        if self.error or request.headers["Authorization"] != f"Bearer {APP_TOKEN}":
            return web.json_response({"ok": False, "error": self.error or "invalid_auth"})
        self.tickets += 1
        url = f"{self.url.replace('http', 'ws')}socket?ticket=one-time-{self.tickets}"
        return web.json_response({"ok": True, "url": url})

    async def socket(self, request: web.Request) -> web.StreamResponse:
        self.handshakes += 1
        ticket = request.query["ticket"]
        if ticket in self.spent or self.refused_handshakes:
            self.refused_handshakes = max(0, self.refused_handshakes - 1)
            self.spent.add(ticket)
            raise web.HTTPForbidden
        self.spent.add(ticket)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "hello", "num_connections": 1})
        self.sockets.put_nowait(socket)
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                self.acknowledged.put_nowait(message.json()["envelope_id"])
        self.closed.set()
        return socket


@pytest.fixture
async def slack() -> AsyncIterator[Slack]:
    slack = Slack()
    app = web.Application()
    app.router.add_post("/api/apps.connections.open", slack.open)
    app.router.add_get("/socket", slack.socket)
    async with TestServer(app) as server:
        slack.url = str(server.make_url("/"))
        yield slack


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
async def running(slack: Slack, *, token: str = APP_TOKEN, grace: float = 30.0) -> AsyncIterator[Run]:
    """Run with a watchdog that looks often and gives up soon; everything else as in production."""

    async def authorize() -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=None, team_id="T1", bot_id="B1", bot_user_id="UBOT")

    async with aiohttp.ClientSession() as http:
        client = AsyncWebClient(token="xoxb-a-token", base_url=slack.url + "api/", session=http, retry_handlers=[])
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


async def test_an_event_that_arrives_by_socket_is_handled_and_acknowledged(slack: Slack) -> None:
    """Socket Mode and HTTP lead to the same listeners."""
    async with running(slack) as run:
        socket = await within(slack.sockets.get())
        await socket.send_json(MENTION)
        assert await within(slack.acknowledged.get()) == "envelope-1"
        await within(run.up.wait())


async def test_a_live_connection_is_kept(slack: Slack) -> None:
    """The watchdog throws away what is dead and nothing else."""
    async with running(slack) as run:
        await within(run.watched.wait())
        assert run.states == [True] * len(run.states)
        assert slack.tickets == 1


async def test_a_wedged_connection_is_replaced(slack: Slack) -> None:
    """After a handshake that failed, the SDK alone would try its spent URL for ever."""
    async with running(slack) as run:
        first = await within(slack.sockets.get())
        await within(run.up.wait())
        slack.refused_handshakes = 1
        await first.close()
        second = await within(slack.sockets.get())
        await second.send_json(MENTION)
        assert await within(slack.acknowledged.get()) == "envelope-1"
        assert run.down.is_set()
        assert slack.tickets == 3


async def test_a_refused_app_token_is_tried_again_with_a_new_connection(slack: Slack) -> None:
    """An outage of apps.connections.open, however long, ends when Slack is back."""
    slack.error = "internal_error"
    async with running(slack, grace=0.1) as run:
        await within(run.down.wait())
        assert not run.up.is_set()
        slack.error = None
        await within(slack.sockets.get())


async def test_stopping_closes_the_socket(slack: Slack) -> None:
    """A shutdown leaves no socket that Slack would still send clicks to."""
    async with running(slack) as run:
        await within(slack.sockets.get())
        run.stop.set()
        await within(run.task)
        await within(slack.closed.wait())
        assert run.states[-1] is False


async def test_stopping_does_not_wait_for_a_connection_that_never_comes_up(slack: Slack) -> None:
    """SIGTERM is not held up by a refused token."""
    async with running(slack, token="xapp-1-another") as run:
        await asyncio.sleep(0)
        run.stop.set()
        await within(run.task)
        assert not run.up.is_set()


async def test_neither_a_token_nor_a_one_time_url_is_logged(slack: Slack, caplog: pytest.LogCaptureFixture) -> None:
    """What the SDK complains about is told by place and class, not by its text."""
    caplog.set_level(logging.INFO)
    slack.refused_handshakes = 1
    with capture_logs() as lines:
        async with running(slack, grace=0.2):
            await within(slack.sockets.get())
    sdk = [record.getMessage() for record in caplog.records if record.name.startswith("slack")]
    told = f"{lines} {sdk}"
    assert "slack.socket_trouble" in told
    assert "one-time" not in told
    assert APP_TOKEN not in told
