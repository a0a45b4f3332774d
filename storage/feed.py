"""Reads the live feed's table in order of `seq`, and listens for the notification that there may be more."""

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import asyncpg
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.apv import Json
from storage.database import FEED, Database
from storage.embedded import plain
from storage.tables import feed_events, feed_head

E = feed_events.c


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """One event for the subscribers of its channel."""

    seq: int
    at: datetime
    channel: str
    type: str
    payload: dict[str, Json]


async def head(tx: AsyncConnection) -> int:
    """The last seq given; 0 before the first event."""
    seq: int = (await tx.execute(select(feed_head.c.seq))).scalar_one()
    return seq


async def between(
    tx: AsyncConnection, after: int, upto: int, *, limit: int, channels: Collection[str] | None = None
) -> list[FeedEvent]:
    """Events in order, after `after` and up to `upto`; None: of all channels."""
    query = select(E.seq, E.at, E.channel, E.type, E.payload).where(E.seq > after, E.seq <= upto)
    if channels is not None:
        query = query.where(E.channel.in_(sorted(channels)))
    return [FeedEvent(*row) for row in await tx.execute(query.order_by(E.seq).limit(limit))]


@asynccontextmanager
async def listening(database: Database, rung: Callable[[], None]) -> AsyncIterator[asyncpg.Connection]:
    """A separate connection; `rung` is called after each commit that rings, and when the connection is lost."""
    dsn = plain(database.engine.url.render_as_string(hide_password=False))
    connection = await asyncpg.connect(dsn, timeout=2, server_settings={"application_name": "apv-bot"})
    try:
        connection.add_termination_listener(lambda _connection: rung())
        await connection.add_listener(FEED, lambda *_: rung())
        yield connection
    finally:
        connection.terminate()
