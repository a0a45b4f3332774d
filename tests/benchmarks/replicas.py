"""How recorded clicks grow with web processes: two against one, on one database and from as many connections."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from statistics import median

from tests.benchmarks.click import WARM_UP, acknowledged, hold_to, web_process
from tests.benchmarks.figures import Figure
from tests.benchmarks.stage import Stage, stage

ROUNDS = 5
CONNECTIONS = 16
CLICKS = 3_200
"""A measurement: two seconds and more, so that the processes work at the same time but for the first and last of it."""


async def measure(rounds: int = ROUNDS) -> list[Figure]:
    """Interleaved rounds and their medians; raises NotRecorded."""
    alone, together = list[float](), list[float]()
    async with AsyncExitStack() as stack:
        on = await stack.enter_async_context(stage(2 * (WARM_UP + rounds * CLICKS)))
        ports = [await web_process(on, stack), await web_process(on, stack)]
        for port in ports:
            await acknowledged(on, port, CONNECTIONS, on.take_reviews(WARM_UP))
        for _ in range(rounds):
            alone.append(await _per_second(on, ports[:1]))
            together.append(await _per_second(on, ports))
    two, one = median(together), median(alone)
    return [Figure("click.two_web_processes", two, "per s", f"one web process, {one:.0f} per s", two / one)]


async def _per_second(on: Stage, ports: Sequence[int]) -> float:
    reviews = on.take_reviews(CLICKS)
    share = CLICKS // len(ports)
    parts = [reviews[n * share : (n + 1) * share] for n in range(len(ports))]
    samples = await asyncio.gather(
        *(acknowledged(on, port, CONNECTIONS // len(ports), part) for port, part in zip(ports, parts, strict=True))
    )
    await hold_to(on, reviews)
    return sum(sample.per_second for sample in samples)
