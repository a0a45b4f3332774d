"""What is thrown away once nobody can need it any more. Whatever else is kept is the record itself, or does not grow.

docs/reliability.md says of every table which it is, and a test holds it to that.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

BATCH = 5000
"""Rows in one transaction: short enough that nobody waits behind it."""


@dataclass(frozen=True, slots=True)
class Passing:
    """Rows that serve for a while: `since` is the column of their time, `only` says which may go."""

    table: str
    since: str
    kept: timedelta
    only: str = "true"


PASSING = (
    # Slack repeats an event for five minutes; a click's signature is refused when it is older than that.
    Passing("slack_deliveries", "received_at", timedelta(days=1)),
    # GitHub lets people send a delivery again for three days.
    Passing("github_deliveries", "received_at", timedelta(days=7)),
    # The row that says a message was posted is asked for when its job runs again, and a job that was done does not.
    Passing("slack_messages", "created_at", timedelta(days=30), "kind <> 'card' AND ts IS NOT NULL"),
    # What a job met is only in its log as long as somebody may still retry it.
    Passing(
        "pgqueuer_log",
        "created",
        timedelta(days=7),
        "NOT EXISTS (SELECT 1 FROM pgqueuer WHERE pgqueuer.id = pgqueuer_log.job_id)",
    ),
    Passing("pgqueuer_statistics", "created", timedelta(days=7)),
    # So far back a client of the live feed may ask for what it missed.
    Passing("feed_events", "at", timedelta(days=7)),
)


async def prune(tx: AsyncConnection, what: Passing) -> int:
    """Delete at most BATCH of the rows whose time is over; returns how many. Another replica's rows are left to it."""
    deleted = await tx.execute(
        text(
            f"DELETE FROM {what.table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {what.table} "  # noqa: S608 - constants
            f"WHERE {what.since} < now() - CAST(:kept AS interval) AND {what.only} "
            "LIMIT :batch FOR UPDATE SKIP LOCKED))"
        ),
        {"kept": what.kept, "batch": BATCH},
    )
    return deleted.rowcount
