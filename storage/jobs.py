"""Putting jobs into the queue, inside the transaction that decides them."""

from collections.abc import Sequence

from pgqueuer.queries import Queries
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.apv import Severity
from bot.jobs import Job, payload, priority


class TransactionDriver:
    """PgQueuer's driver over our connection: enqueueing joins the transaction, and is rolled back with it."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        """Rows as dicts; keeps the driver's own error, which carries the SQLSTATE that PgQueuer looks for."""
        try:
            result = await self._connection.exec_driver_sql(query, args)
        except DBAPIError as error:
            raise (error.orig or error) from error
        return [dict(row) for row in result.mappings()]

    async def execute(self, query: str, *args: object) -> str:
        """Run a statement; returns its row count as text."""
        return str((await self._connection.exec_driver_sql(query, args)).rowcount)


async def enqueue(tx: AsyncConnection, jobs: Sequence[tuple[Job, Severity]]) -> None:
    """Queue the jobs; one that waits already under the same key is left as it is."""
    if not jobs:
        return
    await Queries(TransactionDriver(tx)).enqueue(  # type: ignore[arg-type] # it uses fetch and execute alone
        [job.task for job, _ in jobs],
        [payload(job) for job, _ in jobs],
        [priority(job, severity) for job, severity in jobs],
        dedupe_key=[job.key for job, _ in jobs],
        on_conflict="skip",
    )
