"""Turns errors of the database and of Slack into sentences for programs and people."""

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bot.domain.people import DirectoryUnavailable
from storage.database import CommitUnknown

AWAY = ("08", "53", "57P")
"""First characters of the SQLSTATEs of a server that drops a connection, is full, starts or stops."""


def database_is_away(error: BaseException) -> bool:
    """Whether the error means that the database is unavailable or the connection was lost."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, PoolTimeout | OSError)
    if isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated:
        return True
    # An error without a statement means that the server refused the connection.
    return error.statement is None or str(getattr(error.orig, "sqlstate", "")).startswith(AWAY)


BEHIND = frozenset({"42P01", "42703"})
"""SQLSTATEs of a missing table or column: the database is not migrated yet."""


def _schema_is_behind(error: BaseException) -> bool:
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in BEHIND


def _words(error: BaseException) -> tuple[str, str] | None:
    """What to tell a program, and a person, when a dependency failed; None for an unexpected error."""
    match error:
        case DirectoryUnavailable():
            program = "Slack could not say who may decide; nothing was recorded"
            person = "Nothing was recorded: Slack could not say who may decide. Please try again in a moment."
        case CommitUnknown():
            program = "The database connection was lost while recording this; check the review before you retry"
            person = (
                "The connection to the database was lost while recording this. Look at the card before you try again."
            )
        case TimeoutError():
            program = "The database did not answer in time"
            person = "Nothing was recorded: it took too long. Please try again."
        case _ if database_is_away(error):
            program = "The database is unavailable"
            person = "Nothing was recorded: the database is unavailable. Please try again in a moment."
        case _ if _schema_is_behind(error):
            program = "The database schema is older than this release: run apv-bot migrate"
            person = "Nothing was recorded: the database is being upgraded. Please try again in a moment."
        case _:
            return None
    return program, person


def outage(error: BaseException) -> str | None:
    """The sentence for a program when a dependency failed; None for an unexpected error."""
    words = _words(error)
    return words[0] if words else None


def sentence_of(error: BaseException) -> tuple[str, bool]:
    """The sentence for a person, and whether a dependency failed (then the log gets no traceback)."""
    words = _words(error)
    return (words[1], True) if words else ("Nothing was recorded: something went wrong. Please try again.", False)
