"""The command line: `apv-bot`, also `python -m bot`. Exit codes: 0 done, 1 failed, 2 bad usage or configuration."""

from importlib.metadata import version
from typing import Annotated

import typer

from bot.cli import audit, demo, doctor, emergency, jobs, policy, serve, submit

app = typer.Typer(
    name="apv-bot",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="The human gate for vulnerability patches: one Slack message per finding, one recorded decision, one pull "
    "request.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for commands in (
    serve.commands, demo.commands, submit.commands, doctor.commands, jobs.commands, audit.commands, serve.config,
    policy.commands, emergency.votes, emergency.pushes,
):  # fmt: skip
    app.add_typer(commands)


@app.callback(invoke_without_command=True)
def main_options(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Options of the program itself."""
    if show_version:
        print(version("apv-bot"))
        raise typer.Exit


def main() -> None:
    """Entry point of the console script."""
    app()
