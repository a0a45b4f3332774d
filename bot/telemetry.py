"""Logging: structlog for ours and for the libraries' records, one line each, without secrets."""

import logging
import sys
import traceback
from collections.abc import Iterable
from typing import Literal

import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

MASK = "***"
QUIET = ("slack_sdk", "aiohttp", "asyncio", "alembic", "pgqueuer", "github", "urllib3", "sqlalchemy")
"""Libraries whose INFO and DEBUG hold request bodies, URLs or SQL."""
OURS = ("__main__", "bot", "handlers", "storage")


class Redaction:
    """Replaces every known secret wherever it stands in a line, so that no careless field can leak one."""

    def __init__(self, secrets: Iterable[str]) -> None:
        # A short "secret" would blank ordinary words; real ones are long.
        self._secrets = tuple(sorted((s for s in secrets if len(s) >= 8), key=len, reverse=True))

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """A structlog processor, to run last before rendering."""
        return {key: self._clean(value) for key, value in event.items()}

    def _clean(self, value: object) -> object:
        if isinstance(value, str | bytes):
            text = value if isinstance(value, str) else value.decode("utf-8", "replace")
            for secret in self._secrets:
                text = text.replace(secret, MASK)
            return text
        if isinstance(value, list | tuple):
            return [self._clean(item) for item in value]
        if isinstance(value, dict):
            return {key: self._clean(item) for key, item in value.items()}
        return value


def trail(exc_info: ExcInfo) -> str:
    """The classes of an exception and its causes, and the way to it through our code and to the line that raised it.

    Its text stays out: it quotes what was sent, what was being stored, and where this machine keeps its files.
    """
    kinds: list[str] = []
    error: BaseException | None = exc_info[1]
    while error is not None:
        kinds.append(type(error).__name__)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    places = [
        f"{frame.f_globals.get('__name__')}.{frame.f_code.co_qualname}:{line}"
        for frame, line in traceback.walk_tb(exc_info[2])
    ]
    kept = [place for place in places if place.split(".")[0] in OURS or place is places[-1]]
    return f"{' from '.join(kinds)} at {' > '.join(kept)}"


def _one_line(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    # asyncio's own messages continue with the representation of a task: paths, and the exception's text.
    event["event"] = str(event["event"]).partition("\n")[0]
    return event


def configure(
    *,
    level: Literal["debug", "info", "warning", "error"],
    form: Literal["auto", "console", "json"],
    secrets: Iterable[str],
) -> None:
    """Set up logging to standard error for the whole process."""
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(trail),
        Redaction(secrets),
    ]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()) if console else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_one_line, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    # Bolt's warnings hold whole bodies, and advice on settings that are right.
    logging.getLogger("slack_bolt").setLevel(logging.ERROR)
