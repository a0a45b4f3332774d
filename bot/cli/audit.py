"""`apv-bot audit`."""

import json
import sys

import typer

from bot.app.opening import gate
from bot.cli.running import Failure, command
from bot.config import Settings
from bot.service import audit

commands = typer.Typer(name="audit", help="The append-only audit log.", no_args_is_help=True)


@command(commands, "export")
async def export(settings: Settings) -> None:
    """Write every entry as a line of JSON to standard output."""
    async with gate(settings) as opened:
        async for row in audit.export(opened):
            print(json.dumps(row, ensure_ascii=False))


@command(commands, "verify")
async def verify(settings: Settings) -> None:
    """Check that no entry is missing or changed."""
    async with gate(settings) as opened:
        verdict = await audit.verify(opened)
    for fault in verdict.faults:
        print(fault, file=sys.stderr)
    print(f"Checked {verdict.entries} entries of {verdict.reviews} reviews: {len(verdict.faults)} faults.")
    if verdict.faults:
        raise Failure("The audit log is not intact.")
