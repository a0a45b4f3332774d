"""Chooses the next Slack job: in each channel the most urgent one, once the rate limit lets the channel be used.

Until then a job stays queued, so a more urgent one that arrives meanwhile goes first. PgQueuer chooses all other jobs.
"""

from dataclasses import dataclass
from datetime import timedelta

from asyncpg import UniqueViolationError
from pgqueuer.db import AsyncpgPoolDriver
from pgqueuer.models import Job
from pgqueuer.ports.repository import EntrypointExecutionParameter
from pgqueuer.queries import Queries
from pgqueuer.types import QueueEntrypoint, QueueManagerId

from storage.pace import UPDATES, Tier

LANED = frozenset({"slack.card", "slack.reply", "slack.move"})
"""The tasks whose jobs have a lane (`storage.jobs` says which)."""
MOST_AT_ONCE = 8
"""Lanes that one worker serves at once; each may hold two database connections."""
WHOLE_UPDATES = ":update"

# A unique index allows one running job per lane over all workers; a job whose worker sends no heartbeat is taken over.
# If another worker is just taking the head of a lane, we skip the whole lane: the next job must not overtake it.
CLAIM = f"""
WITH tier AS (
    SELECT FROM slack_pace
    WHERE channel = '{UPDATES}' AND greatest(paused_until, next_at - $5::interval) <= clock_timestamp()
), lane AS (
    SELECT channel AS name FROM slack_pace
    WHERE channel <> '{UPDATES}' AND greatest(paused_until, next_at - $4::interval) <= clock_timestamp()
    UNION ALL SELECT channel || '{WHOLE_UPDATES}' FROM slack_pace, tier
), head AS (
    SELECT id FROM pgqueuer WHERE status = 'queued' AND id IN (
        SELECT job.id FROM lane CROSS JOIN LATERAL (
            SELECT id FROM pgqueuer WHERE lane = lane.name AND status = 'queued' AND execute_after <= now()
            ORDER BY priority DESC, id LIMIT 1
        ) AS job
        WHERE NOT EXISTS (SELECT FROM pgqueuer WHERE lane = lane.name AND status = 'picked'))
    ORDER BY priority DESC, id
    LIMIT greatest(0, $2 - (
        SELECT count(*) FROM pgqueuer WHERE queue_manager_id = $1 AND status = 'picked' AND lane IS NOT NULL))
    FOR UPDATE SKIP LOCKED
), silent AS (
    SELECT id FROM pgqueuer WHERE lane IS NOT NULL AND status = 'picked' AND heartbeat < now() - $3::interval
    LIMIT $2 FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE pgqueuer SET status = 'picked', updated = now(), heartbeat = now(), queue_manager_id = $1
    WHERE id IN (SELECT id FROM head UNION ALL SELECT id FROM silent) RETURNING *
), logged AS (
    INSERT INTO pgqueuer_log (job_id, status, entrypoint, priority)
    SELECT id, status, entrypoint, priority FROM claimed
)
SELECT * FROM claimed ORDER BY priority DESC, id
"""  # noqa: S608 - of constants


@dataclass(frozen=True, slots=True)
class Tiers:
    """Slack's two limits: messages posted to one channel, messages changed in the workspace."""

    posts: Tier
    updates: Tier


class LaneQueries(Queries):
    """PgQueuer's queries, with our own choice of the next Slack job."""

    def __init__(self, driver: AsyncpgPoolDriver, tiers: Tiers) -> None:
        super().__init__(driver)
        self._tiers = tiers

    async def dequeue(
        self,
        batch_size: int,
        entrypoints: dict[QueueEntrypoint, EntrypointExecutionParameter],
        queue_manager_id: QueueManagerId,
        global_concurrency_limit: int | None,
        heartbeat_timeout: timedelta,
    ) -> list[Job]:
        """PgQueuer's choice, plus the head of each open lane."""
        others = {name: limit for name, limit in entrypoints.items() if name not in LANED}
        found = await super().dequeue(batch_size, others, queue_manager_id, global_concurrency_limit, heartbeat_timeout)
        if len(others) < len(entrypoints):
            found += await self._heads(queue_manager_id, heartbeat_timeout)
        return sorted(found, key=lambda job: (-job.priority, job.id))

    async def _heads(self, queue_manager_id: QueueManagerId, heartbeat_timeout: timedelta) -> list[Job]:
        credit = (self._tiers.posts.credit, self._tiers.updates.credit)
        try:
            rows = await self.driver.fetch(CLAIM, queue_manager_id, MOST_AT_ONCE, heartbeat_timeout, *credit)
        except UniqueViolationError:
            return []  # another worker was first; the caller tries again at once
        return [Job.model_validate(row) for row in rows]


KEEPS_PLACE = "SELECT lane = $2 OR ($2 = 'chat.update' AND lane LIKE '%:update') FROM pgqueuer WHERE id = $1"
"""Whether a job ($1) waits in a lane that stays closed while a channel or UPDATES ($2) is paused."""
