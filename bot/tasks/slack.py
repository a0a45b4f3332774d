"""The Slack jobs. Each is idempotent: it looks for a message by its id before it posts it again."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.blocks import alerts
from bot.blocks.card import card
from bot.blocks.kit import Message
from bot.domain import deadlines
from bot.domain.decisions import tally
from bot.domain.policy import Policy
from bot.integrations.errors import Retry, VendorError
from bot.integrations.slack.client import SlackClient
from bot.integrations.slack.errors import ChannelUnavailable, MessageGone
from bot.jobs import AlertIncident, ReplyInThread, SyncCard
from bot.tasks.pace import Pace
from storage import audit, messages, pace, reviews
from storage.audit import Entry
from storage.database import Database
from storage.pace import UPDATES


class Unpostable(Exception):
    """The job's review or audit entry does not exist."""


class Superseded(Exception):
    """The review has a new card in another channel, and this one links it."""


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Context:
    """The dependencies of the Slack jobs."""

    database: Database
    slack: SlackClient
    pace: Pace
    policy: Callable[[], Policy]
    now: Callable[[], datetime]
    web_origin: str
    """Origin of the pull-request links that a card may carry, such as `https://github.com`."""


@dataclass(frozen=True, slots=True)
class Place:
    """A message's address in Slack."""

    channel: str
    ts: str
    painted: bool = True
    """False: the message was found in Slack and shows the state at the time it was posted."""


async def sync_card(context: Context, job: SyncCard) -> None:
    """Idempotent: a second run finds the revision already rendered, or renders the newest state."""
    await _ensure_card(context, job.review_id, job.revision)


async def reply_in_thread(context: Context, job: ReplyInThread) -> None:
    """Idempotent: a second run finds the reply's ts, or the reply itself in the thread."""
    place = await newest_card(context, job.review_id)
    async with context.database.transaction() as tx:
        entry = await audit.entry(tx, job.entry_id)
        if entry is None:
            raise Unpostable
        message_id = await messages.begin(tx, messages.REPLY, job.entry_id, job.review_id, place.channel)
    await _say_once(context, message_id, alerts.reply(entry.sentence, _told(entry)), place.ts)


async def alert_incident(context: Context, job: AlertIncident) -> None:
    """Idempotent, like a reply."""
    policy, dossier, home, channel = context.policy(), None, "", context.policy().incident_channel
    async with context.database.transaction() as tx:
        entry = await audit.entry(tx, job.entry_id)
        if job.review_id is not None:
            dossier, place = await reviews.get(tx, job.review_id), await messages.card_of(tx, job.review_id)
            if dossier is None:
                raise Unpostable
            channel = policy.incident_channel_for(dossier.review)
            # An alert does not wait for the card, which will be posted there.
            home = place[0] if place else policy.channel_for(dossier.review)
        if entry is None:
            raise Unpostable
        message_id = await messages.begin(tx, messages.ALERT, job.entry_id, job.review_id, channel)
    await _say_once(context, message_id, alerts.alert(entry.kind, entry.sentence, dossier=dossier, channel=home))


def _told(entry: Entry) -> Sequence[str]:
    keys = entry.detail.get("tell")
    return [str(key) for key in keys] if isinstance(keys, list) else ()


async def newest_card(context: Context, review_id: UUID) -> Place:
    """The card to reply under; if it is gone, it is posted again first, here or in another channel."""
    async with context.database.transaction() as tx:
        revision = await reviews.revision(tx, review_id)
    try:
        return await _ensure_card(context, review_id, revision)
    except VendorError:
        # Another job updates the card and retries; the reply can go under the card as it is.
        return await _ensure_card(context, review_id, 0)


async def _ensure_card(context: Context, review_id: UUID, revision: int) -> Place:
    """Post or update the card, unless Slack already shows it at `revision` or later."""
    while True:
        with suppress(Superseded):
            return await _ensure_newest(context, review_id, revision)


async def _ensure_newest(context: Context, review_id: UUID, revision: int) -> Place:
    async with context.database.transaction() as tx:
        review = await reviews.state(tx, review_id)
        if review is None:
            raise Unpostable
        channel = context.policy().channel_for(review)
        message_id = await messages.begin_card(tx, review_id, channel)

    async def content(tx: AsyncConnection) -> tuple[Message, int]:
        dossier = await reviews.get(tx, review_id)
        if dossier is None:
            raise Unpostable
        review, policy = dossier.review, context.policy()
        drawn = card(
            dossier,
            tally(review, policy, context.now()),
            now=context.now(),
            why_approve=policy.needs(review).justification,
            web_origin=context.web_origin,
            why_due=deadlines.why_due(policy.rule_for(review), dossier.apv, dossier.metadata),
        )
        return drawn, review.revision

    return await _ensure(context, message_id, content, revision)


async def _say_once(context: Context, message_id: UUID, said: Message, thread_ts: str | None = None) -> None:
    async def content(_tx: AsyncConnection) -> tuple[Message, int]:
        return said, 0

    await _ensure(context, message_id, content, 0, thread_ts)


async def _ensure(
    context: Context,
    message_id: UUID,
    content: Callable[[AsyncConnection], Awaitable[tuple[Message, int]]],
    revision: int,
    thread_ts: str | None = None,
) -> Place:
    """Make sure that Slack has the message at `revision` or later, exactly once, also after a crash."""
    fallback = context.policy().incident_channel
    while True:
        # Committed before Slack is called, so that after a crash the next run knows that the message may be there.
        async with context.database.transaction() as tx:
            before = await messages.attempt(tx, message_id)
        if before.ts is not None and before.rendered_revision >= revision:
            return Place(before.channel, before.ts)
        # Before the row is locked: a job that waits for its turn must not hold a connection.
        await (context.pace.turn_to_post(before.channel) if before.ts is None else context.pace.turn_to_update())
        try:
            async with context.database.transaction() as tx:
                message = await messages.lock(tx, message_id)
                if message.kind == messages.MOVED:
                    raise Superseded
                if message.ts is not None and message.rendered_revision >= revision:
                    return Place(message.channel, message.ts)
                said, shown = await content(tx)
                place = await _put(context.slack, message, said, before.attempted_at, thread_ts)
                # Somebody may have clicked the card before we found it, so it still needs an update.
                rendered = shown if place.painted else 0
                await messages.sent(tx, message_id, place.channel, place.ts, rendered)
                await pace.works(tx, place.channel)
            if rendered >= revision:
                return place
        except MessageGone:
            if message.ts is None:
                raise  # the thread is gone
            async with context.database.transaction() as tx:
                await messages.record_deleted(tx, message_id, message.ts)
        except ChannelUnavailable as error:
            async with context.database.transaction() as tx:
                await pace.refuses(tx, message.channel, error.code)
            if thread_ts is not None or message.channel == fallback:
                raise
            async with context.database.transaction() as tx:
                # A card that cannot be updated is moved too: people must still be able to decide.
                # Recorded before the fallback is tried, so that a retry after a crash looks there.
                await messages.move(tx, message_id, fallback)
        except Retry as error:
            if message.ts is None:
                raise await context.pace.pause(message.channel, error) from None
            if error.code == "ratelimited":
                raise await context.pace.pause(UPDATES, error) from None
            raise


async def _put(
    slack: SlackClient, message: messages.Message, said: Message, tried: datetime | None, thread_ts: str | None
) -> Place:
    """Update, find or post the message; the bot first joins a public channel that it is not in."""
    return await as_member(slack, message.channel, lambda: _put_as_member(slack, message, said, tried, thread_ts))


async def as_member(slack: SlackClient, channel: str, call: Callable[[], Awaitable[T]]) -> T:
    """Call; if the bot is not in the channel, join it and call again."""
    try:
        return await call()
    except ChannelUnavailable as error:
        if error.code != "not_in_channel":
            raise
        await slack.join(channel)
        return await call()


async def _put_as_member(
    slack: SlackClient, message: messages.Message, said: Message, tried: datetime | None, thread_ts: str | None
) -> Place:
    if message.ts is not None:
        await slack.update(message.channel, message.ts, said.text, said.blocks)
        return Place(message.channel, message.ts)
    if tried is not None:
        found = await slack.find(message.channel, message.id, tried.timestamp(), thread_ts)
        if found is not None:
            return Place(message.channel, found, painted=False)
    posted = await slack.post(message.channel, said.text, said.blocks, outbox_id=message.id, thread_ts=thread_ts)
    return Place(message.channel, posted.ts)
