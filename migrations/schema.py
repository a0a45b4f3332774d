"""Migrates a database to this release's schema, and tells whether it has that schema."""

from functools import cache
from pathlib import Path
from typing import Literal

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

import migrations

MIGRATION_LOCK = 7_203_411_985
"""Advisory lock: only one process migrates at a time."""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    return config


def newest() -> str:
    """This release's schema revision."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None, "there is at least one migration"
    return head


@cache
def _revisions() -> tuple[str, ...]:
    """Every revision that this release knows, newest first."""
    return tuple(script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions())


async def state(engine: AsyncEngine) -> Literal["ok", "behind", "ahead"]:
    """The database's schema compared with this release's; `ahead`: a newer release has already migrated it."""
    found = await current(engine)
    known = _revisions()
    if found == known[0]:
        return "ok"
    return "behind" if found is None or found in known else "ahead"


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


async def current(engine: AsyncEngine) -> str | None:
    """The database's revision; None when it was never migrated."""
    async with engine.connect() as connection:
        return await connection.run_sync(_current)


async def upgrade(engine: AsyncEngine, revision: str = "head") -> tuple[str | None, str | None]:
    """Migrate, all steps in one transaction; returns the revision before and after."""

    def run(connection: Connection) -> tuple[str | None, str | None]:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
        before = _current(connection)
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        return before, _current(connection)

    async with engine.begin() as connection:
        return await connection.run_sync(run)
