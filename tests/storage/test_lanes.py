"""Which Slack job runs next: the head of each open lane, one at a time; no lane delays another."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest
from pgqueuer.db import AsyncpgPoolDriver
from pgqueuer.ports.repository import EntrypointExecutionParameter
from pgqueuer.types import QueueEntrypoint, QueueManagerId

from storage.database import Database
from storage.embedded import plain
from storage.lanes import LaneQueries, Tiers
from storage.pace import UPDATES, Tier
from tests.builders import run

SLACK = {QueueEntrypoint("slack.card"): EntrypointExecutionParameter(concurrency_limit=1)}
TIERS = Tiers(Tier(timedelta(seconds=1), 3), Tier(timedelta(seconds=1.5), 10))


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(plain(database_url), min_size=2, max_size=4) as opened:
        yield opened


async def picked(pool: asyncpg.Pool) -> list[int]:
    """The ids that a new worker gets now."""
    queries = LaneQueries(AsyncpgPoolDriver(pool), TIERS)
    jobs = await queries.dequeue(10, SLACK, QueueManagerId(uuid4()), None, timedelta(seconds=10))
    return [job.id for job in jobs]


async def waits(database: Database, *jobs: tuple[int, str, int]) -> None:
    """Jobs that wait: id, lane, priority."""
    for number, lane, priority in jobs:
        await run(
            database,
            f"INSERT INTO slack_pace (channel) VALUES ('{lane.partition(':')[0]}') ON CONFLICT DO NOTHING",
            "INSERT INTO pgqueuer (id, priority, entrypoint, status, lane) "
            f"VALUES ({number}, {priority}, 'slack.card', 'queued', '{lane}')",
        )


async def test_the_most_urgent_of_each_lane_is_next(database: Database, pool: asyncpg.Pool) -> None:
    """By priority, then age; the next one starts only when this one has ended, for any worker."""
    await waits(database, (1, "C1", 15), (2, "C1", 45), (3, "C1", 45), (4, "C2", 15), (5, "C1:update", 15))
    assert await picked(pool) == [2, 4, 5]
    assert await picked(pool) == []
    await run(database, "DELETE FROM pgqueuer WHERE id = 2")
    assert await picked(pool) == [3]


async def test_a_head_that_is_just_taken_is_not_overtaken(database: Database, pool: asyncpg.Pool) -> None:
    """Two workers ask at the same moment: the second finds nothing in that lane."""
    await waits(database, (1, "C1", 45), (2, "C1", 15), (3, "C2", 15))
    async with pool.acquire() as other, other.transaction():
        await other.execute("SELECT FROM pgqueuer WHERE id = 1 FOR UPDATE")
        assert await picked(pool) == [3]
    assert await picked(pool) == [1]


async def test_a_paused_channel_holds_up_no_other(database: Database, pool: asyncpg.Pool) -> None:
    """Updates do not wait for posts, nor posts for updates."""
    await waits(database, (1, "C1", 45), (2, "C2", 15), (3, "C1:update", 15))
    await run(database, "UPDATE slack_pace SET paused_until = now() + interval '1 hour' WHERE channel = 'C1'")
    assert await picked(pool) == [2, 3]
    await waits(database, (4, "C3", 15), (5, "C3:update", 15))
    await run(database, f"UPDATE slack_pace SET paused_until = now() + interval '1 hour' WHERE channel = '{UPDATES}'")
    assert await picked(pool) == [4]


async def test_a_channel_that_used_its_turns_up_is_closed(database: Database, pool: asyncpg.Pool) -> None:
    """Its jobs keep their place in the queue until it may be used again."""
    await waits(database, (1, "C1", 45), (2, "C2", 15))
    await run(
        database,
        "UPDATE slack_pace SET next_at = now() + interval '1 minute' WHERE channel = 'C1'",
        "UPDATE slack_pace SET next_at = now() + interval '1 second' WHERE channel = 'C2'",
    )
    assert await picked(pool) == [2]


async def test_a_dead_worker_stops_its_own_lane_only(database: Database, pool: asyncpg.Pool) -> None:
    """Its job is taken over after its heartbeat timed out; other lanes are served meanwhile."""
    await waits(database, (1, "C1", 45), (2, "C1", 45))
    assert await picked(pool) == [1]
    await waits(database, (3, "C2", 15))
    assert await picked(pool) == [3]
    await run(database, "UPDATE pgqueuer SET heartbeat = now() - interval '11 seconds' WHERE id = 1")
    assert await picked(pool) == [1]
