"""`apv-bot COMMAND` in this process: its output and exit code, in its own folder and environment."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from typer.testing import CliRunner

from bot.cli.main import app
from bot.config import Settings


@dataclass(frozen=True)
class Outcome:
    """How a command ended. 0 is done, 1 failed, 2 bad usage or configuration."""

    code: int
    said: str
    complained: str

    @property
    def line(self) -> str:
        """The one line that says what stopped it."""
        (line,) = self.complained.splitlines()
        assert line.startswith("apv-bot: ")
        assert self.said == ""
        return line.removeprefix("apv-bot: ")


@dataclass(frozen=True)
class Terminal:
    """Where an operator types: a folder and its settings."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)

    def types(self, *arguments: str, sends: bytes | str = b"", **settings: str) -> Outcome:
        """Run `apv-bot` with these arguments; a trace of it fails the test."""
        ours = {name.upper(): None for name in Settings.model_fields}
        with _untouched(self.folder):
            ended = CliRunner().invoke(
                app, arguments, input=sends, env={**ours, **self.settings, **settings}, prog_name="apv-bot"
            )
        if ended.exception is not None and not isinstance(ended.exception, SystemExit):
            raise ended.exception
        return Outcome(ended.exit_code, ended.stdout, ended.stderr)


@contextmanager
def _untouched(folder: Path) -> Iterator[None]:
    """A command configures logging and changes the folder; restore both for the next test."""
    known = [logging.root, *logging.root.manager.loggerDict.values()]
    levels = {logger: logger.level for logger in known if isinstance(logger, logging.Logger)}
    handlers, before, configured = logging.root.handlers[:], Path.cwd(), structlog.get_config()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
        logging.root.handlers[:] = handlers
        for logger, level in levels.items():
            logger.setLevel(level)
        structlog.configure(**configured)
