"""`apv-bot demo`: the whole bot on this machine, between stand-ins for Slack and GitHub, fed with the sample APVs.

The bot is the one that `serve` runs: it knows the stand-ins only by their URLs.
"""

import asyncio
import hashlib
import json
import os
import secrets
import shutil
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import asyncpg
from pydantic import SecretStr

from bot import samples, telemetry
from bot.app import opening
from bot.app.process import Bot, CannotListen
from bot.config import ConfigurationError, Settings
from bot.demo.play import DemoFailed, Stage, play
from bot.domain.faults import NotAccepted
from bot.intake.formats import FORMATS, UnknownInput
from bot.sandbox.github import GitHubSandbox
from bot.sandbox.server import SandboxServer
from bot.sandbox.slack import SlackSandbox
from bot.sandbox.submit import SubmitForm, SubmitResult
from migrations import schema
from storage import embedded
from storage.database import Database

OWNER, NAME = "sample", "shop"
BOT_PORT, SANDBOX_PORT = 8003, 8004
START_SECONDS = 30.0
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def forget_proxies() -> None:
    """Slack's SDK would send even loopback traffic through a proxy. Call it before any thread reads the environment."""
    for name in PROXIES:
        os.environ.pop(name, None)
        os.environ.pop(name.lower(), None)


async def run(*, headless: bool) -> None:
    """Start everything; headless plays the reviewers and returns, otherwise runs until Ctrl-C. Raises DemoFailed."""
    telemetry.configure(level="warning", form="auto", secrets=[])
    began = time.monotonic()
    async with _stage(headless=headless) as stage:
        if headless:
            await play(stage)
            print(f"Every line above happened, in {time.monotonic() - began:.0f} s.")
        else:
            await _until_interrupted(stage)


def _port() -> int:
    given = os.environ.get("PORT") or str(BOT_PORT)
    if not given.isdecimal() or int(given) > 65535:
        raise ConfigurationError("PORT: must be a number from 0 to 65535")
    return int(given)


async def _until_interrupted(stage: Stage) -> None:
    print(f"\n  Act as any reviewer:        {stage.page}")
    print("  Try in the message box:     /apv help")
    print(f"  Readiness of the bot:       {stage.bot_url}/health/ready")
    print("\n  Ctrl-C ends it.\n", flush=True)
    stop = asyncio.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    await stop.wait()


@asynccontextmanager
async def _stage(*, headless: bool) -> AsyncIterator[Stage]:
    """PostgreSQL, the stand-ins and the bot, started in this order and stopped in the other."""
    port, sandbox_port = (0, 0) if headless else (_port(), SANDBOX_PORT)
    home = Path(os.environ.get("APV_BOT_HOME") or ".apv-bot") / "demo"
    async with AsyncExitStack() as stack:
        server = await embedded.start(home)
        stack.push_async_callback(server.stop)
        await _empty(server.url)
        print("The embedded PostgreSQL runs, with a new database.")
        # The last demo's Slack ended with its process, so its pull requests are removed too.
        shutil.rmtree(home / "github", ignore_errors=True)
        token, signing_secret, api_token, hook = (secrets.token_hex(16) for _ in range(4))
        slack = SlackSandbox(bot_token=token, signing_secret=signing_secret)
        github = GitHubSandbox(home / "github", token=token)
        github.create_repository(OWNER, NAME, samples.repository_files())
        try:
            sandbox = await stack.enter_async_context(SandboxServer(slack, github, port=sandbox_port))
        except OSError:
            raise DemoFailed(f"Port {SANDBOX_PORT} is taken; is another demo running?") from None
        print(f"Stand-ins for Slack and GitHub listen at {sandbox.origin}.")
        settings = Settings(
            _env_file=None,
            # The environment is for another bot; no setting's name begins with this.
            _env_prefix="NO_SETTING_",
            host="127.0.0.1",
            port=port,
            database_url=SecretStr(server.url),
            slack_bot_token=SecretStr(token),
            slack_signing_secret=SecretStr(signing_secret),
            slack_api_url=sandbox.slack_api_url,
            # The stand-in takes messages as fast as they come.
            slack_pace="off",
            slack_review_channel=slack.channel("vuln-review").id,
            slack_incident_channel=slack.channel("incidents").id,
            reviewers=(slack.group("reviewers").id,),
            leads=(slack.group("leads").id,),
            github_token=SecretStr(token),
            github_api_url=sandbox.github_api_url,
            github_repo_owner=OWNER,
            github_repo_name=NAME,
            github_webhook_secret=SecretStr(hook),
            api_tokens=(f"scanner:read+submit:{hashlib.sha256(api_token.encode()).hexdigest()}",),
        )
        bot = await stack.enter_async_context(_bot(settings))
        sandbox.offer(submit_form(settings))
        slack.request_url = f"http://127.0.0.1:{bot.port}/slack/events"
        github.webhooks.set_up(f"http://127.0.0.1:{bot.port}/github/webhooks", hook)
        stage = Stage(slack, github, bot, api_token, page=f"{sandbox.origin}/")
        print(f"The bot listens at {stage.bot_url} and is ready.")
        await _submit(stage)
        yield stage


@asynccontextmanager
async def _bot(settings: Settings) -> AsyncIterator[Bot]:
    bot = Bot(settings)
    serving = asyncio.create_task(bot.run())
    try:
        await _ready(bot, serving)
        yield bot
    finally:
        bot.stop.set()
        with suppress(CannotListen):
            await serving


async def _ready(bot: Bot, serving: asyncio.Task[None]) -> None:
    deadline = time.monotonic() + START_SECONDS
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < deadline:
            if serving.done():
                raise DemoFailed(f"The bot could not start; is port {bot.settings.port} taken?")
            if bot.listening.is_set():
                async with session.get(f"http://127.0.0.1:{bot.port}/health/ready") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.05)
    raise DemoFailed("The bot did not become ready.")


async def _empty(url: str) -> None:
    """A new, migrated database in place of the one that an earlier demo left."""
    connection = await asyncpg.connect(embedded.plain(url).replace(f"/{embedded.DATABASE}?", "/postgres?"))
    try:
        await connection.execute(f"DROP DATABASE IF EXISTS {embedded.DATABASE} WITH (FORCE)")
        await connection.execute(f"CREATE DATABASE {embedded.DATABASE}")
    finally:
        await connection.close()
    database = Database(url)
    await schema.upgrade(database.engine)
    await database.close()


def submit_form(settings: Settings) -> SubmitForm:
    """Make the page's form for submitting to the bot with these settings, as `apv-bot submit` takes a file."""

    async def submit(content: bytes) -> SubmitResult:
        try:
            async with opening.gate(settings) as opened:
                return SubmitResult(True, await opening.take(opened, content))
        except (UnknownInput, NotAccepted) as error:
            return SubmitResult(False, opening.fault_lines(error))

    understood = ", ".join(each.title for each in FORMATS.values())
    return SubmitForm("Submit an APV", f"Formats: {understood}.", samples.apvs(), submit)


async def _submit(stage: Stage) -> None:
    """Submit the samples as a scanner would: over the API."""
    apvs = [json.loads(text) for _, text in samples.apvs()]
    headers = {"Authorization": f"Bearer {stage.api_token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{stage.bot_url}/hitl/reviews", json=apvs) as answer,
    ):
        if answer.status != 201:
            raise DemoFailed(f"The samples were not accepted: HTTP {answer.status}.")
        stored = await answer.json()
    print(f"{len(stored)} APVs submitted over the API, from real advisories in real releases.")
