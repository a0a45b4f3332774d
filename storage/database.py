"""The engine and the one place that commits: `transaction()` commits on a clean exit and rolls back otherwise."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

IDLE_SECONDS = 5.0


class CommitUnknown(Exception):
    """The connection was lost while committing: the change may or may not be in the database."""


class NotStarted(ConnectionError):
    """The embedded server has not been started yet, so there is no address to connect to."""


class Database:
    """A pool of connections to one PostgreSQL; nothing is opened before the first use."""

    def __init__(self, url: str | None = None) -> None:
        """`url` is `postgresql+asyncpg://…`; without one, every use raises NotStarted until `locate` names it."""
        self._engine: AsyncEngine | None = None
        if url is not None:
            self.locate(url)

    def locate(self, url: str) -> None:
        """Say where the server is."""
        self._engine = create_async_engine(
            url,
            pool_size=10,
            max_overflow=10,
            pool_timeout=2,
            # An error's text goes to the log, and the parameters hold what people wrote.
            hide_parameters=True,
            connect_args={"timeout": 2, "server_settings": {"application_name": "apv-bot"}},
        )
        event.listen(self._engine.sync_engine, "checkin", _remember_checkin)
        event.listen(self._engine.sync_engine, "checkout", self._refuse_dead)

    @property
    def engine(self) -> AsyncEngine:
        """The engine; raises NotStarted."""
        if self._engine is None:
            raise NotStarted
        return self._engine

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """One transaction on one connection; raises CommitUnknown when only its commit failed."""
        async with self.engine.connect() as connection:
            yield connection
            try:
                await connection.commit()
            except BaseException as error:
                raise CommitUnknown from error

    async def close(self) -> None:
        """Close every connection."""
        if self._engine is not None:
            await self._engine.dispose()

    def _refuse_dead(
        self, connection: DBAPIConnection, entry: ConnectionPoolEntry, _proxy: PoolProxiedConnection
    ) -> None:
        """A restarted server leaves dead connections in the pool; asking a busy one each time would cost a trip."""
        driver = entry.driver_connection
        if driver is None or driver.is_closed():
            raise DisconnectionError
        if time.monotonic() - entry.info.get("checked_in", time.monotonic()) > IDLE_SECONDS:
            dialect = self.engine.sync_engine.dialect
            try:
                alive = dialect.do_ping(connection)
            except dialect.loaded_dbapi.Error as error:
                raise DisconnectionError from error
            if not alive:
                raise DisconnectionError


def _remember_checkin(_connection: DBAPIConnection | None, entry: ConnectionPoolEntry) -> None:
    entry.info["checked_in"] = time.monotonic()
