"""One process of the bot, started and stopped so that nothing is lost.

The port listens before any dependency is tried; each dependency is then brought up, and kept up, in the background.
"""

import asyncio
import gc
import os
import socket
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, TypeAlias

import structlog
from aiohttp import web
from slack_bolt.async_app import AsyncApp

from bot.app import wiring
from bot.app.policy_watch import policy_source, watch
from bot.app.vendors import GitHubState, SlackState, github_client, slack_client, slack_session
from bot.config import Settings
from bot.health import Health
from bot.integrations.git.changes import read_all
from bot.integrations.slack.people import SlackDirectory
from bot.integrations.slack.socket_mode import run_socket_mode
from bot.service.feed import Feed
from bot.service.gate import Gate
from bot.tasks.worker import Worker
from handlers import http
from migrations import schema
from storage import embedded
from storage.database import Database, end
from storage.embedded import Embedded

log = structlog.get_logger(__name__)

Role: TypeAlias = Literal["all", "web", "worker"]

REQUESTS_IN_HAND_SECONDS = 8.0
"""How long requests may take to finish at the end; a click takes at most three."""
GARBAGE = 20_000
"""New objects between two runs of the garbage collector."""


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
        self.policy = policy_source(self.settings)
        self.slack = SlackState(socket_awaited=self.settings.slack_app_token is not None and self.role != "worker")
        self.github = GitHubState()
        self.worker: Worker | None = None
        self.health = Health(
            self.database,
            slack=self.slack.shown,
            github=lambda: self.github.word,
            worker=self._worker_state,
            policy=(lambda: self.policy.word) if self.policy.path else None,
        )
        self._embedded: Embedded | None = None
        self._worker_stop = asyncio.Event()
        self._working: asyncio.Task[None] | None = None

    def _worker_state(self) -> str:
        if self.role == "web":
            return "not_here"
        return "ok" if self.worker is not None and self.worker.running else "stopped"

    async def run(self) -> None:
        """Listen, bring everything up, serve until told to stop, and end with nothing in hand. Raises CannotListen."""
        settings, serves = self.settings, self.role != "worker"
        github = github_client(settings)
        async with slack_session() as session:
            slack = slack_client(settings, session)
            directory = SlackDirectory(slack, self.slack.team)
            gate = self._gate(directory)
            feed = Feed(gate) if serves and settings.websocket_enabled else None
            bolt = wiring.bolt_app(settings, gate, self.slack, slack, session) if serves else None
            runner = await self._listen(wiring.web_app(settings, gate, self.health, bolt, feed))
            duties = [self.health.watch(), self.slack.watch(slack), watch(gate, self.policy)]
            duties += [self.github.watch(github)] if github is not None else []
            duties += [feed.run()] if feed is not None else []
            background = [_in_background(duty) for duty in duties]
            try:
                await self._bring_up(lambda: wiring.worker(settings, gate, slack, github))
                await self._receive(bolt)
            finally:
                await self._finish(runner)
                await end(*background)
                await self.health.close()
                await gate.commits.close()
                await directory.aclose()
                if github is not None:
                    await github.close()
                await self.database.close()
                if self._embedded is not None:
                    await self._embedded.stop()
                log.info("server.stopped")

    def _gate(self, directory: SlackDirectory) -> Gate:
        return Gate(
            database=self.database,
            directory=directory,
            policy=self.policy.current,
            team_id=self.slack.team,
            opens_pulls=self.settings.opens_pulls,
            default_repository=self.settings.default_repository,
            repositories=self.settings.repositories,
            now=self.now,
            read_changes=read_all,
        )

    async def _listen(self, app: web.Application) -> web.AppRunner:
        runner = http.Runner(app, access_log=None, handle_signals=False, shutdown_timeout=REQUESTS_IN_HAND_SECONDS)
        await runner.setup()
        host, port = self.settings.host, self.settings.port
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            await runner.cleanup()
            why = "no such host" if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
            raise CannotListen(f"HOST, PORT: cannot listen on {host}:{port} ({why})") from None
        self.port = runner.addresses[0][1]
        log.info("server.listening", host=host, port=self.port, role=self.role)
        self.listening.set()
        # What start-up made stays, and a request leaves few cycles: the collector may run seldom.
        gc.freeze()
        gc.set_threshold(GARBAGE)
        return runner

    async def _bring_up(self, make_worker: Callable[[], Worker]) -> None:
        """Wait only for the embedded server, which we start and migrate ourselves; then start the worker."""
        if self.settings.database_url is None:
            self._embedded = await embedded.start(self.settings.apv_bot_home)
            self.database.locate(self._embedded.url)
            await schema.upgrade(self.database.engine)
        if self.stop.is_set():
            return
        if self.role != "web":
            self.worker = make_worker()
            self._working = asyncio.create_task(self.worker.run(self._worker_stop))
        self.health.started = True

    async def _receive(self, bolt: AsyncApp | None) -> None:
        """Serve until told to stop; over a socket when there is an app token."""
        app_token = self.settings.slack_app_token
        if app_token is None or bolt is None:
            await self.stop.wait()
        else:
            await run_socket_mode(bolt, app_token.get_secret_value(), self.stop, self.slack.on_socket)

    async def _finish(self, runner: web.AppRunner) -> None:
        """Readiness goes first, then requests in hand are answered, then jobs in hand are done."""
        self.health.stopping = True
        log.info("server.stopping")
        # A balancer sends requests here until it has seen that; a closed port would fail them.
        await asyncio.sleep(self.settings.drain_seconds)
        await runner.cleanup()
        self._worker_stop.set()
        if self._working is not None:
            await self._working


def _in_background(duty: Coroutine[None, None, None]) -> asyncio.Task[None]:
    task = asyncio.create_task(duty)
    task.add_done_callback(_log_failure)
    return task


def _log_failure(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        log.error("server.unexpected_error", exc_info=error)
