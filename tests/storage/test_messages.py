"""What the database keeps about the bot's messages in Slack."""

import asyncio
from uuid import UUID, uuid4

from storage import messages
from storage.database import Database
from tests.builders import apv, blocked, gate, now_of, queued, rows, run, submit


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


async def placed(database: Database, review_id: UUID, channel: str) -> bool:
    async with database.transaction() as tx:
        return await messages.place_card(tx, review_id, channel)


async def card_and_former(database: Database, review_id: UUID) -> tuple[UUID, list[UUID]]:
    async with database.transaction() as tx:
        return await messages.begin_card(tx, review_id, "C-of-nobody"), await messages.former_cards(tx, review_id)


async def test_the_newest_card_is_the_card(database: Database) -> None:
    """Each place that it moves to has an id of its own, also one that it comes back to."""
    review = (await submit(gate(database), apv())).review
    (first, none), (channel,) = await card_and_former(database, review.id), await rows(database, CHANNEL)
    assert none == []
    assert await placed(database, review.id, "C2")
    second, former = await card_and_former(database, review.id)
    assert former == [first]
    assert await placed(database, review.id, channel["channel"])
    third, former = await card_and_former(database, review.id)
    assert former == [first, second]
    assert len({first, second, third}) == 3


CHANNEL = "SELECT channel FROM slack_messages WHERE kind = 'card'"


async def test_a_card_is_not_moved_to_where_it_is(database: Database) -> None:
    """Twice to one channel is one move."""
    review = (await submit(gate(database), apv())).review
    assert [await placed(database, review.id, "C2") for _ in range(2)] == [True, False]


async def test_a_move_waits_for_no_call_to_slack(database: Database) -> None:
    """A job that draws the old card holds its row: content comes all the same, and a click need not wait."""
    opened = gate(database)
    review = (await submit(opened, apv())).review
    async with database.transaction() as drawing:
        card = await messages.begin_card(drawing, review.id, "C1")
        await messages.lock(drawing, card)
        assert await placed(database, review.id, "C2")


async def test_jobs_of_the_change_wait_for_the_new_channel(database: Database) -> None:
    """Card and reply are queued in the lane of the channel that they go to."""
    opened = gate(database)
    review = (await submit(opened, apv())).review
    await run(database, "DELETE FROM pgqueuer")
    assert await placed(database, review.id, "C2")
    await submit(opened, apv(patch_description="Changed."))
    assert (await now_of(opened, review)).version == 2
    assert "slack.card" in await queued(database)
    lanes = await rows(database, "SELECT DISTINCT lane FROM pgqueuer WHERE lane IS NOT NULL")
    assert [row["lane"] for row in lanes] == ["C2"]
