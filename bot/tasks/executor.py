"""Runs jobs: decides what is retried and when, and which jobs are held.

The queue delivers at least once. Outages are retried for a day, unexpected errors a few times; a permanent error holds
the job at once.
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
from bot.integrations.errors import Permanent, Retry, Stopped
from bot.service.errors import outage
from bot.tasks.pace import Paused
from storage.lanes import KEEPS_PLACE

log = structlog.get_logger(__name__)

OUTAGE_PATIENCE = timedelta(hours=24)
"""How long a job is retried during outages and rate limits."""
MOST_UNEXPECTED = 8
"""The number of tries for a job that fails with an unexpected error."""
MOST_CRASHES = 3
"""A job that crashes this many workers is held (poison message)."""
MOST_IN_FRONT = 8
"""After this many failures a job lets the others in its lane go first: it may be the cause of the failures."""
LONGEST_WAIT = 60.0
"""Seconds between two tries, unless the vendor names more."""

# How often the job was picked since it was last queued; a worker that crashed left a pick without an end.
PICKS = """SELECT count(*) FROM pgqueuer_log WHERE job_id = $1 AND status = 'picked' AND id > coalesce(
    (SELECT max(id) FROM pgqueuer_log WHERE job_id = $1 AND status = 'queued'), 0)"""
# PgQueuer stores missing headers as JSON null.
NOTE = """UPDATE pgqueuer SET headers = CASE jsonb_typeof(headers) WHEN 'object' THEN headers ELSE '{}' END
    || jsonb_build_object('error', $2::text) WHERE id = $1"""


class Held(Exception):
    """The job is held (dead letter); the message is the sentence for people."""

    def __init__(self, reason: str, *, hopeless: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hopeless = hopeless
        """The error is permanent, so there is no partial side effect."""


class Abandoned(BaseException):
    """The database is unavailable, so the job is left as if this worker had crashed; another worker takes it over.

    It is not an Exception: for one, the queue would hold the job once the database is back, and notify nobody.
    """


class Crashed(Exception):
    """The job has crashed its worker too often."""


T = TypeVar("T")


@dataclass
class EffectExecutor(EntrypointExecutor):
    """Runs one job. `held` is called for each job before it is held."""

    held: Callable[[Job, Held], Awaitable[None]] | None = None

    async def execute(self, job: Job, context: Context) -> None:
        """Run the job; a failure becomes a retry or a held job."""
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
                # The lane is closed until then; with no delay, this job is the first when it opens.
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
            # The job is held anyway: `jobs list` shows it.
            log.exception("job.unexpected_error", exc_info=error)


async def _asked(question: Awaitable[T]) -> T:
    """Await a query; raises Abandoned if it fails."""
    try:
        return await question
    except Exception as error:
        log.warning("job.abandoned", error=type(error).__name__)
        raise Abandoned from None


def _judge(job: Job, error: Exception) -> tuple[str, float | None]:
    """The sentence for people, and the seconds until the next try; None: hold the job."""
    patient = datetime.now(UTC) - job.created <= OUTAGE_PATIENCE
    backoff = random.uniform(0.5, 1) * min(LONGEST_WAIT, 2.0 ** min(job.attempts, 10))  # noqa: S311 - jitter
    match error:
        case Permanent(reason=reason):
            return reason, None
        case Crashed():
            return f"The job crashed its worker {MOST_CRASHES} times.", None
        case Stopped(reason=reason, after=after):
            return reason, after or backoff
        case Retry(reason=reason, after=after):
            # The vendor may name any number; a longer wait than OUTAGE_PATIENCE would never end.
            wait = backoff if after is None else min(after, OUTAGE_PATIENCE.total_seconds())
            return reason, wait if patient else None
        case _ if is_outage(error):
            return "The database did not answer.", backoff if patient else None
        case _:
            # The traceback goes to the log, never to Slack: it may contain anything.
            log.exception("job.unexpected_error", exc_info=error)
            reason = f"Unexpected error ({type(error).__name__}); see the log."
            return reason, None if job.attempts + 1 >= MOST_UNEXPECTED else backoff


def is_outage(error: Exception) -> bool:
    """Whether a dependency failed or the database is not migrated yet: retry, and log no traceback."""
    return outage(error) is not None
