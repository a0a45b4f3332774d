"""`apv-bot policy simulate` over ten thousand reviews, as long as somebody at a terminal waits for it."""

import asyncio
import os
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import asyncpg

from storage import embedded
from tests.benchmarks.figures import Figure
from tests.benchmarks.recorded_click import WARMING
from tests.benchmarks.stage import DECIDED, ROOT, stage

REVIEWS, ROUNDS, LIMIT_SECONDS = 10_000, 5, 5.0
DONE = REVIEWS - WARMING.stop - 1
"""Besides the review that is copied, and those that the stage is tried with."""
PROPOSED = """
[severity.medium]
approvals = 2
groups = ["leads"]
"""


class NotReplayed(Exception):
    """The command did not say that it looked at all of them."""


async def measure() -> list[Figure]:
    """The median of some runs, the interpreter's own start included; raises NotReplayed."""
    with TemporaryDirectory() as folder:
        proposed = write(Path(folder, "proposed.toml"))
        async with stage(DONE, rejected=DONE) as on:
            connection = await asyncpg.connect(embedded.plain(on.database_url))
            await connection.execute(DECIDED)
            await connection.close()
            took = [await _run(proposed, os.environ | on.settings) for _ in range(ROUNDS)]
    against = f"{LIMIT_SECONDS:.0f} s for {REVIEWS:,} reviews, from the command to its last line"
    return [Figure("policy.simulate_10000_s", median(took), "s", against, LIMIT_SECONDS / median(took))]


def write(path: Path) -> Path:
    """The policy that is tried."""
    path.write_text(PROPOSED, "utf-8")
    return path


async def _run(proposed: Path, environment: dict[str, str]) -> float:
    began = time.perf_counter()
    command = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "policy", "simulate", str(proposed),
        cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await command.communicate()
    took = time.perf_counter() - began
    if not said.startswith(f"{REVIEWS:,} reviews".encode()):
        raise NotReplayed(f"policy simulate said {said[:200]!r}")
    return took
