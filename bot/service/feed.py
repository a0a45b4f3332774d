"""The live feed: changes committed on any replica reach all subscribers of this one, in order of `seq`.

The table is authoritative; a notification only triggers a read of it. Slow subscribers are dropped.
"""

import asyncio
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from bot.service import statistics
from bot.service.errors import database_is_away
from bot.service.gate import Gate
from storage import feed
from storage.feed import FeedEvent

log = structlog.get_logger(__name__)

BOUND = 1_000
"""Queued frames per subscriber; one more, and the subscriber is dropped."""
PATIENCE = 10.0
"""Seconds that a subscriber may take to read one page of the events that it missed."""
LOOK_SECONDS = 1.0
"""Poll interval: a notification may be lost with the process that sends it."""
QUIET_SECONDS = 0.01
"""Pause between two reads; one covers all commits in between."""
PAGE = 500


@dataclass(frozen=True, slots=True)
class Frame:
    """One JSON text frame; `channel` is empty for an answer to the subscriber."""

    channel: str
    type: str
    text: str


def frame(kind: str, at: datetime, channel: str = "", **fields: object) -> Frame:
    """Make a frame with its type and time."""
    stamp = at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return Frame(channel, kind, json.dumps({"type": kind, "timestamp": stamp, **fields}, separators=(",", ":")))


def _pushed(event: FeedEvent) -> Frame:
    return frame(event.type, event.at, event.channel, seq=event.seq, **event.payload)


@dataclass(eq=False)
class Subscriber:
    """One client: the frames queued for it, and its channels."""

    frames: asyncio.Queue[Frame] = field(default_factory=lambda: asyncio.Queue(BOUND))
    channels: set[str] = field(default_factory=set)
    dropped: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once it reads too slowly."""

    def offer(self, told: Frame) -> None:
        """Queue a frame, or drop the subscriber if its queue is full."""
        try:
            self.frames.put_nowait(told)
        except asyncio.QueueFull:
            self.dropped.set()


class Feed:
    """The subscribers of this process. `run` sends them events; it queries the database only if there are any."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._subscribers: set[Subscriber] = set()
        self._seq = 0
        self._bell = asyncio.Event()
        self._looking = asyncio.Lock()

    async def run(self) -> None:
        """Send new events after each notification. Runs until cancelled; reconnects to the database."""
        while True:
            try:
                async with feed.listening(self._gate.database, self._bell.set) as connection:
                    await self._follow(connection.is_closed)
            except Exception as error:
                if not database_is_away(error) and not isinstance(error, TimeoutError):
                    log.warning("feed.down", error=type(error).__name__)
            await asyncio.sleep(LOOK_SECONDS)

    async def _follow(self, ended: Callable[[], bool]) -> None:
        while not ended():
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._bell.wait()
            except TimeoutError:
                pass
            self._bell.clear()
            if self._subscribers:
                await self._look()
            await asyncio.sleep(QUIET_SECONDS)

    async def subscribe(self, subscriber: Subscriber, channels: Collection[str], since: int | None) -> None:
        """Subscribe to these channels, first sending the events after `since`. Raises the database's error."""
        await self._look()
        self._subscribers.add(subscriber)
        if since is not None:
            # New events stay in the table until the missed ones are sent.
            subscriber.channels.difference_update(channels)
            while since < self._seq and not subscriber.dropped.is_set():
                since = await self._replay(subscriber, channels, since, self._seq)
        subscriber.channels.update(channels)

    def leave(self, subscriber: Subscriber) -> None:
        """Remove a subscriber."""
        self._subscribers.discard(subscriber)

    async def _replay(self, subscriber: Subscriber, channels: Collection[str], since: int, upto: int) -> int:
        async with self._gate.database.transaction() as tx:
            missed = await feed.between(tx, since, upto, limit=PAGE, channels=channels)
        try:
            async with asyncio.timeout(PATIENCE):
                for event in missed:
                    await subscriber.frames.put(_pushed(event))
        except TimeoutError:
            subscriber.dropped.set()
        return missed[-1].seq if len(missed) == PAGE else upto

    async def _look(self) -> None:
        """Send all committed events. Without subscribers, events are skipped: a later subscriber asks with `since`."""
        async with self._looking:
            await statistics.settle(self._gate)
            async with self._gate.database.transaction() as tx:
                head = await feed.head(tx)
                # A smaller head means that the database was replaced: start over.
                if not self._subscribers or head < self._seq:
                    self._seq = head
                while self._seq < head:
                    events = await feed.between(tx, self._seq, head, limit=PAGE)
                    self._tell(events)
                    self._seq = events[-1].seq if len(events) == PAGE else head

    def _tell(self, events: Sequence[FeedEvent]) -> None:
        for event in events:
            told = _pushed(event)
            for subscriber in self._subscribers:
                if event.channel in subscriber.channels:
                    subscriber.offer(told)
