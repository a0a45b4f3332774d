"""How much is in the queue of jobs."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


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
