"""`make chaos`: SEED chooses the run, REPLICAS how many web and worker processes there are, APVS how many to decide."""

import asyncio
import os
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bot import telemetry
from tests.chaos.plan import stories, troubles
from tests.chaos.run import fault_run
from tests.process import PROXIES

LIMIT_SECONDS = 900.0
"""A run takes two to four minutes on two cores that do nothing else; this is for machines that are not calm."""


def _number(name: str, default: int) -> int:
    given = os.environ.get(name) or str(default)
    if not given.isdecimal() or int(given) < 1:
        sys.exit(f"{name}: must be a whole number from 1 up")
    return int(given)


async def main() -> int:
    """Returns the exit code."""
    for name in PROXIES:
        # Slack's SDK sends even loopback traffic through a proxy.
        os.environ.pop(name, None)
        os.environ.pop(name.lower(), None)
    seed, replicas, number = _number("SEED", 1), _number("REPLICAS", 1), _number("APVS", 210)
    telemetry.configure(level="error", form="auto", secrets=[])
    say = partial(print, flush=True)
    say(f"SEED={seed} REPLICAS={replicas} APVS={number}: the same seed makes the same plan, in the same order.")
    with TemporaryDirectory(prefix="apv-chaos-", ignore_cleanup_errors=True) as folder:
        async with asyncio.timeout(LIMIT_SECONDS):
            verdict = await fault_run(
                stories(seed, number), troubles(seed), replicas=replicas, folder=Path(folder), say=say
            )
    for line in verdict.books.lost:
        say(f"LOST        {line}")
    for line in verdict.books.duplicated:
        say(f"DUPLICATED  {line}")
    for line in verdict.surprises:
        say(f"SURPRISE    {line}")
    say(
        f"PostgreSQL and processes restarted in order: {verdict.run.restarts}; held jobs retried: {verdict.run.retried}"
    )
    say(verdict.line)
    return 0 if verdict.clean and not verdict.surprises else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
