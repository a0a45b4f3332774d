"""The one place that commits: what it does when the connection is lost before, in between and at the very end."""

import asyncio
from contextlib import suppress

import asyncpg
import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from bot.service.errors import database_is_away
from storage import embedded
from storage.database import CommitUnknown, Database, NotStarted, end
from tests.builders import rows, run

OTHERS = """SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()"""


async def restart(url: str) -> int:
    """End every other connection, as a restart of the server does; returns when they are gone."""
    connection = await asyncpg.connect(embedded.plain(url))
    try:
        return int(await connection.fetchval(OTHERS))
    finally:
        await connection.close()


async def test_a_clean_exit_commits(database: Database) -> None:
    """What the block did is there for everyone."""
    await run(database, "INSERT INTO apv_code_years (year, last) VALUES (2000, 1)")
    assert await rows(database, "SELECT last FROM apv_code_years") == [{"last": 1}]


@pytest.mark.parametrize("error", [ValueError, asyncio.CancelledError])
async def test_anything_else_rolls_back(database: Database, error: type[BaseException]) -> None:
    """An error leaves nothing, and comes out as it is; a task that is ended leaves nothing either."""
    with pytest.raises(error):
        async with database.transaction() as tx:
            await tx.execute(text("INSERT INTO apv_code_years (year, last) VALUES (2000, 1)"))
            raise error
    assert await rows(database, "SELECT * FROM apv_code_years") == []


@pytest.mark.parametrize("connections", [1, 5])
async def test_a_restart_between_two_transactions_is_not_noticed(
    database: Database, database_url: str, connections: int
) -> None:
    """The pool's connections are all dead, and the next transactions work all the same."""
    together = asyncio.Barrier(connections)

    async def hold_one() -> None:
        async with database.transaction() as tx:
            await tx.execute(text("SELECT 1"))
            await together.wait()

    for _ in range(2):
        await asyncio.gather(*[hold_one() for _ in range(connections)])
        assert await restart(database_url) >= connections
        found = await asyncio.gather(*[rows(database, "SELECT 1 AS one") for _ in range(connections)])
        assert found == [[{"one": 1}]] * connections


async def test_a_restart_inside_a_transaction_undoes_it(database: Database, database_url: str) -> None:
    """It failed before its commit, so it is known that nothing is there; and the next one works."""
    with pytest.raises(DBAPIError) as caught:
        async with database.transaction() as tx:
            await tx.execute(text("INSERT INTO apv_code_years (year, last) VALUES (2000, 1)"))
            await restart(database_url)
            await tx.execute(text("INSERT INTO apv_code_years (year, last) VALUES (2001, 1)"))
    assert database_is_away(caught.value)
    assert await rows(database, "SELECT * FROM apv_code_years") == []


async def test_a_connection_lost_at_the_commit_leaves_it_unknown(database: Database, database_url: str) -> None:
    """Only then: whether it is there, the person has to look."""
    with pytest.raises(CommitUnknown):
        async with database.transaction() as tx:
            await tx.execute(text("INSERT INTO apv_code_years (year, last) VALUES (2000, 1)"))
            await restart(database_url)
    assert await rows(database, "SELECT * FROM apv_code_years") == []


async def test_whoever_is_told_to_end_in_a_commit_does_end(database: Database) -> None:
    """Though it hears of the commit only, and is made to go on after any failure."""
    committing = asyncio.Event()
    event.listen(database.engine.sync_engine, "commit", lambda _connection: committing.set())

    async def goes_on() -> None:
        for _ in range(1_000_000):
            with suppress(CommitUnknown):
                await run(database, "SELECT 1")

    task = asyncio.create_task(goes_on())
    await committing.wait()
    await end(task)
    assert task.cancelled()


async def test_a_fault_of_ours_is_no_outage(database: Database) -> None:
    """Wrong SQL is a surprise, and says nothing of the database."""
    with pytest.raises(DBAPIError) as caught:
        await run(database, "SELECT nothing FROM nowhere")
    assert not database_is_away(caught.value)
    assert not isinstance(caught.value, CommitUnknown)


async def test_nobody_is_there(database_url: str) -> None:
    """A server that does not run, and one that was never started, are both away."""
    for nobody in (Database("postgresql+asyncpg://bot@127.0.0.1:1/apv"), Database()):
        with pytest.raises((OSError, NotStarted)) as caught:
            await run(nobody, "SELECT 1")
        assert database_is_away(caught.value)
        await nobody.close()
