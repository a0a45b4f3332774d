"""Deletes expired rows. All other tables are the permanent record or do not grow.

docs/reliability.md lists every table, and a test compares the list with this module.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

BATCH = 5000
"""Rows per transaction: few enough that nothing waits long for its locks."""


@dataclass(frozen=True, slots=True)
class Passing:
    """A table whose rows expire `kept` after the time in column `since`; `only` is a condition for deleting a row."""

    table: str
    since: str
    kept: timedelta
    only: str = "true"


PASSING = (
    # Slack repeats an event for five minutes; a click's signature is refused when it is older than that.
    Passing("slack_deliveries", "received_at", timedelta(days=1)),
    # GitHub lets people redeliver a webhook for three days.
    Passing("github_deliveries", "received_at", timedelta(days=7)),
    # Only a retry of its job reads the row of a posted message, and a finished job is not retried. No job reads the
    # row of a card that was moved.
    Passing(
        "slack_messages", "created_at", timedelta(days=30), "kind <> 'card' AND (ts IS NOT NULL OR kind = 'moved')"
    ),
    # The log of an unfinished job is kept: somebody may still retry the job.
    Passing(
        "pgqueuer_log",
        "created",
        timedelta(days=7),
        "NOT EXISTS (SELECT 1 FROM pgqueuer WHERE pgqueuer.id = pgqueuer_log.job_id)",
    ),
    Passing("pgqueuer_statistics", "created", timedelta(days=7)),
    # A client of the live feed may ask for missed events this far back.
    Passing("feed_events", "at", timedelta(days=7)),
)


async def prune(tx: AsyncConnection, what: Passing) -> int:
    """Delete at most BATCH expired rows; returns the number. Skips rows that another replica is deleting."""
    deleted = await tx.execute(
        text(
            f"DELETE FROM {what.table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {what.table} "  # noqa: S608 - constants
            f"WHERE {what.since} < now() - CAST(:kept AS interval) AND {what.only} "
            "LIMIT :batch FOR UPDATE SKIP LOCKED))"
        ),
        {"kept": what.kept, "batch": BATCH},
    )
    return deleted.rowcount
