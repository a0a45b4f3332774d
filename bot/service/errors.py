"""What went wrong beneath a service function, in words for the person who asked."""

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bot.domain.people import DirectoryUnavailable
from storage.database import CommitUnknown

AWAY = ("08", "53", "57P")
"""What SQLSTATEs begin with when the server breaks a connection off, is full, starts or stops."""


def database_is_away(error: BaseException) -> bool:
    """Whether the database could not be reached, or went away in between; anything else is a surprise."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, PoolTimeout | OSError)
    if isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated:
        return True
    # A server that refuses the connection itself leaves no statement behind.
    return error.statement is None or str(getattr(error.orig, "sqlstate", "")).startswith(AWAY)


BEHIND = frozenset({"42P01", "42703"})
"""SQLSTATE of a table or column that is not there: nobody has migrated the database yet."""


def _schema_is_behind(error: BaseException) -> bool:
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in BEHIND


def outage(error: BaseException) -> str | None:
    """What to tell a program when the world around us failed it; None for a surprise."""
    match error:
        case DirectoryUnavailable():
            return "Slack could not say who may decide; nothing was recorded"
        case CommitUnknown():
            return "The database went away while this was recorded; look at it before sending it again"
        case TimeoutError():
            return "The database did not answer in time"
        case _ if database_is_away(error):
            return "The database is away"
        case _ if _schema_is_behind(error):
            return "The database is not at this release's schema yet: run apv-bot migrate"
        case _:
            return None


def sentence_of(error: BaseException) -> tuple[str, bool]:
    """What to tell the person, and whether this was to be expected of the world (no trace in the log then)."""
    match error:
        case DirectoryUnavailable():
            return "Nothing was recorded: Slack could not say who may decide. Please try again in a moment.", True
        case CommitUnknown():
            return (
                "The connection to the database was lost while recording this. Look at the card before you try again.",
                True,
            )
        case TimeoutError():
            return "Nothing was recorded: it took too long. Please try again.", True
        case _ if database_is_away(error):
            return "Nothing was recorded: the database is away. Please try again in a moment.", True
        case _ if _schema_is_behind(error):
            return "Nothing was recorded: the database is being upgraded. Please try again in a moment.", True
        case _:
            return "Nothing was recorded: something went wrong. Please try again.", False
