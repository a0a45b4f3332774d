"""Wakes everyone who waits for a change of the workspace; nothing polls or sleeps.

One event loop: a waiter checks and starts to wait without an await in between, so it misses no change.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

_T = TypeVar("_T")


class Changes:
    """A counter of changes, with the last thousand."""

    def __init__(self) -> None:
        self.revision = 0
        self._recent: deque[tuple[int, str]] = deque(maxlen=1_000)
        self._next = asyncio.Event()
        self._served = 0

    def notify(self, what: str) -> None:
        """Count a change and wake every waiter."""
        self.revision += 1
        self._recent.append((self.revision, what))
        woken, self._next = self._next, asyncio.Event()
        woken.set()

    def end(self) -> None:
        """End every open stream; later streams start normally."""
        self._served += 1
        self.notify("end")

    async def wait_for(self, predicate: Callable[[], _T], timeout: float) -> _T:  # noqa: ASYNC109 - the tests pass a timeout
        """Return the result of `predicate` once it is true; checked now and after each change. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            while not (value := predicate()):
                await self._next.wait()
        return value

    async def stream(self, since: int | None = None) -> AsyncIterator[tuple[int, str]]:
        """Yield each change after revision `since` (default: now) as `(revision, what)`, until `end`."""
        seen = self.revision if since is None else since
        served = self._served
        while served == self._served:
            if self.revision <= seen:
                await self._next.wait()
            for revision, what in [entry for entry in self._recent if entry[0] > seen]:
                yield revision, what
                seen = revision
