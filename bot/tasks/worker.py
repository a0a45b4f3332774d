"""The queue's worker, supervised: it restarts after every error, and on a stop it finishes its running jobs."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

import asyncpg
import structlog
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgPoolDriver
from pgqueuer.executors import EntrypointExecutorParameters
from pgqueuer.models import Context
from pgqueuer.models import Job as QueuedJob

from bot import jobs
from bot.tasks.executor import EffectExecutor, Held, is_outage
from storage.database import end
from storage.lanes import LaneQueries, Tiers

log = structlog.get_logger(__name__)

DEQUEUE_TIMEOUT = timedelta(seconds=2)
"""The poll interval: retries send no notification."""
HEARTBEAT_TIMEOUT = timedelta(seconds=10)
"""The lease of a job: without a heartbeat for this long, another worker takes it over."""
SWEEP_SECONDS = 10.0
"""How often the worker looks for due reviews and rows of other programs (contract: within 30 s)."""
PRUNE_SECONDS = 3600.0
"""How often expired rows are deleted."""

LONGEST_PAUSE = 2.0
"""The longest back-off, in seconds, between two tries to reach the database."""

# Only our own jobs: those of another worker are taken over when their heartbeat is older than HEARTBEAT_TIMEOUT.
TAKE_BACK = """WITH mine AS (
    UPDATE pgqueuer SET status = 'queued', execute_after = now(), updated = now(), queue_manager_id = NULL
    WHERE queue_manager_id = ANY($1::uuid[]) AND status = 'picked' RETURNING id, entrypoint, priority
) INSERT INTO pgqueuer_log (job_id, status, entrypoint, priority) SELECT id, 'queued', entrypoint, priority FROM mine"""

REPEATED_SECONDS = 10.0
"""PgQueuer logs ten times a second that the database is unavailable; we log it this often."""

J = TypeVar("J", bound=jobs.Job)


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of job: its function, and how many may run at once over all workers."""

    run: Callable[[jobs.Job], Awaitable[None]]
    at_once: int


def work(kind: type[J], run: Callable[[J], Awaitable[None]], *, at_once: int) -> Work:
    """The work of one kind of job."""

    async def checked(job: jobs.Job) -> None:
        assert isinstance(job, kind), "the queue keeps one kind of job under each name"
        await run(job)

    return Work(checked, at_once)


@dataclass
class Worker:
    """Runs jobs until told to stop. `running` is what readiness shows."""

    dsn: str
    """Plain `postgresql://…`, as asyncpg wants it."""
    work: dict[str, Work]
    tiers: Tiers
    held: Callable[[QueuedJob, Held], Awaitable[None]]
    sweep: Callable[[], Awaitable[None]]
    prune: Callable[[], Awaitable[object]]
    running: bool = field(default=False, init=False)
    _pause: float = field(default=0.0, init=False)
    _names: list[UUID] = field(default_factory=list, init=False)
    """The queue manager ids under which jobs of this process may still be picked."""

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set and the running jobs are finished."""
        for library in ("pgqueuer", "asyncpg.pool"):
            logging.getLogger(library).addFilter(QUEUE_LOG)
        while not stop.is_set():
            self._pause = min(max(self._pause * 2, 0.2), LONGEST_PAUSE)
            try:
                await self._work(stop)
            except Exception as error:
                # An unavailable database is expected now and then: one line, no traceback.
                log.warning("worker.down", error=type(error).__name__)
            self.running = False
            if not stop.is_set():
                await _stopped(stop, self._pause * random.uniform(0.8, 1.2))  # noqa: S311 - jitter

    async def _work(self, stop: asyncio.Event) -> None:
        # Close the driver too: if the queue fails to start, the driver keeps its connection, and the pool waits for it.
        async with (
            asyncpg.create_pool(self.dsn, min_size=2, max_size=5, timeout=5) as pool,
            AsyncpgPoolDriver(pool) as driver,
        ):
            # LISTEN first: PgQueuer's health probe ends the worker if it is sent before.
            await driver.add_listener("ch_pgqueuer", lambda _payload: None)
            queue = PgQueuer(driver, resources={"pool": pool}, queries=LaneQueries(driver, self.tiers))
            self._register(queue)
            # The previous run has ended; requeue its jobs now instead of waiting for HEARTBEAT_TIMEOUT.
            await pool.execute(TAKE_BACK, self._names)
            self._names = [queue.qm.queue_manager_id]
            self._pause = 0.0
            running = asyncio.create_task(
                queue.run(
                    dequeue_timeout=DEQUEUE_TIMEOUT,
                    heartbeat_timeout=HEARTBEAT_TIMEOUT,
                    shutdown_on_listener_failure=True,
                )
            )
            sweeping = asyncio.create_task(_repeat(self.sweep, SWEEP_SECONDS, queue.shutdown))
            pruning = asyncio.create_task(_repeat(self.prune, PRUNE_SECONDS, queue.shutdown))
            stopping = asyncio.create_task(_stopped(stop, None))
            self.running = True
            log.info("worker.started")
            try:
                await asyncio.wait({running, sweeping, pruning, stopping}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self.running = False
                queue.shutdown.set()
                # A sweep that is cancelled during a commit must be cancelled again, which `end` does.
                await end(stopping, sweeping, pruning)
                await running

    def _register(self, queue: PgQueuer) -> None:
        def executor(parameters: EntrypointExecutorParameters) -> EffectExecutor:
            return EffectExecutor(parameters=parameters, held=self.held)

        for name, work in self.work.items():
            queue.entrypoint(
                name, concurrency_limit=work.at_once, accepts_context=True, on_failure="hold", executor_factory=executor
            )(_entrypoint(name, work.run))


class QueueLog(logging.Filter):
    """Logs PgQueuer's warnings by function and error class only: their texts contain SQL."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Log a warning in our words, at a limited rate; held jobs were logged already."""
        if record.levelno < logging.WARNING:
            return True
        kind = record.exc_info[0] if record.exc_info else None
        trouble = (record.funcName, kind.__name__ if kind else "")
        now = time.monotonic()
        if kind is not Held and now - self._said.get(trouble, -REPEATED_SECONDS) >= REPEATED_SECONDS:
            self._said[trouble] = now
            log.warning("queue.warning", where=trouble[0], error=trouble[1])
        return False


QUEUE_LOG = QueueLog()


def _entrypoint(
    name: str, run: Callable[[jobs.Job], Awaitable[None]]
) -> Callable[[QueuedJob, Context], Awaitable[None]]:
    async def entrypoint(job: QueuedJob, _context: Context) -> None:
        await run(jobs.parse(name, job.payload))

    return entrypoint


async def _repeat(do: Callable[[], Awaitable[object]], seconds: float, over: asyncio.Event) -> None:
    """Run it now, and again `seconds` after each run."""
    # A commit may swallow a cancellation, hence the event.
    while not over.is_set():
        try:
            await do()
        except Exception as error:
            if is_outage(error):
                log.warning("sweep.failed", error=type(error).__name__)
            else:
                log.exception("sweep.unexpected_error", exc_info=error)
        await _stopped(over, seconds)


async def _stopped(stop: asyncio.Event, seconds: float | None) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
