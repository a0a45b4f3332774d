"""The rate limit of each Slack channel over all replicas: one row per channel, one atomic statement per turn.

A row holds the theoretical arrival time of the next message (GCRA) and the end of a pause.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

UPDATES = "chat.update"
"""The row of Slack's limit for changing messages, which counts for the whole workspace."""


@dataclass(frozen=True, slots=True)
class Tier:
    """A rate limit: one turn per `interval` on average, `burst` at once after a rest. Zero `interval`: no limit."""

    interval: timedelta
    burst: int

    @property
    def credit(self) -> timedelta:
        """How far turns may run ahead of the average."""
        return self.interval * (self.burst - 1)


# A job takes a turn only if it can use it within `patience`. Otherwise it goes back into the queue, and the most urgent
# job gets the turn later. Jobs also wait in the queue during a pause; the job that failed gets the first turn after it.
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
    """Try to take the next turn in a channel: whether we got it, and the seconds until it or until one is free."""
    values = {"channel": channel, "interval": tier.interval, "credit": tier.credit, "patience": patience}
    row = (await tx.execute(text(TAKE), values)).one()
    return row.taken, max(0.0, row.wait or 0.0)


# If Slack names no time: exponential back-off with jitter, at most a minute.
PAUSE = """
UPDATE slack_pace SET failures = failures + 1, paused_until = greatest(paused_until, clock_timestamp() + coalesce(
        CAST(:wait AS interval), interval '1 second' * least(60, 2 ^ least(failures, 6)) * (0.5 + random() / 2)))
WHERE channel = :channel RETURNING extract(epoch FROM paused_until - clock_timestamp())::float8
"""
# After a pause, messages go out one by one: bursts caused the rate limit.
CALM = """
UPDATE slack_pace SET next_at = greatest(next_at, paused_until + CAST(:credit AS interval)) WHERE channel = :channel
"""


async def pause(tx: AsyncConnection, channel: str, tier: Tier, wait: timedelta | None) -> float:
    """Pause the channel and allow no burst after; returns the seconds."""
    seconds = (await tx.execute(text(PAUSE), {"channel": channel, "wait": wait})).scalar_one_or_none()
    await tx.execute(text(CALM), {"channel": channel, "credit": tier.credit})
    return float(seconds or 0.0)


async def works(tx: AsyncConnection, channel: str) -> None:
    """Record that Slack accepted a message in the channel."""
    healed = "UPDATE slack_pace SET failures = 0, refused = NULL, refused_at = NULL WHERE channel = :channel"
    await tx.execute(text(f"{healed} AND (failures > 0 OR refused IS NOT NULL)"), {"channel": channel})


async def refuses(tx: AsyncConnection, channel: str, code: str) -> None:
    """Record that Slack refuses messages in the channel; `code` is Slack's error."""
    refused = "UPDATE slack_pace SET refused = :code, refused_at = clock_timestamp() WHERE channel = :channel"
    await tx.execute(text(refused), {"channel": channel, "code": code})


async def refusing(tx: AsyncConnection) -> bool:
    """Whether Slack refused messages in any channel within the last day; they go to another channel."""
    query = "SELECT EXISTS (SELECT FROM slack_pace WHERE refused_at > now() - interval '1 day')"
    found: bool = (await tx.execute(text(query))).scalar_one()
    return found
