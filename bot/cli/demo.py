"""`apv-bot demo`."""

import asyncio
from typing import Annotated

import typer

from bot.cli.running import Failure, failures_as_lines, in_loop
from bot.demo import stage
from bot.demo.play import DemoFailed

commands = typer.Typer()


@commands.command()
def demo(
    headless: Annotated[bool, typer.Option("--headless", help="Play the reviewers too, then exit.")] = False,
) -> None:
    """Run everything on this machine, with stand-ins for Slack and GitHub; no account needed."""

    async def staged() -> None:
        try:
            await stage.run(headless=headless)
        except DemoFailed as error:
            raise Failure(str(error)) from None
        except asyncio.CancelledError:
            # Without --headless an interrupt is how the demo ends.
            if headless:
                raise

    stage.forget_proxies()
    with failures_as_lines():
        in_loop(staged())
