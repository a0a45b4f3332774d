"""Slack's limits as all replicas keep them together: a turn before each message, a pause when Slack wants one.

A turn that is not to be had at once is not waited for: the job goes back to its place, and may be overtaken there.
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
"""Messages that may go to a channel at once after a rest. Slack allows "short bursts" and names no number."""
UPDATE_TIER = Tier(timedelta(seconds=1.5), 10)
"""At most 50 changes in any minute: Slack's Tier 3 is "50+ a minute", and bursts count."""
PATIENCE = timedelta(seconds=2)
"""For how long a job in hand waits for its turn; the queue hands it out when the turn is near."""
LONGEST_PAUSE = timedelta(hours=24)


class Paused(Retry):
    """The channel (or UPDATES) is not to be used for `after` seconds, by nobody."""

    def __init__(self, reason: str, *, code: str, after: float, channel: str) -> None:
        super().__init__(reason, code=code, after=after)
        self.channel = channel


def tiers(per_second: float | None) -> Tiers:
    """Slack's limits with so many messages a second and channel; None: none of them."""
    if per_second is None:
        return Tiers(Tier(timedelta(), 1), Tier(timedelta(), 1))
    return Tiers(Tier(timedelta(seconds=1 / per_second), POST_BURST), UPDATE_TIER)


@dataclass(frozen=True, slots=True)
class Pace:
    """Who may speak when. Each use is a short transaction of its own: inside a longer one it would stop the channel."""

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
            raise Paused("Slack's limit for this channel is used up.", code="paced", after=wait, channel=channel)
        await asyncio.sleep(wait)

    async def pause(self, channel: str, why: Retry) -> Paused:
        """Close a channel to everybody after a failure there: for as long as Slack says, else ever longer."""
        wait = None if why.after is None else timedelta(seconds=min(why.after, LONGEST_PAUSE.total_seconds()))
        tier = self.tiers.updates if channel == UPDATES else self.tiers.posts
        async with self.database.transaction() as tx:
            seconds = await pace.pause(tx, channel, tier, wait)
        return Paused(why.reason, code=why.code, after=max(0.0, seconds), channel=channel)
