"""The schema is the migrations' and the migrations are the schema's."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect

from migrations import schema
from storage.database import Database
from storage.tables import metadata


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
