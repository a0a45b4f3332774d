"""`apv-bot serve`, `migrate` and `config show`."""

import asyncio
import re
import signal
from typing import Annotated

import typer
from pydantic import SecretStr

from bot.app.opening import database
from bot.app.process import Bot, CannotListen, Role
from bot.cli.running import MASK, Failure, command
from bot.config import Settings
from migrations import schema

USER_IN_URL = re.compile(r"^(\w+://)[^/]*@")
"""The user and password in an address."""

commands = typer.Typer()
config = typer.Typer(name="config", help="The settings in force.", no_args_is_help=True)


@command(commands, "serve", serving=True)
async def serve(
    settings: Settings,
    role: Annotated[
        Role, typer.Option(help="web answers Slack and the API, worker runs the jobs, all does both.")
    ] = "all",
) -> None:
    """Run the bot until SIGTERM."""
    bot = Bot(settings, role)
    settings.require_to_serve(bot.policy.current())
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, bot.stop.set)
    try:
        await bot.run()
    except CannotListen as error:
        raise Failure(str(error)) from None


@command(commands, "migrate")
async def migrate(settings: Settings) -> None:
    """Bring the database to this release's schema."""
    async with database(settings) as opened:
        before, after = await schema.upgrade(opened.engine)
    print(f"The database is at {after}." if before == after else f"Migrated from {before or 'nothing'} to {after}.")


@command(config, "show")
async def config_show(settings: Settings) -> None:
    """Print every setting in force, secrets masked."""
    for name in Settings.model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr) or (name == "api_tokens" and value):
            value = MASK
        elif isinstance(value, tuple):
            value = ",".join(value)
        elif isinstance(value, str):
            value = USER_IN_URL.sub(rf"\1{MASK}@", value)
        print(f"{name.upper()}={'' if value is None else value}")
