"""The one place that commits: what happens when the connection is lost before, during and at the commit."""

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
    """Other connections see what the block did."""
    await run(database, "INSERT INTO apv_code_years (year, last) VALUES (2000, 1)")
    assert await rows(database, "SELECT last FROM apv_code_years") == [{"last": 1}]


@pytest.mark.parametrize("error", [ValueError, asyncio.CancelledError])
async def test_anything_else_rolls_back(database: Database, error: type[BaseException]) -> None:
    """An error leaves nothing and is raised unchanged; a cancelled task leaves nothing either."""
    with pytest.raises(error):
        async with database.transaction() as tx:
            await tx.execute(text("INSERT INTO apv_code_years (year, last) VALUES (2000, 1)"))
            raise error
    assert await rows(database, "SELECT * FROM apv_code_years") == []


@pytest.mark.parametrize("connections", [1, 5])
async def test_a_restart_between_two_transactions_is_not_noticed(
    database: Database, database_url: str, connections: int
) -> None:
    """All connections of the pool are dead, and the next transactions still work."""
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
    """It failed before its commit, so nothing was stored; the next one works."""
    with pytest.raises(DBAPIError) as caught:
        async with database.transaction() as tx:
            await tx.execute(text("INSERT INTO apv_code_years (year, last) VALUES (2000, 1)"))
            await restart(database_url)
            await tx.execute(text("INSERT INTO apv_code_years (year, last) VALUES (2001, 1)"))
    assert database_is_away(caught.value)
    assert await rows(database, "SELECT * FROM apv_code_years") == []


async def test_a_connection_lost_at_the_commit_leaves_it_unknown(database: Database, database_url: str) -> None:
    """Only then does nobody know whether it was stored."""
    with pytest.raises(CommitUnknown):
        async with database.transaction() as tx:
            await tx.execute(text("INSERT INTO apv_code_years (year, last) VALUES (2000, 1)"))
            await restart(database_url)
    assert await rows(database, "SELECT * FROM apv_code_years") == []


async def test_a_task_cancelled_during_a_commit_ends(database: Database) -> None:
    """Although the commit takes the cancellation, and the task goes on after any failure."""
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


async def test_our_own_error_is_not_an_outage(database: Database) -> None:
    """Wrong SQL is an unexpected error and does not mean that the database is away."""
    with pytest.raises(DBAPIError) as caught:
        await run(database, "SELECT nothing FROM nowhere")
    assert not database_is_away(caught.value)
    assert not isinstance(caught.value, CommitUnknown)


async def test_an_unreachable_server_is_an_outage(database_url: str) -> None:
    """A server that stopped and one that never started both count as away."""
    for nobody in (Database("postgresql+asyncpg://bot@127.0.0.1:1/apv"), Database()):
        with pytest.raises((OSError, NotStarted)) as caught:
            await run(nobody, "SELECT 1")
        assert database_is_away(caught.value)
        await nobody.close()
