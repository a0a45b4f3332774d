"""Puts jobs into the queue, in the same transaction as their cause.

The tables belong to PgQueuer, whose release is pinned; a test compares QUEUED with what PgQueuer's own enqueue writes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from pgqueuer.queries import Queries
from pgqueuer.types import JobId
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.apv import Json, Severity
from bot.jobs import Job, payload, priority
from storage.database import rings


class TransactionDriver:
    """PgQueuer's driver on our connection: it joins the transaction and is rolled back with it."""

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


# PgQueuer's own enqueue as parts of a WITH: inside the statement that records the cause of the jobs, it costs no round
# trip. It also sets the lane (`storage.lanes`): a post waits for its channel, a card update never waits for a post.
# Jobs are deduplicated by key against those queued or running.
JOB = "j(n int, review_id uuid, priority int, task text, payload text, key text)"
QUEUED = """queued AS (
    INSERT INTO pgqueuer (priority, entrypoint, payload, dedupe_key, status, lane)
    SELECT priority, task, convert_to(payload, 'UTF8'), key, 'queued',
        CASE WHEN task IN ('slack.card', 'slack.reply', 'slack.move') THEN coalesce((
            SELECT m.channel || CASE WHEN task = 'slack.card' AND m.ts IS NOT NULL THEN ':update' ELSE '' END
            FROM slack_messages AS m WHERE m.review_id = job.review_id AND m.kind = 'card' AND NOT m.gone
            ORDER BY m.created_at DESC LIMIT 1
        ), 'chat.update:update') END
    FROM job ORDER BY n  -- jobs of equal priority run in the order in which they were queued
    ON CONFLICT (dedupe_key) WHERE status IN ('queued', 'picked') AND dedupe_key IS NOT NULL DO NOTHING
    RETURNING id, entrypoint, priority
), queue_logged AS (
    INSERT INTO pgqueuer_log (job_id, status, entrypoint, priority)
    SELECT id, 'queued', entrypoint, priority FROM queued
)"""
ENQUEUE = f"WITH job AS (SELECT * FROM jsonb_to_recordset($1::jsonb) AS {JOB}), {QUEUED} SELECT"  # noqa: S608 - of constants


def as_row(place: int, job: Job, severity: Severity) -> dict[str, Json]:
    """A job as a JOB row; `place` is its position within the statement."""
    return {
        "n": place,
        "review_id": str(job.review_id) if job.review_id else None,
        "priority": priority(job, severity),
        "task": job.task,
        "payload": payload(job).decode(),
        "key": job.key,
    }


async def enqueue(tx: AsyncConnection, jobs: Sequence[tuple[Job, Severity]]) -> None:
    """Queue the jobs, in the order given."""
    await tx.exec_driver_sql(ENQUEUE, (json.dumps([as_row(n, *job) for n, job in enumerate(jobs)]),))
    rings(tx)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An unfinished job. `state` is `queued`, `running` or `held`; `error` is why it was retried or held."""

    id: int
    task: str
    state: str
    attempts: int
    review_id: UUID | None
    apv_code: str | None
    error: str | None


UNFINISHED = """
SELECT j.id, j.entrypoint AS task,
    CASE j.status WHEN 'picked' THEN 'running' WHEN 'failed' THEN 'held' ELSE j.status::text END AS state,
    j.attempts, r.id AS review_id, r.apv_code, j.headers ->> 'error' AS error
FROM pgqueuer j LEFT JOIN apv_reviews r ON r.id = (convert_from(j.payload, 'UTF8')::jsonb ->> 'review_id')::uuid
WHERE CAST(:ids AS bigint[]) IS NULL OR j.id = ANY(:ids)
ORDER BY j.priority DESC, j.id
"""


async def unfinished(tx: AsyncConnection, ids: Sequence[int] | None = None) -> list[Unfinished]:
    """Jobs queued, running and held, in the order in which they will run: all, or those with these ids."""
    rows = await tx.execute(text(UNFINISHED), {"ids": list(ids) if ids is not None else None})
    return [Unfinished(**row) for row in rows.mappings()]


async def requeue(tx: AsyncConnection, ids: Sequence[int]) -> None:
    """Retry held jobs, with a fresh number of tries and a fresh time limit."""
    held = [JobId(i) for i in ids]
    await Queries(TransactionDriver(tx)).requeue_jobs(held)  # type: ignore[arg-type] # as in enqueue
    await tx.execute(text("UPDATE pgqueuer SET created = now() WHERE id = ANY(:ids)"), {"ids": list(ids)})
    rings(tx)


async def discard(tx: AsyncConnection, ids: Sequence[int]) -> None:
    """Delete held jobs."""
    await tx.execute(text("DELETE FROM pgqueuer WHERE id = ANY(:ids) AND status = 'failed'"), {"ids": list(ids)})


async def drop(tx: AsyncConnection, job: Job) -> None:
    """Delete a queued or held job; a running one must find out itself that it is no longer wanted."""
    await tx.execute(
        text("DELETE FROM pgqueuer WHERE dedupe_key = :key AND status IN ('queued', 'failed')"), {"key": job.key}
    )


@dataclass(frozen=True, slots=True)
class JobLoad:
    """The number of unfinished jobs by task and state, and how long the oldest due job has waited."""

    jobs: Mapping[tuple[str, str], int]
    lag_seconds: float


JOB_LOAD = """
SELECT entrypoint, CASE status WHEN 'picked' THEN 'running' WHEN 'failed' THEN 'held' ELSE status::text END,
    count(*), extract(epoch FROM now() - min(execute_after) FILTER (WHERE status = 'queued'))::float8
FROM pgqueuer GROUP BY entrypoint, status
"""


async def job_load(tx: AsyncConnection) -> JobLoad:
    """Measure the queue."""
    rows = (await tx.execute(text(JOB_LOAD))).all()
    lag = max((late for _, _, _, late in rows if late is not None), default=0.0)
    return JobLoad({(task, state): number for task, state, number, _ in rows}, max(0.0, lag))
