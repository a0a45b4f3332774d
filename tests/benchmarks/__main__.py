"""`make bench`: every benchmark, a table on standard output, and the figures in build/bench.json."""

import asyncio
import os
import sys
from functools import partial
from pathlib import Path

from bot import telemetry
from tests.benchmarks import api, click, digest, pace, page, pull, replicas, simulate
from tests.benchmarks.figures import figures_table, keep, samples_table

FIGURES = Path("build/bench.json")
OTHERS = {
    "Two web processes against one": replicas.measure,
    "The sandbox page with 500 cards": page.measure,
    "A pull request on 5,000 files": pull.measure,
    "The pace of messages, and urgency behind a backlog": pace.measure,
    "A policy against 10,000 past reviews": simulate.measure,
    "The API with 100 reviews and with a million, and the feed (some minutes)": api.measure,
}


async def main() -> None:
    telemetry.configure(level="warning", form="console", secrets=[])
    say = partial(print, flush=True)
    say(f"The durable click, medians of {click.ROUNDS} interleaved rounds, {os.cpu_count()} cores, all on loopback:\n")
    samples = await click.measure()
    say(samples_table(samples), end="\n\n")
    figures = click.figures(samples)
    say("The digest that a decision computes again ...")
    figures += await digest.measure(samples)
    for title, measure in OTHERS.items():
        say(f"{title} ...")
        figures += await measure()
    say("", figures_table(figures), f"Kept in {FIGURES}.", sep="\n\n")
    keep(figures, FIGURES)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except (click.NotRecorded, api.Missed, simulate.NotReplayed) as wrong:
        sys.exit(f"make bench: {wrong}")
