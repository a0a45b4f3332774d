"""What the database keeps about the bot's messages in Slack."""

import asyncio
from uuid import uuid4

from storage import messages
from storage.database import Database
from tests.builders import apv, blocked, gate, rows, run, submit


async def test_a_deleted_message_is_recorded_once(database: Database) -> None:
    """Its card's job and a reply's job may find at the same time that it is gone."""
    review = (await submit(gate(database), apv())).review
    card = uuid4()
    await run(
        database,
        "INSERT INTO slack_pace (channel) VALUES ('C9') ON CONFLICT DO NOTHING",
        f"""INSERT INTO slack_messages (id, kind, review_id, channel, ts, created_at)
            VALUES ('{card}', 'card', '{review.id}', 'C9', '1.1', now())""",
    )

    async def record_deleted() -> None:
        async with database.transaction() as tx:
            await messages.record_deleted(tx, card, "1.1")

    async with database.transaction() as first:
        await messages.record_deleted(first, card, "1.1")
        second = asyncio.create_task(record_deleted())
        await blocked(database, 1)
        await first.commit()
    await second
    kept = await rows(database, "SELECT ts, gone FROM slack_messages WHERE channel = 'C9' ORDER BY gone")
    assert kept == [{"ts": None, "gone": False}, {"ts": "1.1", "gone": True}]
