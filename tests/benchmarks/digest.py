"""The price of computing the digest again, which every decision pays: the whole row is read, not only its state."""

import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from statistics import median
from uuid import UUID

from sqlalchemy import bindparam, select

from bot.domain.apv import digest
from storage import reviews
from storage.database import Database
from tests.benchmarks.click import CLICK, Samples
from tests.benchmarks.figures import Figure
from tests.benchmarks.stage import stage

# What a decision read before it computed the digest.
ALONE = select(*reviews.STATE, reviews.T.audit_seq, reviews.T.audit_head, reviews.SEEN).where(
    reviews.T.id == bindparam("id")
)
READS, LARGE = 1_500, 1_048_576
"""Reads of each kind, in turn; characters of the largest diff that is accepted."""


async def measure(clicks: Samples) -> list[Figure]:
    """The whole row against its state alone, and the largest digest against one click alone, in the same run."""
    async with AsyncExitStack() as stack:
        on = await stack.enter_async_context(stage(1))
        database = Database(on.database_url)
        stack.push_async_callback(database.close)
        found = await _reads(database, on.click.review_id)
        async with database.transaction() as tx:
            dossier = await reviews.get(tx, on.click.review_id)
        assert dossier is not None, "it was submitted"
    large = replace(dossier.apv, patch_diff="+" * LARGE)
    computed = [_seconds(lambda: digest(large)) for _ in range(20)]
    click = clicks[CLICK][1].p50
    state, whole = (1000 * median(found[name]) for name in ("state", "whole"))
    most = 1000 * median(computed)
    return [
        Figure("click.digest_ms", whole, "ms, p50", f"the review's state alone, {state:.2f} ms", state / whole),
        Figure("click.digest_1mib_ms", most, "ms, p50", f"a click alone, p50 {click:.2f} ms", click / most),
    ]


async def _reads(database: Database, review_id: UUID) -> Mapping[str, list[float]]:
    """The times of reading one review's state alone, and the whole review with its digest."""

    async def state() -> None:
        async with database.statements() as connection:
            rows = (await connection.execute(ALONE, {"id": review_id})).mappings()
            assert [reviews.review_of(row) for row in rows]

    async def whole() -> None:
        async with database.statements() as connection:
            await reviews.see(connection, [review_id])

    ways: dict[str, Callable[[], Awaitable[None]]] = {"state": state, "whole": whole}
    found: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(READS + 20):
        for name, read in ways.items():
            began = time.perf_counter()
            await read()
            if number >= 20:
                found[name].append(time.perf_counter() - began)
    return found


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
