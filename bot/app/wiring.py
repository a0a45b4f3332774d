"""Puts the parts of a process together: the Bolt app, the web app with its routes, the worker with its tasks."""

import logging
import time
from functools import partial

import aiohttp
from aiohttp import web
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from bot import jobs
from bot.app.vendors import SlackState, secret, web_origin
from bot.config import Settings
from bot.health import Health
from bot.integrations.github import signature as github_signature
from bot.integrations.github.client import GitHubClient
from bot.integrations.slack.answers import Dialogs, PrivateReplies
from bot.integrations.slack.client import SlackClient
from bot.integrations.slack.signature import verified
from bot.service import pulls, upkeep
from bot.service.feed import Feed
from bot.service.gate import Gate
from bot.tasks import bumps as bump_tasks
from bot.tasks import github as github_tasks
from bot.tasks import slack as slack_tasks
from bot.tasks.held import tell_held
from bot.tasks.moving import move_card
from bot.tasks.pace import Pace, tiers
from bot.tasks.worker import Worker, work
from handlers import http, ops, webhooks
from handlers.api import feed as feed_routes
from handlers.api import reviews as api
from handlers.api.auth import Auth
from handlers.slack import register
from handlers.slack.context import Context
from handlers.slack.route import mount_slack
from storage import embedded


def bolt_app(
    settings: Settings, gate: Gate, state: SlackState, slack: SlackClient, session: aiohttp.ClientSession
) -> AsyncApp:
    """Bolt, with everything that people do in Slack."""
    token = secret(settings.slack_bot_token)

    async def authorize() -> AuthorizeResult:
        # From the one auth.test at start: asking on every request would put Slack's latency before every click.
        me = state.identity
        return AuthorizeResult(
            enterprise_id=None,
            team_id=me.team_id if me else None,
            bot_user_id=me.user_id if me else None,
            bot_id=me.bot_id if me else None,
            bot_token=token,
        )

    bolt = AsyncApp(
        # Without a name Bolt reads the source of every file on the stack to find one.
        name="apv-bot",
        # No token here: `authorize` gives it, and the handlers use our own client anyway.
        client=AsyncWebClient(base_url=settings.slack_api_url, session=session, retry_handlers=[]),
        authorize=authorize,
        signing_secret=secret(settings.slack_signing_secret),
        process_before_response=True,
        ssl_check_enabled=False,
        # handlers.slack.route has verified the raw bytes, and gives Bolt what it parsed from them.
        request_verification_enabled=False,
        # By default Bolt gives each of its loggers the root's level.
        logger=logging.getLogger("slack_bolt"),
    )
    replies = PrivateReplies(session, slack, settings.slack_api_url)
    register(
        bolt, Context(gate=gate, replies=replies, views=Dialogs(slack), web_origin=web_origin(settings.github_api_url))
    )
    return bolt


def web_app(
    settings: Settings, gate: Gate, health: Health, bolt: AsyncApp | None, feed: Feed | None
) -> web.Application:
    """Every route. A process without Bolt, a worker's, serves health and metrics only."""
    app = http.application(settings.cors_origins)
    ops.add_routes(app, health, prometheus_enabled=settings.prometheus_enabled)
    if bolt is not None:
        signing = secret(settings.slack_signing_secret).encode()
        mount_slack(app, bolt, lambda raw, stamp, sign: verified(raw, stamp, sign, signing, time.time()))
        auth = Auth.of(settings, now=gate.now)
        api.add_routes(app, gate, auth)
        if feed is not None:
            feed_routes.add_route(app, feed, auth, gate.now)
        if hook := secret(settings.github_webhook_secret):
            webhooks.add_route(app, gate, partial(github_signature.verified, secret=hook.encode()))
    return app


def worker(settings: Settings, gate: Gate, slack: SlackClient, github: GitHubClient | None) -> Worker:
    """The queue's worker, with the task of each job; without GitHub, jobs for it wait in the queue."""
    limits = tiers(per_second(settings.slack_pace))
    desk = slack_tasks.Context(
        database=gate.database,
        slack=slack,
        pace=Pace(gate.database, limits),
        policy=gate.policy,
        now=gate.now,
        web_origin=web_origin(settings.github_api_url),
    )
    tasks = {
        # These three run one at a time in each lane (storage.lanes), so that the most urgent is first.
        jobs.SyncCard.task: work(jobs.SyncCard, partial(slack_tasks.sync_card, desk), at_once=1),
        jobs.ReplyInThread.task: work(jobs.ReplyInThread, partial(slack_tasks.reply_in_thread, desk), at_once=1),
        jobs.MoveCard.task: work(jobs.MoveCard, partial(move_card, desk), at_once=1),
        jobs.AlertIncident.task: work(jobs.AlertIncident, partial(slack_tasks.alert_incident, desk), at_once=1),
    }
    poll_every = None
    if github is not None:
        poll_every = pulls.WITH_WEBHOOKS if settings.github_webhook_secret else pulls.WITHOUT_WEBHOOKS
        hub = github_tasks.Context(gate, github)
        tasks[jobs.MakeBump.task] = work(jobs.MakeBump, partial(bump_tasks.make_bump, hub), at_once=1)
        tasks[jobs.ReadBase.task] = work(jobs.ReadBase, partial(github_tasks.read_base, hub), at_once=1)
        tasks[jobs.OpenPull.task] = work(jobs.OpenPull, partial(github_tasks.open_pull, hub), at_once=1)
        tasks[jobs.WatchPull.task] = work(jobs.WatchPull, partial(github_tasks.watch_pull, hub), at_once=1)
        tasks[jobs.AnswerPull.task] = work(jobs.AnswerPull, partial(github_tasks.answer_pull, hub), at_once=1)
    return Worker(
        embedded.plain(gate.database.engine.url.render_as_string(hide_password=False)),
        tasks,
        limits,
        held=partial(tell_held, gate),
        sweep=partial(upkeep.sweep, gate, poll_every),
        prune=partial(upkeep.prune, gate),
    )


def per_second(rate: str) -> float | None:
    """`<number>/s` or `<number>/m` as a number a second; None for `off`."""
    number, _, unit = rate.partition("/")
    return None if rate == "off" else int(number) / (60 if unit == "m" else 1)
