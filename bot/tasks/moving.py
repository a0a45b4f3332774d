"""The job that links a review's new card from its former cards."""

from uuid import UUID

from bot.blocks.card import moved
from bot.blocks.kit import Message
from bot.integrations.errors import Retry
from bot.integrations.slack.errors import ChannelUnavailable, MessageGone
from bot.jobs import MoveCard
from bot.tasks.slack import Context, Place, Unpostable, as_member, newest_card
from storage import messages, reviews
from storage.pace import UPDATES


async def move_card(context: Context, job: MoveCard) -> None:
    """Idempotent: a card that already links the new one is no longer a former card."""
    place, permalink = await _linked(context, job.review_id)
    async with context.database.transaction() as tx:
        dossier = await reviews.get(tx, job.review_id)
        former = await messages.former_cards(tx, job.review_id)
    if dossier is None:
        raise Unpostable
    for message_id in former:
        await _leave(context, message_id, moved(dossier, place.channel, permalink))


async def _linked(context: Context, review_id: UUID) -> tuple[Place, str]:
    """The review's card, posted if Slack does not have it, and its web address."""
    while True:
        place = await newest_card(context, review_id)
        try:
            return place, await context.slack.permalink(place.channel, place.ts)
        except MessageGone:
            async with context.database.transaction() as tx:
                card = await messages.begin_card(tx, review_id, place.channel)
                await messages.record_deleted(tx, card, place.ts)


async def _leave(context: Context, message_id: UUID, notice: Message) -> None:
    """Replace a former card with the notice; a card that nobody can read or change any more stays as it is."""
    await context.pace.turn_to_update()
    try:
        async with context.database.transaction() as tx:
            # Another job may be drawing the former card: it either comes first, or finds that the card has moved.
            message = await messages.lock(tx, message_id)
            ts = await as_member(context.slack, message.channel, lambda: _draw(context, message, notice))
            await messages.leave(tx, message_id, ts)
    except (MessageGone, ChannelUnavailable):
        async with context.database.transaction() as tx:
            await messages.leave(tx, message_id)
    except Retry as error:
        raise (await context.pace.pause(UPDATES, error) if error.code == "ratelimited" else error) from None


async def _draw(context: Context, message: messages.Message, notice: Message) -> str | None:
    """Update the message, after a crash the one that an earlier job has posted; returns its ts, None without one."""
    ts = message.ts
    if ts is None and message.attempted_at is not None:
        ts = await context.slack.find(message.channel, message.id, message.attempted_at.timestamp())
    if ts is not None:
        await context.slack.update(message.channel, ts, notice.text, notice.blocks)
    return ts
