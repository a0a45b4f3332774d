"""What all commands share: how one is registered and run, and how it reports what stops it."""

import asyncio
import inspect
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Concatenate, ParamSpec, TypeAlias

import typer
import uvloop
from pydantic import SecretStr
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from bot import telemetry
from bot.config import ConfigurationError, Settings
from bot.service.errors import database_is_away, outage
from storage.embedded import EmbeddedUnavailable

MASK = "********"
REFUSALS = {
    "28P01": "wrong user or password", "28000": "access refused", "3D000": "no such database",
    "53300": "too many connections", "57P03": "the server is starting or stopping",
}  # fmt: skip
"""Why a server refuses a connection, by SQLSTATE."""

P = ParamSpec("P")
Function: TypeAlias = Callable[Concatenate[Settings, P], Coroutine[None, None, None]]


class Failure(Exception):
    """The command could not do its work; the message is for the terminal."""


def command(group: typer.Typer, name: str, *, serving: bool = False) -> Callable[[Function[P]], Function[P]]:
    """Register a function as a command of `group`: its parameters after the settings are what people type."""

    def register(function: Function[P]) -> Function[P]:
        @wraps(function)
        def typed(*args: P.args, **kwargs: P.kwargs) -> None:
            run(lambda settings: function(settings, *args, **kwargs), serving=serving)

        signature = inspect.signature(function)
        vars(typed)["__signature__"] = signature.replace(parameters=list(signature.parameters.values())[1:])
        group.command(name)(typed)
        return function

    return register


def run(work: Callable[[Settings], Coroutine[None, None, None]], *, serving: bool = False) -> None:
    """Load the settings, set up the log and run `work`."""
    with failures_as_lines():
        settings = Settings.load()
        # A command prints its results to standard output; it logs only problems beside them.
        level = ("debug" if settings.debug else settings.log_level) if serving else "warning"
        telemetry.configure(level=level, form=settings.log_format, secrets=secrets(settings))
        try:
            in_loop(work(settings))
        except BrokenPipeError:
            raise  # the reader of our output has gone; typer ends quietly
        except Exception as error:
            line = outage_line(error, settings)
            if line is None:
                raise
            raise Failure(line) from None


@contextmanager
def failures_as_lines() -> Iterator[None]:
    """Turn what stops a command into one line and an exit code."""
    try:
        yield
    except ConfigurationError as error:
        stop(str(error), 2)
    except (Failure, EmbeddedUnavailable) as error:
        stop(str(error), 1)
    except (KeyboardInterrupt, asyncio.CancelledError):
        stop("Interrupted.", 1)


def in_loop(work: Coroutine[None, None, None]) -> None:
    """Run it to its end, or until SIGTERM or Ctrl-C."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(until_told(work))


async def until_told(work: Coroutine[None, None, None]) -> None:
    """Make SIGTERM cancel `work` as Ctrl-C does, so that it stops what it started."""
    task = asyncio.current_task()
    assert task is not None, "this is one"
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await work


def stop(line: str, code: int) -> None:
    """Exit with one line on standard error."""
    print(f"apv-bot: {line}", file=sys.stderr)
    raise typer.Exit(code)


def secrets(settings: Settings) -> list[str]:
    """Every secret of the settings, for the log's redaction."""
    values = [getattr(settings, name) for name in Settings.model_fields]
    found = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
    found += [token.sha256 for token in settings.tokens]
    if settings.database_url is not None:
        # A driver's error may name the password without the rest of the URL.
        found.append(make_url(settings.database_url.get_secret_value()).password or "")
    return found


def outage_line(error: BaseException, settings: Settings) -> str | None:
    """What to print when the database is away or behind, never with a password; None for any other error."""
    if database_is_away(error):
        cause = _cause(error)
        return f"DATABASE_URL: cannot connect to {_server(settings)}{cause and f': {cause}'}"
    sentence = outage(error)
    return sentence and f"DATABASE_URL: {sentence[0].lower()}{sentence[1:]}"


def _server(settings: Settings) -> str:
    if settings.database_url is None:
        return "the embedded PostgreSQL"
    url = make_url(settings.database_url.get_secret_value())
    return f"{url.host or url.query.get('host') or 'localhost'}:{url.port or 5432}"


def _cause(error: BaseException) -> str:
    match error:
        case DBAPIError():
            return REFUSALS.get(str(getattr(error.orig, "sqlstate", None)), "")
        case socket.gaierror():
            return "no such host"
        case OSError(errno=int(number)) if number > 0:
            return os.strerror(number).lower()
        case _:
            return ""


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print rows under a head, with aligned columns."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    for row in (head, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
