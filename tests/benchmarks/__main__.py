"""`make bench`: every benchmark, a table on standard output, and the figures in build/bench.json."""

import asyncio
import os
import sys
from pathlib import Path

from bot import telemetry
from tests.benchmarks import api, click, pace, page, pull, replicas
from tests.benchmarks.figures import figures_table, keep, samples_table

FIGURES = Path("build/bench.json")


async def main() -> None:
    telemetry.configure(level="warning", form="console", secrets=[])
    print(
        f"The durable click, medians of {click.ROUNDS} interleaved rounds, {os.cpu_count()} cores, all on loopback:\n"
    )
    samples = await click.measure()
    figures = [
        *click.figures(samples),
        await replicas.measure(),
        *await page.measure(),
        await pull.measure(),
        *await pace.measure(),
        *await api.measure(),
    ]
    print(samples_table(samples), figures_table(figures), f"Kept in {FIGURES}.", sep="\n\n")
    keep(figures, FIGURES)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except (click.NotRecorded, api.Missed) as wrong:
        sys.exit(f"make bench: {wrong}")
