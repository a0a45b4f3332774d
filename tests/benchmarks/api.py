"""The API with 100 reviews and with a million, side by side, and how soon the live feed tells of a decision."""

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from statistics import median
from typing import Any

import aiohttp
import asyncpg

from storage import embedded
from tests.benchmarks.figures import Figure
from tests.benchmarks.recorded_click import WARMING, copy_of
from tests.benchmarks.stage import DECIDED, Stage, free_port, process, stage

FEW, MANY = 100, int(os.environ.get("BENCH_REVIEWS", "1000000"))
"""Reviews in each database, all told; half of the larger's are decided when the benchmark begins."""
REQUESTS = 200
"""Of each kind to each database, in turns."""
DECISIONS = FEW - WARMING.stop
"""As many as the smaller has left once the stage is set: each review is decided once."""
SUBSCRIBERS, PER_SECOND, SECONDS = 100, 50, 5
TIMES, LIMIT_MS = 1.3, 100.0


class Missed(Exception):
    """An answer was not the one asked for, or an event did not arrive."""


@dataclass
class _Served:
    on: Stage
    client: aiohttp.ClientSession

    async def timed(self, method: str, path: str, body: object = None) -> float:
        began = time.perf_counter()
        async with self.client.request(method, path, json=body) as answer:
            said = await answer.read()
            if answer.status != 200:
                raise Missed(f"{method} {path}: {answer.status} {said[:200]!r}")
        return time.perf_counter() - began

    async def decided(self) -> float:
        review = copy_of(self.on.click.review_id, self.on.take_reviews(1)[0])
        return await self.timed("POST", "/hitl/decisions", decision(str(review)))


def decision(review: str) -> dict[str, Any]:
    return {
        "apv_id": review,
        "decision": "approve",
        "justification": "The pin is exact and the tests pass.",
        "reviewer_name": "Ana",
    }


async def measure() -> list[Figure]:
    """The same requests to both in turns; then the feed, on the larger."""
    async with AsyncExitStack() as stack:
        few, many = [await _served(stack, count) for count in (FEW, MANY)]
        return [
            # A page that both can fill.
            await _compared("reviews.list", few, many, REQUESTS, lambda at: at.timed("GET", "/hitl/reviews?limit=20")),
            await _compared("decisions.post", few, many, DECISIONS, lambda at: at.decided()),
            # Behind the decisions, which are among the numbers of both.
            await _compared("reviews.stats", few, many, REQUESTS, lambda at: at.timed("GET", "/hitl/reviews/stats")),
            await _feed(many),
        ]


async def _served(stack: AsyncExitStack, count: int) -> _Served:
    on = await stack.enter_async_context(stage(count - WARMING.stop, rejected=count // 2 if count > FEW else 0))
    connection = await asyncpg.connect(embedded.plain(on.database_url))
    await connection.execute(DECIDED)
    await connection.execute("VACUUM ANALYZE")
    await connection.execute("CHECKPOINT")
    await connection.close()
    port = free_port()
    settings = {**on.settings, "PORT": str(port), "RATE_LIMIT": "off"}
    await stack.enter_async_context(process("bot", "serve", "--role", "web", port=port, settings=settings))
    client = await stack.enter_async_context(
        aiohttp.ClientSession(
            f"http://127.0.0.1:{port}",
            # Every subscriber holds a connection, and decisions need some beside.
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
        )
    )
    served = _Served(on, client)
    await _counted(served)
    return served


async def _counted(served: _Served) -> None:
    """What was seeded is counted and cleared away before it is measured, as a worker and PostgreSQL would have."""
    async with asyncio.timeout(1_200):
        while True:
            async with served.client.get("/hitl/reviews/stats") as answer:
                if answer.status == 200:
                    break
    connection = await asyncpg.connect(embedded.plain(served.on.database_url))
    await connection.execute("VACUUM ANALYZE")
    await connection.execute("CHECKPOINT")
    await connection.close()


async def _compared(
    name: str, few: _Served, many: _Served, requests: int, ask: Callable[[_Served], Awaitable[float]]
) -> Figure:
    took: dict[int, list[float]] = {FEW: [], MANY: []}
    for _ in range(requests):
        took[FEW].append(await ask(few))
        took[MANY].append(await ask(many))
    times = median(took[MANY]) / median(took[FEW])
    against = "; ".join(f"{size:,} reviews: {_shown(seconds)}" for size, seconds in took.items())
    return Figure(f"{name}.1e6_over_1e2", times, "times", f"at most {TIMES}, p50. {against}", TIMES / times)


def _shown(seconds: Sequence[float]) -> str:
    p50, p95 = (1000 * sorted(seconds)[int(len(seconds) * share)] for share in (0.5, 0.95))
    return f"p50 {p50:.1f} ms, p95 {p95:.1f} ms, {len(seconds) / sum(seconds):.0f}/s"


async def _feed(at: _Served) -> Figure:
    """From the moment a decision is sent to when each of the subscribers has heard of it."""
    sent: dict[str, float] = {}
    latencies: list[float] = []
    expected = PER_SECOND * SECONDS

    async def listen(ready: asyncio.Event) -> None:
        async with at.client.ws_connect("/hitl/ws") as socket:
            await socket.send_str(json.dumps({"type": "subscribe", "channels": ["decisions"]}))
            await socket.send_str('{"type": "ping"}')
            heard = 0
            async for message in socket:
                told = json.loads(message.data)
                if told["type"] == "pong":
                    ready.set()
                if told["type"] == "decision_made":
                    latencies.append(time.perf_counter() - sent[told["apv_id"]])
                    heard += 1
                    if heard == expected:
                        return

    events = [asyncio.Event() for _ in range(SUBSCRIBERS)]
    listeners = [asyncio.create_task(listen(event)) for event in events]
    await asyncio.gather(*(event.wait() for event in events))
    posts = []
    for number in at.on.take_reviews(expected):
        review = str(copy_of(at.on.click.review_id, number))
        sent[review] = time.perf_counter()
        posts.append(asyncio.create_task(at.timed("POST", "/hitl/decisions", decision(review))))
        await asyncio.sleep(1 / PER_SECOND)
    await asyncio.gather(*posts)
    async with asyncio.timeout(30):
        await asyncio.gather(*listeners)
    if len(latencies) != expected * SUBSCRIBERS:
        raise Missed(f"{len(latencies)} frames instead of {expected * SUBSCRIBERS}")
    p95 = 1000 * sorted(latencies)[int(len(latencies) * 0.95)]
    against = f"{SUBSCRIBERS} subscribers, {PER_SECOND} decisions a second, every event at each: {LIMIT_MS:.0f} ms"
    return Figure("feed.p95_ms", p95, "ms", against, LIMIT_MS / p95)
