"""Which rows are deleted, and which are kept."""

import pytest

from storage.database import Database
from storage.pruning import BATCH, PASSING, Passing, prune
from tests.builders import rows, run

ROWS = {
    "slack_deliveries": "INSERT INTO slack_deliveries (key, received_at) VALUES (decode('{n:02}', 'hex'), {at})",
    "github_deliveries": "INSERT INTO github_deliveries (id, received_at) VALUES ('{n}', {at})",
    "slack_messages": "INSERT INTO slack_messages (id, kind, review_id, channel, ts, created_at) "
    "SELECT gen_random_uuid(), 'reply', id, 'C1', '1.{n}', {at} FROM review",
    "pgqueuer_log": "INSERT INTO pgqueuer_log (job_id, status, priority, entrypoint, created) "
    "VALUES ({n}, 'successful', 1, 'slack.card', {at})",
    "pgqueuer_statistics": "INSERT INTO pgqueuer_statistics (created, count, priority, status, entrypoint) "
    "VALUES ({at}, 1, {n}, 'successful', 'slack.card')",
    "feed_events": "INSERT INTO feed_events (seq, at, channel, type, payload) "
    "VALUES ({n}, {at}, 'apvs', 'new_apv', '{{}}')",
}
REVIEW = (
    "WITH channel AS (INSERT INTO slack_pace (channel) VALUES ('C1') ON CONFLICT DO NOTHING), "
    "review AS (INSERT INTO apv_reviews (apv_code, severity, package_name) "
    "VALUES ('APV-2026-{n}', 'low', 'p') RETURNING id) "
)


async def add(database: Database, what: Passing, n: int, at: str) -> None:
    sql = (REVIEW if "review" in ROWS[what.table] else "") + ROWS[what.table]
    await run(database, sql.format(n=n, at=at))


async def pruned(database: Database, what: Passing) -> int:
    async with database.transaction() as tx:
        return await prune(tx, what)


async def left(database: Database, table: str) -> int:
    return len(await rows(database, f"SELECT 1 FROM {table}"))


@pytest.mark.parametrize("what", PASSING, ids=lambda what: what.table)
async def test_what_is_old_goes_and_what_is_not_stays(database: Database, what: Passing) -> None:
    """A row past its time is deleted, a younger one stays, and a second run finds nothing."""
    over = f"now() - interval '{what.kept.total_seconds() + 60} seconds'"
    still = f"now() - interval '{what.kept.total_seconds() - 60} seconds'"
    await add(database, what, 1, over)
    await add(database, what, 2, still)
    assert await pruned(database, what) == 1
    assert await left(database, what.table) == 1
    assert await pruned(database, what) == 0


async def test_the_log_of_a_job_that_is_not_done_stays(database: Database) -> None:
    """However long it is held: its history is nowhere else."""
    await run(
        database,
        "INSERT INTO pgqueuer (id, priority, status, entrypoint) VALUES (7, 1, 'failed', 'slack.card')",
        "INSERT INTO pgqueuer_log (job_id, status, priority, entrypoint, created) "
        "SELECT n, 'failed', 1, 'slack.card', now() - interval '1 year' FROM unnest(ARRAY[7, 8]) n",
    )
    log = next(what for what in PASSING if what.table == "pgqueuer_log")
    assert await pruned(database, log) == 1
    assert [row["job_id"] for row in await rows(database, "SELECT job_id FROM pgqueuer_log")] == [7]


async def test_cards_and_messages_that_slack_may_not_have_stay(database: Database) -> None:
    """A card is updated as long as its review is open; a message without a ts may still be found in Slack.

    A card that was moved is never looked for again.
    """
    await run(
        database,
        REVIEW.format(n=1) + "INSERT INTO slack_messages (id, kind, review_id, channel, ts, created_at) "
        "SELECT gen_random_uuid(), kind, id, 'C1', ts, now() - interval '1 year' FROM review, "
        "(VALUES ('card', '1.1'), ('reply', NULL), ('reply', '1.2'), ('alert', '1.3'), "
        "('moved', '1.4'), ('moved', NULL)) AS m(kind, ts)",
    )
    messages = next(what for what in PASSING if what.table == "slack_messages")
    assert await pruned(database, messages) == 4
    assert {row["kind"] for row in await rows(database, "SELECT kind FROM slack_messages")} == {"card", "reply"}


async def test_a_flood_goes_in_parts_and_two_replicas_share_it(database: Database) -> None:
    """No transaction takes more than a batch, and none waits for rows that another has locked."""
    await run(
        database,
        "INSERT INTO github_deliveries (id, received_at) "
        f"SELECT n, now() - interval '1 year' FROM generate_series(1, {BATCH + 10}) n",
    )
    deliveries = next(what for what in PASSING if what.table == "github_deliveries")
    async with database.transaction() as one, database.transaction() as other:
        assert await prune(one, deliveries) == BATCH
        assert await prune(other, deliveries) == 10
    assert await left(database, "github_deliveries") == 0
