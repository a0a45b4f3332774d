"""Commits clicks that arrive during another commit together, in one transaction.

A single click does not wait. A click that cannot join a group (its review is locked or has changed since it was read,
or the group failed) gets its own transaction, so no click fails because of another.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from enum import Enum
from uuid import UUID

from storage import reviews
from storage.database import CommitUnknown, Database
from storage.record import Change, record
from storage.reviews import Whole

MOST = 32
"""The maximum number of clicks per transaction: enough to share the cost of a round trip."""


class Written(Enum):
    """The result of a click."""

    RECORDED = "recorded"
    REPEATED = "repeated"
    """A duplicate delivery: nothing was written."""
    NOTHING = "nothing"
    """The rule had nothing to write."""
    UNKNOWN_REVIEW = "unknown review"


@dataclass(eq=False, slots=True)
class _Asked:
    review_id: UUID
    rule: Callable[[Whole], Change | None]
    answer: asyncio.Future[Written | None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    """None: it was not in a group."""
    recording: bool = False


class GroupCommit:
    """Writes changes of reviews; those that wait share a transaction."""

    def __init__(self, database: Database, patience: float) -> None:
        """`patience`: the time limit of a group in seconds."""
        self._database, self._patience = database, patience
        self._waiting: deque[_Asked] = deque()
        self._running: asyncio.Task[None] | None = None

    async def write(self, review_id: UUID, rule: Callable[[Whole], Change | None]) -> Written:
        """Read the review, apply the rule and commit its change; raises the database's errors.

        If the review has changed meanwhile, the rule is applied again. If this is cancelled, nothing is written; on
        CommitUnknown, it may be.
        """
        asked = _Asked(review_id, rule)
        self._waiting.append(asked)
        if self._running is None:
            # A group serves several requests, so its log lines must not carry the id of the first.
            self._running = asyncio.create_task(self._run(), context=Context())
        try:
            written = await asked.answer
        except asyncio.CancelledError:
            if asked.recording:
                raise CommitUnknown from None
            raise
        return written or await self._alone(review_id, rule)

    async def close(self) -> None:
        """Wait for the group that is being committed: its clicks may have given up waiting."""
        if self._running is not None:
            await self._running

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._commit(self._next_group())
        finally:
            self._running = None

    def _next_group(self) -> list[_Asked]:
        """The waiting clicks, one per review: the second must see the change of the first."""
        group: dict[UUID, _Asked] = {}
        later = []
        while self._waiting and len(group) < MOST:
            asked = self._waiting.popleft()
            if group.setdefault(asked.review_id, asked) is not asked:
                later.append(asked)
        self._waiting.extendleft(reversed(later))
        return list(group.values())

    async def _commit(self, group: Sequence[_Asked]) -> None:
        written: dict[UUID, Written] = {}
        try:
            async with asyncio.timeout(self._patience), self._database.statements() as connection:
                seen = await reviews.see(connection, [asked.review_id for asked in group])
                asked_for = {
                    asked.review_id: asked.rule(seen[asked.review_id])
                    for asked in group
                    if asked.review_id in seen and _still_wanted(asked)
                }
                changes = _of_separate_requests(change for change in asked_for.values() if change is not None)
                versions = {review_id: one.seen for review_id, one in seen.items()}
                recorded = await record(connection, changes, versions) if changes else {}
            written = {review_id: Written.NOTHING for review_id, change in asked_for.items() if change is None}
            written |= {key: Written.RECORDED if fresh else Written.REPEATED for key, fresh in recorded.items()}
        except CommitUnknown as error:
            for asked in group:
                if asked.recording and not asked.answer.done():
                    asked.answer.set_exception(error)
        except Exception:  # noqa: S110 - each is tried alone and raises its own error
            pass
        for asked in group:
            if not asked.answer.done():
                asked.answer.set_result(written.get(asked.review_id))

    async def _alone(self, review_id: UUID, rule: Callable[[Whole], Change | None]) -> Written:
        async with self._database.transaction() as tx:
            locked = await reviews.lock_whole(tx, review_id)
            if locked is None:
                return Written.UNKNOWN_REVIEW
            if (change := rule(locked)) is None:
                return Written.NOTHING
            recorded = await record(tx, [change])
        return Written.RECORDED if recorded[review_id] else Written.REPEATED


def _of_separate_requests(changes: Iterable[Change]) -> list[Change]:
    """One change per request: of two that are the same one, for different reviews, the other is tried alone."""
    return list({change.delivery or change.review.id: change for change in changes}.values())


def _still_wanted(asked: _Asked) -> bool:
    """False for a click that timed out, whose person was told that nothing is recorded. If True, it may be recorded."""
    asked.recording = not asked.answer.done()
    return asked.recording
