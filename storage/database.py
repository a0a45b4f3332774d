"""The engine and the one place that commits: `transaction()` commits on a clean exit and rolls back otherwise.

Whoever queued jobs in a transaction says so (`rings`), and the workers are woken once it is committed.
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
"""Between two rings: what is committed in the meantime is told by one."""

AGAIN_SECONDS = 0.5
"""Between two times that a task is told to end."""

RINGS = "rings"
FEED = "hitl_feed"
# What the queue's own trigger would say of an insert; and the live feed looks what there is to tell.
RING = f"""SELECT pg_notify('ch_pgqueuer', json_build_object('channel', 'ch_pgqueuer', 'operation', 'insert',
    'sent_at', now(), 'table', 'pgqueuer', 'type', 'table_changed_event')::text), pg_notify('{FEED}', '')"""


class CommitUnknown(Exception):
    """The connection was lost while committing: the change may or may not be in the database."""


GONE = ("08", "57P")
"""What SQLSTATEs begin with when the server breaks a connection off, whatever becomes of what was under way."""


def refused(error: BaseException) -> bool:
    """Whether the server said no to a statement, so that nothing of it is in the database."""
    if not isinstance(error, DBAPIError) or error.connection_invalidated:
        return False
    sqlstate = getattr(error.orig, "sqlstate", None)
    return sqlstate is not None and not sqlstate.startswith(GONE)


class NotStarted(ConnectionError):
    """The embedded server has not been started yet, so there is no address to connect to."""


class Database:
    """A pool of connections to one PostgreSQL; nothing is opened before the first use."""

    def __init__(self, url: str | None = None) -> None:
        """`url` is `postgresql+asyncpg://…`; without one, every use raises NotStarted until `locate` names it."""
        self._engine: AsyncEngine | None = None
        self._each_alone: AsyncEngine | None = None
        self._queued = False
        self._ringing: asyncio.Task[None] | None = None
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
        # Of the same pool.
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
        """One connection on which every statement is a transaction by itself, committed when it returns."""
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
                # Nothing is lost: the workers look by themselves every two seconds.
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


async def end(*tasks: asyncio.Future[None]) -> None:
    """Cancel tasks and wait for their end. One that was cancelled in a commit learns that it may or may not have done
    it, and could go on; so it is told again.
    """
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=AGAIN_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)


def rings(tx: AsyncConnection) -> None:
    """Something changed in this transaction: wake the workers and the live feed when it is committed."""
    _info(tx)[RINGS] = True


def _info(connection: AsyncConnection) -> dict[Any, Any]:
    """What is remembered of a connection as long as it lives."""
    assert connection.sync_connection is not None, "a transaction has a connection"
    return connection.sync_connection.info


def _remember_checkin(_connection: DBAPIConnection | None, entry: ConnectionPoolEntry) -> None:
    entry.info["checked_in"] = time.monotonic()
