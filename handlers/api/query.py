"""The query string of the list of reviews. Unknown names are ignored; bad values are a 422."""

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

from bot.domain.apv import Json
from bot.domain.faults import Fault
from bot.domain.review import AWAITING, Status
from bot.intake.apv_json import SEVERITIES, STRATEGIES, VERDICTS
from bot.intake.bounds import TEXT_LIMIT, faults_in
from bot.service.queries import Filter, Position
from handlers.api.routes import Parameter
from handlers.http import unprocessable

LIMIT, LIMIT_MAX, SKIP_MAX = 50, 200, 2**31 - 1
STATUSES: Mapping[str, frozenset[Status] | None] = {"all": None} | {s.value: frozenset((s,)) for s in Status}
DEFAULT_STATUSES: frozenset[Status] | None = AWAITING


def _asked(name: str, about: str, **schema: Json) -> Parameter:
    return Parameter(name=name, where="query", schema=schema, about=about)


PARAMETERS = (
    _asked("status", "By default the reviews that await a decision.", type="string", enum=[*STATUSES]),
    _asked("severity", "Any case.", type="string", enum=[*SEVERITIES]),
    _asked("patch_strategy", "Any case.", type="string", enum=[*STRATEGIES]),
    _asked("wargame_verdict", "Any case; the older names work too.", type="string", enum=[*VERDICTS]),
    _asked("package_name", "A substring of the name.", type="string", maxLength=TEXT_LIMIT),
    _asked("limit", "", type="integer", minimum=1, maximum=LIMIT_MAX, default=LIMIT),
    _asked("skip", "The number of reviews to skip.", type="integer", minimum=0, maximum=SKIP_MAX, default=0),
    _asked("offset", "The same as `skip`.", type="integer", minimum=0, maximum=SKIP_MAX, default=0),
    _asked("cursor", "The `next_cursor` of the previous page; it overrides `skip`.", type="string"),
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ReviewQuery:
    """A parsed query. `after` is the end of the previous page; it overrides `skip`."""

    what: Filter
    limit: int
    skip: int
    after: Position | None


class _Refused(ValueError):
    def __init__(self, kind: str, sentence: str) -> None:
        super().__init__(sentence)
        self.kind, self.sentence = kind, sentence


def read(query: Mapping[str, str]) -> ReviewQuery:
    """Parse a query string; raises HttpError 422 with every fault."""
    faults: list[Fault] = []

    def value(name: str, parse: Callable[[str], T], default: T) -> T:
        if name not in query:
            return default
        try:
            return parse(query[name])
        except _Refused as refused:
            faults.append(Fault(refused.kind, (name,), refused.sentence))
            return default

    what = Filter(
        statuses=value("status", _one_of(STATUSES), DEFAULT_STATUSES),
        severity=value("severity", _one_of(SEVERITIES), None),
        patch_strategy=value("patch_strategy", _one_of(STRATEGIES), None),
        wargame_verdict=value("wargame_verdict", _one_of(VERDICTS), None),
        package_name=value("package_name", _text, None),
    )
    limit = value("limit", _whole(1, LIMIT_MAX), LIMIT)
    skip = value("skip", _whole(0, SKIP_MAX), value("offset", _whole(0, SKIP_MAX), 0))
    after = value("cursor", _position, None)
    if faults:
        raise unprocessable(faults, "query")
    return ReviewQuery(what, limit, 0 if after else skip, after)


def cursor(position: Position) -> str:
    """The position as opaque text, which `read` parses."""
    due_at = position.due_at.isoformat() if position.due_at else None
    fields = [position.priority, due_at, position.created_at.isoformat(), str(position.id)]
    return base64.urlsafe_b64encode(json.dumps(fields).encode()).decode().rstrip("=")


def _position(text: str) -> Position:
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        priority, due_at, created_at, review_id = json.loads(base64.b64decode(padded, b"-_", validate=True))
        if type(priority) is not int or not 0 <= priority <= 10:
            raise ValueError
        return Position(priority, _moment(due_at) if due_at else None, _moment(created_at), UUID(review_id))
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        raise _Refused("cursor", "must be a next_cursor of this API") from None


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _one_of(words: Mapping[str, T]) -> Callable[[str], T]:
    def parse(text: str) -> T:
        word = text.strip().lower()
        if word not in words:
            raise _Refused("enum", f"must be one of {', '.join(words)} (any case)")
        return words[word]

    return parse


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,10}", text) or not least <= int(text) <= most:
            raise _Refused("int_range", f"must be a whole number from {least} to {most:,}")
        return int(text)

    return parse


def _text(text: str) -> str:
    for fault in faults_in(text, ()):
        raise _Refused(fault.type, fault.msg)
    return text
