"""Runs migrations on the caller's connection; alembic itself is configured in pyproject.toml."""

from alembic import context
from sqlalchemy import Connection, pool
from sqlalchemy.ext.asyncio import create_async_engine

from storage.tables import metadata


def migrate(connection: Connection) -> None:
    """Run the requested migrations in one transaction."""
    context.configure(connection=connection, target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()


async def connect_and_migrate() -> None:
    """For the `alembic` command during development: migrate the database of the settings."""
    from bot.config import Settings  # noqa: PLC0415 - only the alembic command needs settings

    settings = Settings.load()
    if settings.database_url is None:
        raise SystemExit("DATABASE_URL: must be set to run alembic by hand")
    engine = create_async_engine(settings.database_url.get_secret_value(), poolclass=pool.NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


given = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    import asyncio

    asyncio.run(connect_and_migrate())
