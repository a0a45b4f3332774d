"""The engine and the only place that commits: `transaction()` commits on a clean exit and rolls back otherwise.

Code that queues jobs in a transaction calls `rings`; the workers are woken after the commit.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

log = structlog.get_logger(__name__)

IDLE_SECONDS = 5.0
QUIET_SECONDS = 0.05
"""Pause between two notifications; one covers all commits in between."""

AGAIN_SECONDS = 0.5
"""Pause between two attempts to cancel a task."""

RINGS = "rings"
FEED = "hitl_feed"
# The notification that the queue's own trigger would send for an insert, and one for the live feed.
RING = f"""SELECT pg_notify('ch_pgqueuer', json_build_object('channel', 'ch_pgqueuer', 'operation', 'insert',
    'sent_at', now(), 'table', 'pgqueuer', 'type', 'table_changed_event')::text), pg_notify('{FEED}', '')"""


class CommitUnknown(Exception):
    """The connection was lost while committing: the change may or may not be in the database."""


GONE = ("08", "57P")
"""First characters of the SQLSTATEs of a dropped connection; whether the statement ran is then unknown."""


def refused(error: BaseException) -> bool:
    """Whether the server rejected the statement, so that it changed nothing in the database."""
    if not isinstance(error, DBAPIError) or error.connection_invalidated:
        return False
    sqlstate = getattr(error.orig, "sqlstate", None)
    return sqlstate is not None and not sqlstate.startswith(GONE)


class NotStarted(ConnectionError):
    """The embedded server has not been started yet, so there is no address to connect to."""


class Database:
    """A pool of connections to one PostgreSQL; it connects on first use."""

    def __init__(self, url: str | None = None) -> None:
        """`url` is `postgresql+asyncpg://…`; without one, every use raises NotStarted until `locate` names it."""
        self._engine: AsyncEngine | None = None
        self._each_alone: AsyncEngine | None = None
        self._queued = False
        self._ringing: asyncio.Task[None] | None = None
        if url is not None:
            self.locate(url)

    def locate(self, url: str) -> None:
        """Set the server's address."""
        self._engine = create_async_engine(
            url,
            pool_size=10,
            max_overflow=10,
            pool_timeout=2,
            # Error texts are logged, and the parameters hold what people wrote.
            hide_parameters=True,
            connect_args={"timeout": 2, "server_settings": {"application_name": "apv-bot"}},
        )
        # Shares the pool.
        self._each_alone = self._engine.execution_options(isolation_level="AUTOCOMMIT")
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
        async with self._rung_by(self.engine) as connection:
            yield connection
            try:
                await connection.commit()
            except BaseException as error:
                raise CommitUnknown from error

    @asynccontextmanager
    async def statements(self) -> AsyncIterator[AsyncConnection]:
        """One connection in autocommit mode: every statement is committed when it returns."""
        if self._each_alone is None:
            raise NotStarted
        async with self._rung_by(self._each_alone) as connection:
            yield connection

    @asynccontextmanager
    async def _rung_by(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        async with engine.connect() as connection:
            info = _info(connection)
            info[RINGS] = False
            yield connection
            rung = info[RINGS]
        if rung:
            self._ring()

    def _ring(self) -> None:
        self._queued = True
        if self._ringing is None or self._ringing.done():
            self._ringing = asyncio.create_task(self._ring_while_queued())

    async def _ring_while_queued(self) -> None:
        while self._queued:
            self._queued = False
            try:
                async with self.statements() as connection:
                    await connection.exec_driver_sql(RING)
            except (DBAPIError, PoolTimeout, OSError) as error:
                # Nothing is lost: the workers also poll every two seconds.
                log.debug("queue.not_rung", error=type(error).__name__)
            await asyncio.sleep(QUIET_SECONDS)

    async def close(self) -> None:
        """Close every connection."""
        if self._ringing is not None:
            await self._ringing
        if self._engine is not None:
            await self._engine.dispose()

    def _refuse_dead(
        self, connection: DBAPIConnection, entry: ConnectionPoolEntry, _proxy: PoolProxiedConnection
    ) -> None:
        """Drop connections that died with a restarted server. Only idle ones are pinged: a ping costs a round trip."""
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


async def end(*tasks: asyncio.Future[None]) -> None:
    """Cancel tasks and wait until they end. A task that is cancelled during a commit gets CommitUnknown instead and may
    go on, so it is cancelled again.
    """
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=AGAIN_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)


def rings(tx: AsyncConnection) -> None:
    """Wake the workers and the live feed once this transaction is committed."""
    _info(tx)[RINGS] = True


def _info(connection: AsyncConnection) -> dict[Any, Any]:
    """Data stored with a connection for as long as it is open."""
    assert connection.sync_connection is not None, "a transaction has a connection"
    return connection.sync_connection.info


def _remember_checkin(_connection: DBAPIConnection | None, entry: ConnectionPoolEntry) -> None:
    entry.info["checked_in"] = time.monotonic()
