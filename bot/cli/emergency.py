"""`apv-bot votes` and `apv-bot pushes`: for a voter or a bot that can no longer be trusted."""

import re
from typing import Annotated, TypeAlias

import typer

from bot.app.opening import gate
from bot.cli.running import Failure, command
from bot.config import ConfigurationError, Settings
from bot.service import emergency

votes = typer.Typer(
    name="votes", help="Void the approvals of a person or token that cannot be trusted.", no_args_is_help=True
)
pushes = typer.Typer(name="pushes", help="Pause and resume everything that reaches GitHub.", no_args_is_help=True)

PRINCIPAL = re.compile(r"[UW][A-Z0-9]{1,30}|token:[A-Za-z0-9._-]{1,100}|[^\s@]+@[^\s@]+")
OPERATOR = "operator"

Why: TypeAlias = Annotated[
    str, typer.Option("--why", help="The reason, for the audit log and the incident channel.", show_default=False)
]


@command(votes, "void")
async def void(
    settings: Settings,
    principal: Annotated[str, typer.Argument(help="A Slack user id, an e-mail address, or token:NAME.")],
    why: Why,
) -> None:
    """Void every approval in force of a person or token.

    It covers open reviews, and approved ones whose push has not begun: these need new votes.
    """
    if PRINCIPAL.fullmatch(principal) is None:
        raise ConfigurationError("PRINCIPAL must be a Slack user id (U…, W…), an e-mail address, or token:NAME")
    async with gate(settings) as opened:
        done = await emergency.void_votes(opened, principal, _reason(why), OPERATOR)
    for code in done.codes:
        print(f"voided {code}")
    for code in done.too_late:
        print(f"too late {code}: its push has begun")
    if not done.codes and not done.too_late:
        print(f"No approvals of {principal} in force.")


@command(pushes, "pause")
async def pause(settings: Settings, why: Why) -> None:
    """Stop everything that reaches GitHub until `pushes resume`. Approvals are still recorded."""
    async with gate(settings) as opened:
        if not await emergency.pause_pushes(opened, _reason(why), OPERATOR):
            raise Failure("Pushes are already paused.")
    print("Pushes are paused.")


@command(pushes, "resume")
async def resume(settings: Settings, why: Why) -> None:
    """Continue what `pushes pause` has stopped."""
    async with gate(settings) as opened:
        if not await emergency.resume_pushes(opened, _reason(why), OPERATOR):
            raise Failure("Pushes are not paused.")
    print("Pushes are resumed.")


def _reason(why: str) -> str:
    if not why.strip() or len(why) > 300 or not why.isprintable():
        raise ConfigurationError("--why must be one line of 1 to 300 characters")
    return why.strip()
