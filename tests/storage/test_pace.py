"""A channel's turns: by rate and burst, waited for in hand only when they are near, and never during a pause."""

from datetime import timedelta

from storage import pace
from storage.database import Database
from storage.pace import Tier

TIER = Tier(timedelta(seconds=10), burst=2)
NEAR, FAR = timedelta(seconds=1), timedelta(minutes=1)


async def takes(database: Database, patience: timedelta) -> tuple[bool, int]:
    """Whether the turn was given, and the whole seconds until it."""
    async with database.transaction() as tx:
        taken, wait = await pace.take(tx, "C1", TIER, patience)
    return taken, round(wait)


async def test_a_burst_is_free_and_the_next_waits(database: Database) -> None:
    """As many at once as the burst, then one each interval."""
    assert [await takes(database, FAR) for _ in range(3)] == [(True, 0), (True, 0), (True, 10)]


async def test_whoever_would_wait_too_long_takes_no_turn(database: Database) -> None:
    """However often it asks: the turn is another's."""
    await takes(database, NEAR), await takes(database, NEAR)
    assert [await takes(database, NEAR) for _ in range(2)] == [(False, 10), (False, 10)]
    assert await takes(database, FAR) == (True, 10)


async def test_a_pause_is_waited_out_by_nobody(database: Database) -> None:
    """Not even by the patient, who would hold the turn while something more urgent comes."""
    await takes(database, NEAR)
    async with database.transaction() as tx:
        assert round(await pace.pause(tx, "C1", TIER, timedelta(seconds=5))) == 5
    assert await takes(database, FAR) == (False, 5)
