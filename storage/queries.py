"""Counts over all reviews, decisions and jobs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.apv import Severity
from bot.domain.review import Choice
from storage.tables import AWAITING_SQL, apv_reviews, hitl_decisions


@dataclass(frozen=True, slots=True)
class Counts:
    """What waits, by severity, and what was decided; day and week (from Monday) in UTC."""

    waiting: Mapping[Severity, int]
    decisions: Mapping[Choice, int]
    today: int
    this_week: int


async def waiting(tx: AsyncConnection) -> dict[Severity, int]:
    """Reviews that await a decision, by severity, the worst first."""
    query = select(apv_reviews.c.severity, func.count()).where(text(AWAITING_SQL)).group_by(apv_reviews.c.severity)
    found: dict[str, int] = dict((await tx.execute(query)).all())
    return {severity: found.get(severity, 0) for severity in Severity}


async def counts(tx: AsyncConnection, now: datetime) -> Counts:
    """All counts, read in one transaction."""
    made = hitl_decisions.c
    by_choice: dict[str, int] = dict(
        (await tx.execute(select(made.decision, func.count()).group_by(made.decision))).all()
    )
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    monday = midnight - timedelta(days=midnight.weekday())
    since = select(
        func.count().filter(made.created_at >= midnight), func.count().filter(made.created_at >= monday)
    ).where(made.created_at >= monday)
    today, week = (await tx.execute(since)).one()
    return Counts(await waiting(tx), {choice: by_choice.get(choice, 0) for choice in Choice}, today, week)


@dataclass(frozen=True, slots=True)
class JobLoad:
    """How many jobs are not done, by task and state, and for how long the oldest that is due has waited."""

    jobs: Mapping[tuple[str, str], int]
    lag_seconds: float


JOB_LOAD = """
SELECT entrypoint, CASE status WHEN 'picked' THEN 'running' WHEN 'failed' THEN 'held' ELSE status::text END,
    count(*), extract(epoch FROM now() - min(execute_after) FILTER (WHERE status = 'queued'))::float8
FROM pgqueuer GROUP BY entrypoint, status
"""


async def job_load(tx: AsyncConnection) -> JobLoad:
    """The queue as it is now."""
    rows = (await tx.execute(text(JOB_LOAD))).all()
    lag = max((late for _, _, _, late in rows if late is not None), default=0.0)
    return JobLoad({(task, state): number for task, state, number, _ in rows}, max(0.0, lag))
