"""The durable click: from a signed request to a committed decision and 200, against what bounds it, in one run.

Rounds are interleaved and their medians taken, because a machine is never quiet; every acknowledged click is counted
in the database after each measurement.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack

from tests.benchmarks import pgbench
from tests.benchmarks.figures import Figure, Sample
from tests.benchmarks.stage import Stage, free_port, process, send_clicks, stage

ROUNDS = 5
CONNECTIONS = (1, 16, 64)
CLICK, STOCK, EMPTY, PGBENCH = "durable click", "empty Bolt, stock", "empty Bolt, before response", "pgbench, same SQL"

COUNTS: Mapping[str, Mapping[int, int]] = {
    CLICK: {1: 300, 16: 1_600, 64: 1_600},
    STOCK: {1: 100, 16: 1_600, 64: 3_200},
    EMPTY: {1: 2_000, 16: 4_000, 64: 4_000},
    PGBENCH: {1: 600, 16: 3_200, 64: 3_200},
}
"""Requests a measurement: about a second each."""
WARM_UP = 320
"""Requests that are not measured, before the first round: connections, prepared statements, who the reviewer is."""

Samples = Mapping[str, Mapping[int, Sample]]
Measure = Callable[[int, int], Awaitable[Sample]]
"""Of so many connections and requests."""


class NotRecorded(Exception):
    """Clicks were acknowledged that the database does not hold, or were not acknowledged."""


async def measure(rounds: int = ROUNDS) -> Samples:
    """Run everything; raises NotRecorded."""
    used = WARM_UP + rounds * sum(sum(COUNTS[what].values()) for what in (CLICK, PGBENCH))
    async with AsyncExitStack() as stack:
        on = await stack.enter_async_context(stage(used))
        measures = await _servers(on, stack)
        measures[PGBENCH] = _pgbench(on)
        for what in (CLICK, STOCK, EMPTY):
            await measures[what](16, WARM_UP)
        taken: dict[str, dict[int, list[Sample]]] = {what: defaultdict(list) for what in COUNTS}
        for _ in range(rounds):
            for connections in CONNECTIONS:
                for what, measured in measures.items():
                    taken[what][connections].append(await measured(connections, COUNTS[what][connections]))
    return {what: {c: Sample.typical(found) for c, found in by_count.items()} for what, by_count in taken.items()}


async def _servers(on: Stage, stack: AsyncExitStack) -> dict[str, Measure]:
    """The bot as it is served, and the two empty apps."""
    bot, stock, empty = await web_process(on, stack), free_port(), free_port()
    for mode, port in (("stock", stock), ("before_response", empty)):
        await stack.enter_async_context(
            process("tests.benchmarks.empty_bolt", mode, str(port), port=port, settings=on.settings)
        )

    async def durable(connections: int, count: int) -> Sample:
        reviews = on.take_reviews(count)
        sample = await acknowledged(on, bot, connections, reviews)
        await hold_to(on, reviews)
        return sample

    async def of_stock(connections: int, count: int) -> Sample:
        return await acknowledged(on, stock, connections, range(count))

    async def of_empty(connections: int, count: int) -> Sample:
        return await acknowledged(on, empty, connections, range(count))

    return {CLICK: durable, STOCK: of_stock, EMPTY: of_empty}


async def web_process(on: Stage, stack: AsyncExitStack) -> int:
    """The bot as it is served, in a process of its own; returns its port."""
    port = free_port()
    settings = {**on.settings, "PORT": str(port)}
    await stack.enter_async_context(process("bot", "serve", "--role", "web", port=port, settings=settings))
    return port


def _pgbench(on: Stage) -> Measure:
    sql = pgbench.script(on.click.statements)

    async def same_sql(connections: int, count: int) -> Sample:
        reviews = on.take_reviews(count)
        sample = await pgbench.run(on.database_url, sql, clients=connections, reviews=reviews)
        await hold_to(on, reviews)
        return sample

    return same_sql


async def acknowledged(on: Stage, port: int, connections: int, reviews: range) -> Sample:
    """Send a click for each review; raises NotRecorded when one is not acknowledged."""
    tally = await send_clicks(on.click, port, connections, reviews)
    if tally.statuses != {"200": len(reviews)}:
        raise NotRecorded(f"of {len(reviews)} clicks on {connections} connections: {tally.statuses}")
    return Sample.of(tally.latencies, len(reviews) / tally.elapsed)


async def hold_to(on: Stage, reviews: range) -> None:
    """An acknowledged click is a recorded click: one decision, one audit entry and its card's job, for each review."""
    found = await on.recorded(reviews)
    if found != (len(reviews),) * 3:
        raise NotRecorded(f"{len(reviews)} clicks, but (decisions, audit entries, cards) are {found}")


def figures(of: Samples) -> list[Figure]:
    """The figures that are kept."""
    found = [
        Figure(
            f"click.c{c}.vs_stock_bolt", of[CLICK][c].p50, "ms, p50", "empty Bolt listener in stock mode, p50",
            of[STOCK][c].p50 / of[CLICK][c].p50,
        )
        for c in CONNECTIONS
    ]  # fmt: skip
    limit = 1 / (1 / of[EMPTY][16].per_second + 1 / of[PGBENCH][16].per_second)
    clicks = of[CLICK][16].per_second
    against = f"1/(1/empty Bolt before response + 1/pgbench) = {limit:.0f} per s"
    return [*found, Figure("click.c16.vs_limit", clicks, "per s", against, clicks / limit)]
