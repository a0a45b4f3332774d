"""The queue's worker, supervised: it comes back from everything but a stop, and finishes the jobs in hand first."""

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
"""Retries send no notification, so the queue is looked at this often."""
HEARTBEAT_TIMEOUT = timedelta(seconds=10)
"""Another worker takes over a job whose worker has been silent for so long."""
SWEEP_SECONDS = 10.0
"""How often the worker looks for due reviews and rows of other programs (contract: within 30 s)."""
PRUNE_SECONDS = 3600.0
"""How often rows that nobody needs any more are deleted."""

LONGEST_PAUSE = 2.0
"""Seconds between two tries to reach the database."""

# Only our own: what another worker left is taken over when its heartbeat has been silent for HEARTBEAT_TIMEOUT.
TAKE_BACK = """WITH mine AS (
    UPDATE pgqueuer SET status = 'queued', execute_after = now(), updated = now(), queue_manager_id = NULL
    WHERE queue_manager_id = ANY($1::uuid[]) AND status = 'picked' RETURNING id, entrypoint, priority
) INSERT INTO pgqueuer_log (job_id, status, entrypoint, priority) SELECT id, 'queued', entrypoint, priority FROM mine"""

REPEATED_SECONDS = 10.0
"""The queue's library says every tenth of a second that the database is away; we say it this often."""

J = TypeVar("J", bound=jobs.Job)


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of job: how it is carried out, and how many at once over all workers."""

    run: Callable[[jobs.Job], Awaitable[None]]
    at_once: int


def work(kind: type[J], run: Callable[[J], Awaitable[None]], *, at_once: int) -> Work:
    """`run` carries out the jobs of one kind."""

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
    """The names under which the queue may still hold jobs of this process."""

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set and the jobs in hand are finished."""
        for library in ("pgqueuer", "asyncpg.pool"):
            logging.getLogger(library).addFilter(QUEUE_LOG)
        while not stop.is_set():
            self._pause = min(max(self._pause * 2, 0.2), LONGEST_PAUSE)
            try:
                await self._work(stop)
            except Exception as error:
                # A database that is down at start or restarts is an ordinary day: one line, no trace.
                log.warning("worker.down", error=type(error).__name__)
            self.running = False
            if not stop.is_set():
                await _stopped(stop, self._pause * random.uniform(0.8, 1.2))  # noqa: S311 - jitter

    async def _work(self, stop: asyncio.Event) -> None:
        # The driver too: a queue that does not even start leaves it its connection, and the pool would wait for that.
        async with (
            asyncpg.create_pool(self.dsn, min_size=2, max_size=5, timeout=5) as pool,
            AsyncpgPoolDriver(pool) as driver,
        ):
            # LISTEN first: a health probe that is sent before it ends the worker.
            await driver.add_listener("ch_pgqueuer", lambda _payload: None)
            queue = PgQueuer(driver, resources={"pool": pool}, queries=LaneQueries(driver, self.tiers))
            self._register(queue)
            # Nothing of an earlier round runs any more: without this its jobs would wait to be taken over.
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
                # A sweep that is cancelled in a commit must be told again, which `end` does.
                await end(stopping, sweeping, pruning)
                await running

    def _register(self, queue: PgQueuer) -> None:
        def executor(parameters: EntrypointExecutorParameters) -> EffectExecutor:
            return EffectExecutor(parameters=parameters, held=self.held)

        for name, work in self.work.items():
            queue.entrypoint(
                name,
                concurrency_limit=work.at_once,
                accepts_context=True,
                on_failure="hold",
                executor_factory=executor,
            )(_entrypoint(name, work.run))


class QueueLog(logging.Filter):
    """Reports the queue library's troubles by place and class: its texts hold SQL, and an outage needs no trace."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Say it in our words, not too often; a held job was told already."""
        if record.levelno < logging.WARNING:
            return True
        kind = record.exc_info[0] if record.exc_info else None
        trouble = (record.funcName, kind.__name__ if kind else "")
        now = time.monotonic()
        if kind is not Held and now - self._said.get(trouble, -REPEATED_SECONDS) >= REPEATED_SECONDS:
            self._said[trouble] = now
            log.warning("queue.trouble", where=trouble[0], error=trouble[1])
        return False


QUEUE_LOG = QueueLog()


def _entrypoint(
    name: str, run: Callable[[jobs.Job], Awaitable[None]]
) -> Callable[[QueuedJob, Context], Awaitable[None]]:
    async def entrypoint(job: QueuedJob, _context: Context) -> None:
        await run(jobs.parse(name, job.payload))

    return entrypoint


async def _repeat(do: Callable[[], Awaitable[object]], seconds: float, over: asyncio.Event) -> None:
    """Do it now, and again that long after each run."""
    # A commit may swallow a cancellation, hence the event.
    while not over.is_set():
        try:
            await do()
        except Exception as error:
            if is_outage(error):
                log.warning("sweep.failed", error=type(error).__name__)
            else:
                log.exception("sweep.surprise", exc_info=error)
        await _stopped(over, seconds)


async def _stopped(stop: asyncio.Event, seconds: float | None) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
