"""Clicks that arrive while others are being committed are committed together, in one transaction.

A click that comes alone waits for nobody. One that cannot be in a group (its review is locked or has changed since it
was read, or the group failed) gets a transaction of its own, so no click is refused on account of another.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias
from uuid import UUID

from storage import reviews
from storage.database import CommitUnknown, Database
from storage.record import Change, record
from storage.reviews import Locked

MOST = 32
"""Clicks in one transaction: enough that a round trip costs each of them little."""

Rule: TypeAlias = Callable[[Locked], Change]
"""What is to be written of the review as it is; asked again where that has changed by then."""


class Written(Enum):
    """What became of a click."""

    RECORDED = "recorded"
    REPEATED = "repeated"
    """Its delivery was recorded before, so nothing was written."""
    UNKNOWN_REVIEW = "unknown review"


@dataclass(eq=False, slots=True)
class _Asked:
    review_id: UUID
    rule: Rule
    answer: asyncio.Future[Written | None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    """None: not in a group."""
    recording: bool = False


class GroupCommit:
    """Writes changes of reviews, several in one transaction when several wait."""

    def __init__(self, database: Database, patience: float) -> None:
        """`patience` in seconds bounds a group."""
        self._database, self._patience = database, patience
        self._waiting: deque[_Asked] = deque()
        self._running: asyncio.Task[None] | None = None

    async def write(self, review_id: UUID, rule: Rule) -> Written:
        """Read the review, ask the rule what to write and commit it; raises what the database does.

        Cancelled, it has written nothing; CommitUnknown: it may have.
        """
        asked = _Asked(review_id, rule)
        self._waiting.append(asked)
        if self._running is None:
            # A group belongs to no one request, so its log lines must not carry the first one's id.
            self._running = asyncio.create_task(self._run(), context=Context())
        try:
            written = await asked.answer
        except asyncio.CancelledError:
            if asked.recording:
                raise CommitUnknown from None
            raise
        return written or await self._alone(review_id, rule)

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._commit(self._next_group())
        finally:
            self._running = None

    def _next_group(self) -> list[_Asked]:
        """Whoever waits, and one a review: the second is to see what the first left behind."""
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
                changes = [
                    asked.rule(seen[asked.review_id])
                    for asked in group
                    if asked.review_id in seen and _still_wanted(asked)
                ]
                versions = {review_id: one.seen for review_id, one in seen.items()}
                recorded = await record(connection, changes, versions)
            written = {key: Written.RECORDED if fresh else Written.REPEATED for key, fresh in recorded.items()}
        except CommitUnknown as error:
            for asked in group:
                if asked.recording and not asked.answer.done():
                    asked.answer.set_exception(error)
        except Exception:  # noqa: S110 - each is tried alone, and says for itself what is wrong with it
            pass
        for asked in group:
            if not asked.answer.done():
                asked.answer.set_result(written.get(asked.review_id))

    async def _alone(self, review_id: UUID, rule: Rule) -> Written:
        async with self._database.transaction() as tx:
            locked = await reviews.lock(tx, review_id)
            if locked is None:
                return Written.UNKNOWN_REVIEW
            recorded = await record(tx, [rule(locked)])
        return Written.RECORDED if recorded[review_id] else Written.REPEATED


def _still_wanted(asked: _Asked) -> bool:
    """Whoever has given up by now was told that nothing is recorded; from here on that can no longer be said."""
    asked.recording = not asked.answer.done()
    return asked.recording
