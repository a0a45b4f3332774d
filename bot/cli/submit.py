"""`apv-bot submit`."""

import sys
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

from bot.app.opening import fault_lines, gate, take
from bot.cli.running import Failure, command
from bot.config import Settings
from bot.domain.faults import NotAccepted
from bot.intake.formats import UnknownInput

commands = typer.Typer()


FormatName: TypeAlias = Literal["auto", "apv", "pip-audit", "trivy"]
"""`auto`, and the names of `bot.intake.formats.FORMATS`."""


@command(commands, "submit")
async def submit(
    settings: Settings,
    files: Annotated[list[Path], typer.Argument(help="APV JSON or scanner reports; - reads standard input.")],
    form: Annotated[FormatName, typer.Option("--format", help="The format of the files.")] = "auto",
) -> None:
    """Submit APVs or scanner reports straight to the database."""
    faulty = False
    async with gate(settings) as opened:
        for path in files:
            try:
                said = await take(opened, _content(path), form)
                print(f"{path}: {said[0]}", *(f"  {line}" for line in said[1:]), sep="\n")
            except (UnknownInput, NotAccepted) as error:
                print(*(f"{path}: {fault}" for fault in fault_lines(error)), sep="\n", file=sys.stderr)
                faulty = True
    if faulty:
        raise Failure("Nothing stored from the files above.")


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes() if str(path) != "-" else sys.stdin.buffer.read()
    except OSError as error:
        raise UnknownInput(error.strerror or "cannot be read") from None
