"""How fast each Slack channel may be posted to, over all replicas: a row a channel, each turn one atomic statement.

A row holds the moment from which the channel is at its ease again (GCRA), and the one until which it is paused.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

UPDATES = "chat.update"
"""The row of Slack's limit for changing messages, which counts for the whole workspace."""


@dataclass(frozen=True, slots=True)
class Tier:
    """One turn each `interval` on average, and `burst` at once after a rest. No interval: no limit."""

    interval: timedelta
    burst: int

    @property
    def credit(self) -> timedelta:
        """How far turns may run ahead of the average."""
        return self.interval * (self.burst - 1)


# A turn is taken only if it can be used within `patience`: whoever would wait longer goes back into the queue, and the
# turn goes to whoever is most urgent then. A pause is waited out in the queue too: its first turn is the failed job's.
TAKE = """
WITH tier AS (
    SELECT CAST(:interval AS interval) AS "every", CAST(:credit AS interval) AS credit,
        clock_timestamp() + CAST(:patience AS interval) AS latest
), taken AS (
    INSERT INTO slack_pace AS p (channel, next_at) SELECT :channel, clock_timestamp() + "every" FROM tier
    ON CONFLICT (channel) DO UPDATE SET next_at = greatest(p.next_at, clock_timestamp()) + (SELECT "every" FROM tier)
    WHERE p.next_at - (SELECT credit FROM tier) <= (SELECT latest FROM tier) AND p.paused_until <= clock_timestamp()
    RETURNING greatest(p.next_at - (SELECT "every" + credit FROM tier), p.paused_until) AS at
)
SELECT EXISTS (SELECT FROM taken) AS taken, extract(epoch FROM coalesce(
    (SELECT at FROM taken),
    (SELECT greatest(next_at - credit, paused_until) FROM slack_pace, tier WHERE channel = :channel)
) - clock_timestamp())::float8 AS wait
"""


async def take(tx: AsyncConnection, channel: str, tier: Tier, patience: timedelta) -> tuple[bool, float]:
    """Take the next turn in a channel: whether it is ours, and the seconds until it, or until one may be free."""
    values = {"channel": channel, "interval": tier.interval, "credit": tier.credit, "patience": patience}
    row = (await tx.execute(text(TAKE), values)).one()
    return row.taken, max(0.0, row.wait or 0.0)


# Without a time of Slack's own: twice as long with each failure in a row, at most a minute, and never in step.
PAUSE = """
UPDATE slack_pace SET failures = failures + 1, paused_until = greatest(paused_until, clock_timestamp() + coalesce(
        CAST(:wait AS interval), interval '1 second' * least(60, 2 ^ least(failures, 6)) * (0.5 + random() / 2)))
WHERE channel = :channel RETURNING extract(epoch FROM paused_until - clock_timestamp())::float8
"""
# After a pause the channel is posted to one by one: what Slack had too many of were bursts.
CALM = """
UPDATE slack_pace SET next_at = greatest(next_at, paused_until + CAST(:credit AS interval)) WHERE channel = :channel
"""


async def pause(tx: AsyncConnection, channel: str, tier: Tier, wait: timedelta | None) -> float:
    """Let nobody use the channel for a while, and nobody in bursts after; returns the seconds."""
    seconds = (await tx.execute(text(PAUSE), {"channel": channel, "wait": wait})).scalar_one_or_none()
    await tx.execute(text(CALM), {"channel": channel, "credit": tier.credit})
    return float(seconds or 0.0)


async def works(tx: AsyncConnection, channel: str) -> None:
    """Slack took a message there."""
    healed = "UPDATE slack_pace SET failures = 0, refused = NULL, refused_at = NULL WHERE channel = :channel"
    await tx.execute(text(f"{healed} AND (failures > 0 OR refused IS NOT NULL)"), {"channel": channel})


async def refuses(tx: AsyncConnection, channel: str, code: str) -> None:
    """Slack takes nothing there; `code` is why."""
    refused = "UPDATE slack_pace SET refused = :code, refused_at = clock_timestamp() WHERE channel = :channel"
    await tx.execute(text(refused), {"channel": channel, "code": code})


async def refusing(tx: AsyncConnection) -> bool:
    """Whether a channel refused its last message, within a day: what was routed there goes elsewhere."""
    query = "SELECT EXISTS (SELECT FROM slack_pace WHERE refused_at > now() - interval '1 day')"
    found: bool = (await tx.execute(text(query))).scalar_one()
    return found
