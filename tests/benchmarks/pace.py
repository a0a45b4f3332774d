"""Slack's pace and the order of urgency: two workers, 10,000 low reviews that wait, and a Slack that counts.

The stand-in takes one message a second and channel, three at once after a rest, and answers 429 to more.
"""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from bot.app.process import Bot
from tests.benchmarks.figures import Figure
from tests.benchmarks.stage import database
from tests.harness import CRITICAL, HIGH, World, running, sample, surroundings

WAITING, LIST = 10_000, 1_000
RESTED, STEADY, TRIES = 5.0, 30.0, 3
"""Seconds until the first burst is over, and for which is counted; criticals that are timed."""
PATIENCE = 30.0
ALLOWED = 2.0
"""Seconds after which a critical one's card is to be there."""


async def measure() -> list[Figure]:
    """Messages a second to one channel in steady state, and the seconds until the slowest critical card."""
    with TemporaryDirectory() as folder:
        async with (
            database(Path(folder)) as url,
            surroundings(url, Path(folder), slack_pace="1/s") as world,
            running(Bot(world.settings)) as bot,
            world.another_bot("worker"),
        ):
            world.talks_to(bot)
            world.slack.pace.per_second = 1
            for apvs in _lists():
                await world.post_apvs(apvs)
            await asyncio.sleep(RESTED)
            posted, refused = len(world.cards()), _refused(world)
            await asyncio.sleep(STEADY)
            pace, refused = (len(world.cards()) - posted) / STEADY, _refused(world) - refused
            slowest = max([await _critical(world, number) for number in range(TRIES)])
            world.slack.mark_read(*world.slack.unread())
            world.tolerated.add("")
    return [
        Figure("pace.per_channel", pace, "messages/s", f"Slack's 1 a second; 429s in {STEADY:.0f} s: {refused}", pace),
        Figure("critical_card_behind_10000_s", slowest, "s", f"{ALLOWED:.0f} s, slowest of {TRIES}", ALLOWED / slowest),
    ]


def _lists() -> Iterator[list[dict[str, object]]]:
    for start in range(0, WAITING, LIST):
        yield [{**sample(HIGH), "severity": "low", "package_name": f"low-{n}"} for n in range(start, start + LIST)]


def _refused(world: World) -> int:
    return sum(call.status == 429 for call in world.slack.journal)


async def _critical(world: World, number: int) -> float:
    began = time.perf_counter()
    code = (await world.post_apv({**sample(CRITICAL), "package_name": f"critical-{number}"}))["apv_code"]
    async with asyncio.timeout(PATIENCE):
        while not world.has_card(code):  # noqa: ASYNC110 - the stand-in's event is bounded to less than a bad result
            await asyncio.sleep(0.005)
    return time.perf_counter() - began
