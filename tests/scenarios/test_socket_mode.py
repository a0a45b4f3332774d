"""The socket to Slack reconnects after every failure, and closes when asked to."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import aiohttp
import pytest
from pydantic import SecretStr
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient
from structlog.testing import capture_logs

from bot.app.process import Bot
from bot.integrations.slack.socket_mode import run_socket_mode
from bot.sandbox.server import SandboxServer
from bot.sandbox.slack import SlackSandbox
from tests import harness
from tests.harness import World

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
    """The watchdog replaces a dead connection and no other."""
    async with running(slack) as run:
        await within(run.watched.wait())
        assert run.states == [True] * len(run.states)
        assert len(slack.calls("apps.connections.open")) == 1


async def test_a_wedged_connection_is_replaced(slack: SlackSandbox) -> None:
    """After a failed handshake the SDK alone would retry its used URL forever."""
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
    """apps.connections.open is retried however often it fails."""
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
    """A refused token does not delay SIGTERM."""
    async with running(slack, token="xapp-1-another") as run:
        await slack.changed(lambda: slack.calls("apps.connections.open"), 30)
        run.stop.set()
        await within(run.task)
        assert not run.up.is_set()


async def test_neither_a_token_nor_a_one_time_url_is_logged(
    slack: SlackSandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names the place and class of the SDK's complaints, not their text."""
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


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """The whole bot, to which Slack speaks through its socket and in no other way."""
    async with harness.world(database_url, tmp_path, slack_app_token=SecretStr(harness.APP_TOKEN)) as made:
        await connected(made.slack)
        made.slack.socket_mode = True
        made.slack.request_url = None
        yield made


async def test_everything_works_over_the_socket(world: World) -> None:
    """Clicks, modals with their errors, commands and private refusals, as over HTTP."""
    await world.parts_are(slack="ok", worker="ok")
    card, other = await world.submit(), await world.submit(harness.sample(harness.HIGH))
    assert card.code in await world.bob.types("queue")
    assert (await world.olga.approves(card)).ok
    await world.olga.is_told("not on the list of reviewers")
    assert (await world.alice.approves(card)).ok
    pull = await world.pull(card)
    await card.thread_reads("Alice approved", f"Pull request #{pull.number}")
    view = await world.bob.opens("Reject", other)
    await world.bob.fills(view, enforce=False, reason="Other", justification="no")
    assert "10" in next(iter(view.errors.values()))
    await world.bob.fills(view, reason="Other", justification="It breaks the build of the shop.")
    await other.thread_reads("It breaks the build")
    assert [d["decision"] for d in await world.decisions(other)] == ["reject"]


async def test_an_envelope_delivered_again_has_one_effect(world: World) -> None:
    """Slack repeats a request that was not acknowledged in time; the repetition changes nothing."""
    card = await world.submit(harness.sample(harness.CRITICAL))
    await world.hears(card.code)
    first = await world.alice.approves(card)
    assert (await world.slack.redeliver(first)).ok
    claimed = await world.slack.slash("bob", "vuln-review", "/apv", f"claim {card.code}")
    assert (await world.slack.redeliver(claimed)).ok
    await world.settle()
    assert len(await world.decisions(card)) == 1
    assert (await world.audit(card)).count("review.claimed") == 1
    await card.shows("1 of 2 approvals")
    assert world.alice.told == []
    assert len(world.bob.told) == 1
    assert len(card.thread) == 2


async def test_clicks_work_after_slack_has_asked_for_a_new_connection(world: World) -> None:
    """As it does every few hours."""
    card = await world.submit()
    sockets = world.slack.sockets
    await sockets.disconnect()
    await world.slack.changed(lambda: (sockets.greeted, sockets.connections) == (2, 1), 30)
    assert (await world.alice.claims(card)).ok
    await card.thread_reads("Alice claimed")


async def test_a_click_in_hand_is_answered_before_the_socket_closes(database_url: str, tmp_path: Path) -> None:
    """At a stop the bot commits, acknowledges, and only then closes the socket."""
    app_token = SecretStr(harness.APP_TOKEN)
    async with harness.surroundings(database_url, tmp_path, slack_app_token=app_token) as world:
        world.slack.socket_mode = True
        async with harness.running(Bot(world.settings)) as bot:
            world.talks_to(bot)
            await world.parts_are(slack="ok", worker="ok")
            card = await world.submit()
            await world.settle()
            world.slack.fail("users.info", "slow", seconds=1)
            clicking = asyncio.create_task(world.alice.approves(card))
            await world.until(lambda: not world.slack.pending_faults, lambda: "nobody asked who clicked")
            bot.stop.set()
            assert (await clicking).ok
        assert [d["decision"] for d in await world.decisions(card)] == ["approve"]
        world.tolerated.add(card.code)


async def test_it_is_not_ready_before_there_is_a_socket(database_url: str, tmp_path: Path) -> None:
    """A valid bot token is not enough when clicks come through a socket."""
    app_token = SecretStr(harness.APP_TOKEN)
    async with harness.surroundings(database_url, tmp_path, slack_app_token=app_token) as world:
        world.slack.fail("apps.connections.open", "internal_error", times=None)
        async with harness.running(Bot(world.settings)) as bot:
            world.talks_to(bot)
            await world.until(lambda: bot.slack.word == "ok", lambda: "Slack was not reached")
            await world.parts_are(slack="unanswered", worker="ok")
