"""The migrations make the tables of the code, and bring along what every release wrote."""

from uuid import uuid4

import asyncpg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect

from bot.service import statistics, upkeep
from migrations import schema
from storage.database import Database
from storage.embedded import plain
from storage.tables import metadata
from tests.builders import gate, run


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(
        connection,
        opts={
            "compare_type": True,
            "compare_server_default": True,
            "include_object": lambda _o, name, kind, _r, _c: not (kind == "table" and name.startswith("pgqueuer")),
        },
    )
    return list(compare_metadata(context, metadata))


async def test_the_tables_are_what_the_migrations_make(database: Database) -> None:
    """A model changed without a migration, or the other way round, is found."""
    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


def checks(connection: Connection) -> set[str | None]:
    found = inspect(connection)
    return {check["name"] for table in metadata.tables for check in found.get_check_constraints(table)}


async def test_what_a_column_may_hold_is_what_the_migrations_check(database: Database) -> None:
    """Alembic compares no check constraints."""
    declared = {check.name for table in metadata.tables.values() for c in table.c for check in c.constraints}
    async with database.engine.connect() as connection:
        assert await connection.run_sync(checks) == declared != set()


async def test_a_migrated_database_is_at_the_newest_revision(database: Database) -> None:
    """Readiness compares these two."""
    assert await schema.current(database.engine) == schema.newest()


async def test_an_empty_database_has_no_revision(empty_database_url: str) -> None:
    """A database that was never migrated is told from one that is behind."""
    empty = Database(empty_database_url)
    assert await schema.current(empty.engine) is None
    await empty.close()


async def test_migrating_twice_changes_nothing(database: Database) -> None:
    """`apv-bot migrate` may run in every deployment."""
    assert await schema.upgrade(database.engine) == (schema.newest(), schema.newest())


REVISIONS = tuple(f"{number:04d}" for number in range(1, 11))
DRAFTING = "The diff of this version bump is being made. It will be shown here, as a new version to decide on."
NO_PATCH = "It has no patch, so there is no pull request to open."
NO_GITHUB = "GitHub is not set up here, so there is no pull request to open."
HELD: dict[str, tuple[str, str | None, str | None]] = {
    "APV-2026-0001": ("pending", None, None),
    "APV-2026-0002": ("pending", DRAFTING, "drafting"),
    "APV-2026-0003": ("pending", "No diff could be made for this version bump: it is not pinned.", "no_draft"),
    "APV-2026-0004": ("approved", NO_PATCH, "nothing_to_open"),
    "APV-2026-0005": ("approved", NO_GITHUB, "nothing_to_open"),
    "APV-2026-0006": ("approved", "The patch does not apply.", "pull_failed"),
    "APV-2026-0007": ("approved", None, None),
    "APV-2026-0008": ("pr_closed", "Bob rejected APV-2026-0009: no", None),
}
"""What earlier releases wrote: status, note, and the hold that it stands for."""

REVIEW = """
INSERT INTO apv_reviews (id, apv_code, severity, package_name, status, note, digest, identity, version, due_at)
VALUES (gen_random_uuid(), $1, 'high', 'flask', $2, $3, repeat('d', 64), $1, 1, '2026-03-01Z')
"""
DECISION = """
INSERT INTO hitl_decisions (
    id, apv_id, apv_code, decision, reviewer_name, reviewer_key, source, digest, version, action_taken, outcome_notes,
    action_completed_at)
SELECT $1, id, apv_code, $2, 'Bob', 'U0BOB', 'slack', digest, 1, 'recorded', $3, '2026-03-04 05:06:07Z'
FROM apv_reviews WHERE apv_code = 'APV-2026-0001'
"""
ENTRY = """
INSERT INTO audit_log (id, at, apv_id, apv_code, seq, kind, actor, source, sentence, detail, hash)
SELECT gen_random_uuid(), now(), id, apv_code, $1, $2, 'U0BOB', 'slack', 'Bob did.',
    jsonb_build_object('decision_id', $3::text), 'x'
FROM apv_reviews WHERE apv_code = 'APV-2026-0001'
"""
DECIDED: list[tuple[str, str | None, str | None, bool | None, bool]] = [
    ("approve", None, "decision.approve", False, False),
    ("approve", "Withdrawn by the person who gave it.", "decision.approve", False, True),
    ("approve", None, "review.approved", True, False),
    ("reject", "The review was closed: rejected.", "review.rejected", True, False),
    ("modify", None, "review.changes_requested", True, False),
    ("escalate", None, "review.escalated", False, False),
    ("approve", None, None, None, False),
]
"""A decision, its outcome, its audit entry (none: another program wrote it); whether it closed, and was withdrawn."""


@pytest.mark.parametrize("revision", REVISIONS)
async def test_what_every_release_wrote_is_understood(empty_database_url: str, revision: str) -> None:
    """State that was told in sentences has columns of its own, whichever release the database comes from."""
    database = Database(empty_database_url)
    await schema.upgrade(database.engine, revision)
    connection = await asyncpg.connect(plain(empty_database_url))
    for code, (status, note, _) in HELD.items():
        await connection.execute(REVIEW, code, status, note)
    ids = [uuid4() for _ in DECIDED]
    for number, (made, (decision, outcome, kind, _, _)) in enumerate(zip(ids, DECIDED, strict=True), 1):
        await connection.execute(DECISION, made, decision, outcome)
        if kind:
            await connection.execute(ENTRY, number, kind, str(made))
    await schema.upgrade(database.engine)
    holds = await connection.fetch("SELECT apv_code, hold FROM apv_reviews")
    assert {row["apv_code"]: row["hold"] for row in holds} == {code: hold for code, (_, _, hold) in HELD.items()}
    query = "SELECT closing, withdrawn_at IS NOT NULL AS withdrawn FROM hitl_decisions WHERE id = $1"
    found = [await connection.fetchrow(query, made) for made in ids]
    assert [(row["closing"], row["withdrawn"]) for row in found] == [row[3:] for row in DECIDED]
    await connection.close()
    assert await statistics.collect(gate(database))
    assert await upkeep.handle_all(gate(database), *upkeep.DUE[0]) == 3, "those that await a decision are overdue"
    await database.close()


async def test_the_newest_revision_can_be_taken_back_and_made_again(database: Database) -> None:
    """On a database with data."""
    await run(
        database, "INSERT INTO apv_reviews (apv_code, severity, package_name) VALUES ('APV-2026-1', 'low', 'flask')"
    )

    def back(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", "migrations")
        config.attributes["connection"] = connection
        command.downgrade(config, "-1")

    async with database.engine.begin() as connection:
        await connection.run_sync(back)
    before, after = await schema.upgrade(database.engine)
    assert before != after == schema.newest()
    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
