"""Composition root: settings -> database -> clients -> Bolt -> aiohttp, started and stopped so that nothing is lost.

The port listens before any dependency is tried; each dependency is then brought up, and kept up, in the background.
"""

import asyncio
import gc
import logging
import os
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Literal

import aiohttp
import structlog
from aiohttp import web
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from bot import jobs, metrics
from bot.app.policy_watch import watch
from bot.app.vendors import github_client, secret, web_origin
from bot.config import Settings
from bot.health import Health
from bot.integrations.errors import VendorError
from bot.integrations.github import signature as github_signature
from bot.integrations.slack.answers import Dialogs, PrivateReplies
from bot.integrations.slack.client import Identity, SlackClient
from bot.integrations.slack.errors import TokenRefused
from bot.integrations.slack.people import SlackDirectory
from bot.integrations.slack.signature import verified
from bot.integrations.slack.socket_mode import run_socket_mode
from bot.service import pulls, upkeep
from bot.service.feed import Feed
from bot.service.gate import Gate
from bot.tasks import bumps as bump_tasks
from bot.tasks import github as github_tasks
from bot.tasks import slack as slack_tasks
from bot.tasks.held import tell_held
from bot.tasks.pace import Pace, tiers
from bot.tasks.worker import Worker, work
from handlers import http, ops, webhooks
from handlers.api import feed
from handlers.api import reviews as api
from handlers.api.auth import Auth
from handlers.slack import register
from handlers.slack.context import Context
from handlers.slack.route import mount_slack
from migrations import schema
from storage import embedded
from storage.database import Database, end

log = structlog.get_logger(__name__)

Role = Literal["all", "web", "worker"]

SLACK_TIMEOUT = aiohttp.ClientTimeout(total=10)
PROBE_SECONDS = 30.0
RETRY_SECONDS = 1.0
REQUESTS_IN_HAND_SECONDS = 8.0
"""How long requests may take to finish at the end; a click takes at most three."""
GARBAGE = 20_000
"""New objects between two looks of the garbage collector."""


def utc_now() -> datetime:
    """The clock."""
    return datetime.now(UTC)


class CannotListen(Exception):
    """The address is taken, not this machine's, or not allowed; the message is one line for the terminal."""


@dataclass
class Bot:
    """One process of the bot. `run` serves until `stop` is set."""

    settings: Settings
    role: Role = "all"
    now: Callable[[], datetime] = utc_now
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    listening: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        url = self.settings.database_url
        self.database = Database(url.get_secret_value() if url else None)
        self.identity: Identity | None = None
        self.slack_state = "unanswered"
        self.socket_awaited = self.settings.slack_app_token is not None and self.role != "worker"
        self.github_state = "not_configured"
        self.worker: Worker | None = None
        self.policy = self.settings.policy_source()
        self.health = Health(
            self.database,
            slack=self._slack_word,
            github=lambda: self.github_state,
            worker=self._worker_state,
            policy=(lambda: self.policy.word) if self.policy.path else None,
        )

    async def run(self) -> None:
        """Listen, bring everything up, serve until told to stop, and end with nothing in hand. Raises CannotListen."""
        async with aiohttp.ClientSession(timeout=SLACK_TIMEOUT, trust_env=True) as session:
            await _Run(self, session).until_stopped()

    def _slack_word(self) -> str:
        # Where clicks come through a socket, Slack has not answered before there is one.
        return "unanswered" if self.slack_state == "ok" and self.socket_awaited else self.slack_state

    def _worker_state(self) -> str:
        if self.role == "web":
            return "not_here"
        return "ok" if self.worker is not None and self.worker.running else "stopped"


class _Run:
    """What lives as long as one run: clients, server, background tasks."""

    def __init__(self, bot: Bot, session: aiohttp.ClientSession) -> None:
        settings = bot.settings
        self.bot, self.session, self.settings = bot, session, settings
        token = secret(settings.slack_bot_token)
        self.slack = SlackClient(token, settings.slack_api_url, session, _count_slack)
        self.directory = SlackDirectory(self.slack, self._team)
        self.policy = bot.policy
        self.gate = Gate(
            database=bot.database,
            directory=self.directory,
            policy=self.policy.current,
            team_id=self._team,
            opens_pulls=settings.opens_pulls,
            default_repository=settings.default_repository,
            repositories=settings.repositories,
            now=bot.now,
        )
        self.feed = Feed(self.gate) if settings.websocket_enabled and bot.role != "worker" else None
        self.origin = web_origin(settings.github_api_url)
        self.github = github_client(settings)
        self.worker_stop = asyncio.Event()
        self.background: list[asyncio.Task[None]] = []
        self.embedded: embedded.Embedded | None = None

    def _team(self) -> str:
        return self.bot.identity.team_id if self.bot.identity else ""

    async def until_stopped(self) -> None:
        bolt = self._bolt()
        runner = http.Runner(
            self._web_app(bolt),
            access_log=None,
            handle_signals=False,
            shutdown_timeout=REQUESTS_IN_HAND_SECONDS,
        )
        await runner.setup()
        await self._listen(runner)
        self.bot.port = runner.addresses[0][1]
        log.info("server.listening", host=self.settings.host, port=self.bot.port, role=self.bot.role)
        self.bot.listening.set()
        # What start-up made is here to stay, and a request leaves hardly a cycle: the collector may look seldom.
        gc.freeze()
        gc.set_threshold(GARBAGE)
        worker: asyncio.Task[None] | None = None
        try:
            self._spawn(self.bot.health.watch())
            self._spawn(self._watch_slack())
            self._spawn(self._watch_github())
            self._spawn(watch(self.gate, self.policy))
            if self.feed is not None:
                self._spawn(self.feed.run())
            if await self._database_up():
                if self.bot.role != "web":
                    worker = asyncio.create_task(self._worker().run(self.worker_stop))
                self.bot.health.started = True
                await self._receive(bolt)
        finally:
            await self._shut_down(runner, worker)

    async def _listen(self, runner: web.AppRunner) -> None:
        host, port = self.settings.host, self.settings.port
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            await runner.cleanup()
            why = "no such host" if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
            raise CannotListen(f"HOST, PORT: cannot listen on {host}:{port} ({why})") from None

    async def _shut_down(self, runner: web.AppRunner, worker: asyncio.Task[None] | None) -> None:
        """Readiness goes first, then clicks in hand, then jobs in hand, then what they all stand on."""
        self.bot.health.stopping = True
        log.info("server.stopping")
        # A balancer sends requests here until it has seen that; a closed port would fail them.
        await asyncio.sleep(self.settings.drain_seconds)
        await runner.cleanup()
        self.worker_stop.set()
        if worker is not None:
            await worker
        await end(*self.background)
        await self.directory.aclose()
        if self.github is not None:
            await self.github.close()
        await self.bot.database.close()
        if self.embedded is not None:
            await self.embedded.stop()
        log.info("server.stopped")

    async def _database_up(self) -> bool:
        """Wait for nothing but the embedded server, which is ours to start and to migrate; False when told to stop."""
        if self.settings.database_url is None:
            self.embedded = await embedded.start(self.settings.apv_bot_home)
            self.bot.database.locate(self.embedded.url)
            await schema.upgrade(self.bot.database.engine)
        return not self.bot.stop.is_set()

    async def _receive(self, bolt: AsyncApp | None) -> None:
        """Serve until told to stop; over a socket when there is an app token."""
        app_token = self.settings.slack_app_token
        if app_token is None or bolt is None:
            await self.bot.stop.wait()
            return
        await run_socket_mode(bolt, app_token.get_secret_value(), self.bot.stop, self._socket_state)

    def _socket_state(self, connected: bool) -> None:
        self.bot.socket_awaited = self.bot.socket_awaited and not connected
        log.debug("slack.socket", connected=connected)

    def _spawn(self, work: Awaitable[None]) -> None:
        self.background.append(asyncio.ensure_future(work))

    async def _watch_slack(self) -> None:
        """Learn who we are, and notice when the token stops being accepted."""
        while True:
            try:
                self.bot.identity = await self.slack.identity()
                self._slack_is("ok")
            except TokenRefused:
                self._slack_is("refused")
            except VendorError as error:
                # Once Slack has answered, an outage is waited out by the jobs; readiness is not lost over it.
                log.warning("slack.unreachable", error=error.code)
            await asyncio.sleep(PROBE_SECONDS if self.bot.slack_state == "ok" else RETRY_SECONDS)

    def _slack_is(self, state: str) -> None:
        if state != self.bot.slack_state:
            log.info("slack.state", state=state)
            self.bot.slack_state = state

    async def _watch_github(self) -> None:
        while self.github is not None:
            try:
                await self.github.check()
                self.bot.github_state = "ok"
            except VendorError as error:
                self.bot.github_state = "unreachable"
                metrics.GITHUB_ERRORS.labels("check", error.code).inc()
                log.warning("github.unreachable", error=error.code)
            await asyncio.sleep(PROBE_SECONDS)

    def _bolt(self) -> AsyncApp | None:
        if self.bot.role == "worker":
            return None
        token = secret(self.settings.slack_bot_token)

        async def authorize() -> AuthorizeResult:
            # From the one auth.test at start: asking on every request would put Slack's latency before every click.
            me = self.bot.identity
            return AuthorizeResult(
                enterprise_id=None,
                team_id=me.team_id if me else None,
                bot_user_id=me.user_id if me else None,
                bot_id=me.bot_id if me else None,
                bot_token=token,
            )

        bolt = AsyncApp(
            # Without one Bolt reads the source of every file on the stack, to be called after one of them.
            name="apv-bot",
            # No token here: `authorize` gives it, and the handlers speak through our own client anyway.
            client=AsyncWebClient(base_url=self.settings.slack_api_url, session=self.session, retry_handlers=[]),
            authorize=authorize,
            signing_secret=secret(self.settings.slack_signing_secret),
            process_before_response=True,
            ssl_check_enabled=False,
            # handlers.mount has checked it on the raw bytes, and gives Bolt what it made of them.
            request_verification_enabled=False,
            # Left to itself, Bolt gives each of its loggers the root's level, whatever theirs was set to.
            logger=logging.getLogger("slack_bolt"),
        )
        replies = PrivateReplies(self.session, self.slack, self.settings.slack_api_url)
        register(bolt, Context(gate=self.gate, replies=replies, views=Dialogs(self.slack), web_origin=self.origin))
        return bolt

    def _web_app(self, bolt: AsyncApp | None) -> web.Application:
        app = http.application(self.settings.cors_origins)
        ops.add_routes(app, self.bot.health, prometheus_enabled=self.settings.prometheus_enabled)
        if bolt is not None:
            signing = secret(self.settings.slack_signing_secret).encode()
            mount_slack(app, bolt, lambda raw, stamp, sign: verified(raw, stamp, sign, signing, time.time()))
            auth = Auth.of(self.settings)
            api.add_routes(app, self.gate, auth)
            if self.feed is not None:
                feed.add_route(app, self.feed, auth, self.bot.now)
            if hook := secret(self.settings.github_webhook_secret):
                webhooks.add_route(app, self.gate, partial(github_signature.verified, secret=hook.encode()))
        return app

    def _worker(self) -> Worker:
        limits = tiers(self.settings.posts_per_second)
        desk = slack_tasks.Context(
            database=self.bot.database,
            slack=self.slack,
            pace=Pace(self.bot.database, limits),
            policy=self.gate.policy,
            now=self.bot.now,
            web_origin=self.origin,
        )
        tasks = {
            # Cards and replies run one at a time in each lane (storage.lanes): the most urgent is to be first.
            jobs.SyncCard.task: work(jobs.SyncCard, partial(slack_tasks.sync_card, desk), at_once=1),
            jobs.ReplyInThread.task: work(jobs.ReplyInThread, partial(slack_tasks.reply_in_thread, desk), at_once=1),
            jobs.AlertIncident.task: work(jobs.AlertIncident, partial(slack_tasks.alert_incident, desk), at_once=1),
        }
        if self.github is not None:
            github = github_tasks.Context(self.gate, self.github)
            tasks[jobs.MakeBump.task] = work(jobs.MakeBump, partial(bump_tasks.make_bump, github), at_once=1)
            tasks[jobs.OpenPull.task] = work(jobs.OpenPull, partial(github_tasks.open_pull, github), at_once=1)
            tasks[jobs.WatchPull.task] = work(jobs.WatchPull, partial(github_tasks.watch_pull, github), at_once=1)
            tasks[jobs.AnswerPull.task] = work(jobs.AnswerPull, partial(github_tasks.answer_pull, github), at_once=1)
        webhooks = self.settings.github_webhook_secret is not None
        poll_every = pulls.WITH_WEBHOOKS if webhooks else pulls.WITHOUT_WEBHOOKS
        every = poll_every if self.github is not None else None
        url = self.bot.database.engine.url.render_as_string(hide_password=False)
        self.bot.worker = Worker(
            embedded.plain(url),
            tasks,
            limits,
            held=partial(tell_held, self.gate),
            sweep=partial(upkeep.sweep, self.gate, every),
            prune=partial(upkeep.prune, self.gate),
        )
        return self.bot.worker


def _count_slack(method: str, error: str) -> None:
    metrics.SLACK_ERRORS.labels(method, error).inc()
