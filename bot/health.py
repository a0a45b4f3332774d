"""The health of this process: the last state of its components, and whether it is ready.

Every check of a dependency has a time limit, and concurrent requests share one check.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version

import structlog

from bot import metrics
from bot.domain.apv import Json
from migrations import schema
from storage import jobs, pace, statistics
from storage.database import Database, NotStarted, end

log = structlog.get_logger(__name__)

CHECK_SECONDS = 2.0
"""After this time a dependency counts as unreachable (contract, section 3)."""
WATCH_SECONDS = 10.0
FALLBACK = "fallback"
"""Slack answers, but a channel refuses messages; its cards go to the incident channel until it accepts them again."""


@dataclass
class Health:
    """The process's state: one word per component, `ok` or what is wrong.

    `slack`, `github` and `worker` return their last known state without a request.
    """

    database: Database
    slack: Callable[[], str]
    github: Callable[[], str]
    worker: Callable[[], str]
    policy: Callable[[], str] | None = None
    """None: there is no policy file."""
    started: bool = False
    """Start-up has finished."""
    stopping: bool = False
    """Shutting down: finishes current work, accepts no more."""
    version: str = field(default_factory=lambda: version("apv-bot"), init=False)
    _began: float = field(default_factory=time.monotonic, init=False)
    _database: str = field(default="starting", init=False)
    _migrations: str = field(default="starting", init=False)
    _refusing: bool = field(default=False, init=False)
    _asking: asyncio.Task[None] | None = field(default=None, init=False)
    _measuring: asyncio.Task[None] | None = field(default=None, init=False)

    def report(self) -> dict[str, Json]:
        """The body of `/health`: the last known states, without new checks."""
        components: dict[str, Json] = {
            "api": "ok",
            "database": self._database,
            "slack": self._slack_word(),
            "github": self.github(),
            "worker": self.worker(),
        }
        return self._body("healthy", {"api": "ok"}) | {"components": components}

    async def readiness(self) -> tuple[bool, dict[str, Json]]:
        """Whether this process is ready, and the body of `/health/ready`. A GitHub outage is shown but not fatal."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        if not await _ended(self._asking):
            self._database, self._migrations = "unreachable", "unknown"
        checks: dict[str, Json] = {
            "database": self._database,
            "migrations": self._migrations,
            "slack": self._slack_word(),
            "github": self.github(),
            "worker": self.worker(),
        }
        if self.policy is not None:
            checks["policy"] = self.policy()
        ready = (
            self.started
            and not self.stopping
            and checks["database"] == "ok"
            and checks["migrations"] in {"ok", "ahead"}
            and checks["slack"] in {"ok", FALLBACK}
            and checks["worker"] in {"ok", "not_here"}
        )
        return ready, self._body("ready" if ready else "not_ready", checks)

    def _slack_word(self) -> str:
        known = self.slack()
        return FALLBACK if known == "ok" and self._refusing else known

    async def measure(self) -> None:
        """Update the gauges from the database; they keep their values while it is unavailable."""
        if self._measuring is None or self._measuring.done():
            self._measuring = asyncio.create_task(self._measure())
        await _ended(self._measuring)

    async def watch(self) -> None:
        """Check readiness regularly, so that the report stays fresh. Runs until cancelled."""
        while True:
            await self.readiness()
            await asyncio.sleep(WATCH_SECONDS)

    async def close(self) -> None:
        """End the questions that are still under way."""
        await end(*(task for task in (self._asking, self._measuring) if task is not None))

    def _body(self, status: str, checks: dict[str, Json]) -> dict[str, Json]:
        return {
            "status": status,
            "version": self.version,
            "uptime_seconds": round(time.monotonic() - self._began, 3),
            "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "checks": checks,
        }

    async def _ask(self) -> None:
        try:
            self._migrations = await schema.state(self.database.engine)
            self._database = "ok"
            if self._migrations == "ok":
                async with self.database.transaction() as tx:
                    self._refusing = await pace.refusing(tx)
        except NotStarted:
            self._database = self._migrations = "starting"
        except Exception as error:
            self._database, self._migrations = "unreachable", "unknown"
            log.debug("health.database", error=type(error).__name__)

    async def _measure(self) -> None:
        try:
            async with self.database.transaction() as tx:
                numbers, load = await statistics.reviews(tx), await jobs.job_load(tx)
        except Exception as error:
            log.debug("health.gauges", error=type(error).__name__)
            return
        for severity, number in numbers.waiting().items():
            metrics.ACTIVE_REVIEWS.labels(severity).set(number)
        metrics.JOBS.clear()
        for (task, state), number in load.jobs.items():
            metrics.JOBS.labels(task, state).set(number)
        metrics.JOB_LAG_SECONDS.set(load.lag_seconds)


async def _ended(task: asyncio.Task[None]) -> bool:
    """Wait at most CHECK_SECONDS; cancel a task that takes longer, and do not wait for its end here: `close` does.

    To end, it gives a connection up, which may take as long again when the database hangs.
    """
    done, _ = await asyncio.wait({task}, timeout=CHECK_SECONDS)
    if not done:
        task.cancel()
    return bool(done)
