"""Slack's rate limits over all replicas: a turn before each message, a pause when Slack asks for one.

A job that cannot get its turn soon goes back into the queue, where a more urgent one may overtake it.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from bot.integrations.errors import Retry
from storage import pace
from storage.database import Database
from storage.lanes import Tiers
from storage.pace import UPDATES, Tier

POST_BURST = 3
"""Messages that may go to a channel at once after a rest. Slack allows "short bursts" without a number."""
UPDATE_TIER = Tier(timedelta(seconds=1.5), 10)
"""At most 50 updates in any minute: Slack's Tier 3 is "50+ per minute", and bursts count."""
PATIENCE = timedelta(seconds=2)
"""How long a running job waits for its turn; the queue starts it only when the turn is near."""
LONGEST_PAUSE = timedelta(hours=24)


class Paused(Retry):
    """No job may use the channel (or UPDATES) for `after` seconds."""

    def __init__(self, reason: str, *, code: str, after: float, channel: str) -> None:
        super().__init__(reason, code=code, after=after)
        self.channel = channel


def tiers(per_second: float | None) -> Tiers:
    """Slack's limits with this many messages per second and channel; None: no limits."""
    if per_second is None:
        return Tiers(Tier(timedelta(), 1), Tier(timedelta(), 1))
    return Tiers(Tier(timedelta(seconds=1 / per_second), POST_BURST), UPDATE_TIER)


@dataclass(frozen=True, slots=True)
class Pace:
    """The rate limiter. Each use is a short transaction: a longer one would block the channel for all."""

    database: Database
    tiers: Tiers

    async def turn_to_post(self, channel: str) -> None:
        """Return when a message may be posted to the channel; raises Paused."""
        await self._turn(channel, self.tiers.posts)

    async def turn_to_update(self) -> None:
        """Return when a message may be changed; raises Paused."""
        await self._turn(UPDATES, self.tiers.updates)

    async def _turn(self, channel: str, tier: Tier) -> None:
        async with self.database.transaction() as tx:
            taken, wait = await pace.take(tx, channel, tier, PATIENCE)
        if not taken:
            raise Paused("Slack's rate limit for this channel is reached.", code="paced", after=wait, channel=channel)
        await asyncio.sleep(wait)

    async def pause(self, channel: str, why: Retry) -> Paused:
        """Pause a channel after a failure: for as long as Slack says, otherwise with exponential back-off."""
        wait = None if why.after is None else timedelta(seconds=min(why.after, LONGEST_PAUSE.total_seconds()))
        tier = self.tiers.updates if channel == UPDATES else self.tiers.posts
        async with self.database.transaction() as tx:
            seconds = await pace.pause(tx, channel, tier, wait)
        return Paused(why.reason, code=why.code, after=max(0.0, seconds), channel=channel)
