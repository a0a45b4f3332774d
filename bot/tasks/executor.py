"""How a job is run: what is tried again and when, what is held, and what is said when it is.

The queue delivers at least once. A job is tried again for outages, limited in tries for surprises, and held at once
for what no repetition can help.
"""

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import structlog
from asyncpg import Pool
from pgqueuer.errors import RetryRequested
from pgqueuer.executors import EntrypointExecutor
from pgqueuer.models import Context, Job

from bot import metrics
from bot.integrations.errors import Permanent, Retry
from bot.service.errors import outage
from bot.tasks.pace import Paused
from storage.lanes import KEEPS_PLACE

log = structlog.get_logger(__name__)

OUTAGE_PATIENCE = timedelta(hours=24)
"""For how long outages and rate limits are waited out."""
MOST_SURPRISES = 8
"""Tries of a job that fails in a way nobody foresaw."""
MOST_CRASHES = 3
"""Workers that may die in one job before it is held."""
MOST_IN_FRONT = 8
"""Failures after which a job lets the others in its lane go first: it may be what Slack stumbles over."""
LONGEST_WAIT = 60.0
"""Seconds between two tries, unless the vendor names more."""

# Picks since the job was last queued: a worker that died left a pick without an end.
PICKS = """SELECT count(*) FROM pgqueuer_log WHERE job_id = $1 AND status = 'picked' AND id > coalesce(
    (SELECT max(id) FROM pgqueuer_log WHERE job_id = $1 AND status = 'queued'), 0)"""
# PgQueuer writes a job without headers down as JSON's null.
NOTE = """UPDATE pgqueuer SET headers = CASE jsonb_typeof(headers) WHEN 'object' THEN headers ELSE '{}' END
    || jsonb_build_object('error', $2::text) WHERE id = $1"""


class Held(Exception):
    """The job is held; the message is the sentence for people."""

    def __init__(self, reason: str, *, hopeless: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hopeless = hopeless
        """No retry could have helped, so nothing is half-done outside."""


class Abandoned(BaseException):
    """The database is away, so nothing can be said of this job: it is left as by a worker that died, and taken over.

    No Exception: the queue would hold the job for one, as soon as the database is back, and nobody would be told.
    """


class Crashed(Exception):
    """Workers died in this job, again and again."""


T = TypeVar("T")


@dataclass
class EffectExecutor(EntrypointExecutor):
    """Runs one job. `held` is told of each job that will not be tried again, before it is held."""

    held: Callable[[Job, Held], Awaitable[None]] | None = None

    async def execute(self, job: Job, context: Context) -> None:
        """Run it, and turn any failure into another try or a held job."""
        pool: Pool = context.resources["pool"]
        structlog.contextvars.bind_contextvars(job_id=job.id, task=job.entrypoint)
        began = time.perf_counter()
        outcome = "abandoned"
        try:
            if await _asked(pool.fetchval(PICKS, job.id)) > MOST_CRASHES:
                raise Crashed
            await super().execute(job, context)
            outcome = "done"
        except Exception as error:
            reason, wait = _judge(job, error)
            if wait is not None and isinstance(error, Paused) and job.attempts < MOST_IN_FRONT:
                # The lane is closed until then, and this job is to be its first when it opens.
                wait = 0.0 if await _asked(pool.fetchval(KEEPS_PLACE, job.id, error.channel)) else wait
            await _asked(pool.execute(NOTE, job.id, reason))
            if wait is None:
                holding = Held(reason, hopeless=isinstance(error, Permanent))
                await self._tell(job, holding)
                outcome = "held"
                raise holding from None
            log.info("job.retry", reason=reason, seconds=round(wait, 1))
            outcome = "retry"
            raise RetryRequested(delay=timedelta(seconds=wait), reason=reason) from None
        finally:
            metrics.JOB_SECONDS.labels(job.entrypoint, outcome).observe(time.perf_counter() - began)

    async def _tell(self, job: Job, holding: Held) -> None:
        log.warning("job.held", reason=holding.reason, attempts=job.attempts)
        if self.held is None:
            return
        try:
            await self.held(job, holding)
        except Exception as error:
            if is_outage(error):
                raise Abandoned from None
            # Held all the same: `jobs list` shows it.
            log.exception("job.surprise", exc_info=error)


async def _asked(question: Awaitable[T]) -> T:
    """What the queue's own database answers."""
    try:
        return await question
    except Exception as error:
        log.warning("job.abandoned", error=type(error).__name__)
        raise Abandoned from None


def _judge(job: Job, error: Exception) -> tuple[str, float | None]:
    """A sentence for people, and the seconds until the next try; None holds the job."""
    patient = datetime.now(UTC) - job.created <= OUTAGE_PATIENCE
    backoff = random.uniform(0.5, 1) * min(LONGEST_WAIT, 2.0 ** min(job.attempts, 10))  # noqa: S311 - jitter
    match error:
        case Permanent(reason=reason):
            return reason, None
        case Crashed():
            return "The worker died in this job three times.", None
        case Retry(reason=reason, after=after):
            # A vendor's number may be any: a wait that no patience covers would never be looked at again.
            wait = backoff if after is None else min(after, OUTAGE_PATIENCE.total_seconds())
            return reason, wait if patient else None
        case _ if is_outage(error):
            return "The database did not answer.", backoff if patient else None
        case _:
            # The trace goes to the log, never to Slack: it may hold anything.
            log.exception("job.surprise", exc_info=error)
            reason = f"An unforeseen failure ({type(error).__name__}); the log has its trace."
            return reason, None if job.attempts + 1 >= MOST_SURPRISES else backoff


def is_outage(error: Exception) -> bool:
    """Whether the database was away or not migrated yet: to be waited out, and no surprise."""
    return outage(error) is not None
