"""A channel's turns: by rate and burst, waited for in hand only when they are near, and never during a pause."""

from datetime import timedelta

from storage import pace
from storage.database import Database
from storage.pace import Tier

TIER = Tier(timedelta(hours=10), burst=2)
NEAR, FAR = timedelta(hours=1), timedelta(hours=60)
HOUR = 3600
"""Hours in place of seconds: however slow the machine is, the wait rounds to the same number."""


async def takes(database: Database, patience: timedelta) -> tuple[bool, int]:
    """Whether the turn was given, and the hours until it."""
    async with database.transaction() as tx:
        taken, wait = await pace.take(tx, "C1", TIER, patience)
    return taken, round(wait / HOUR)


async def test_a_burst_is_free_and_the_next_waits(database: Database) -> None:
    """As many at once as the burst, then one in each interval."""
    assert [await takes(database, FAR) for _ in range(3)] == [(True, 0), (True, 0), (True, 10)]


async def test_a_job_that_would_wait_too_long_takes_no_turn(database: Database) -> None:
    """However often it asks, the turn stays free for another job."""
    await takes(database, NEAR), await takes(database, NEAR)
    assert [await takes(database, NEAR) for _ in range(2)] == [(False, 10), (False, 10)]
    assert await takes(database, FAR) == (True, 10)


async def test_no_job_waits_for_the_end_of_a_pause(database: Database) -> None:
    """Not even with patience: it would hold the turn while something more urgent comes."""
    await takes(database, NEAR)
    async with database.transaction() as tx:
        assert round(await pace.pause(tx, "C1", TIER, timedelta(hours=5)) / HOUR) == 5
    assert await takes(database, FAR) == (False, 5)
