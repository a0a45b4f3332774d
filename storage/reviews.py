"""Reads reviews: with a lock, or with the row version, so that a write can require that nothing has changed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from functools import lru_cache
from math import isfinite
from typing import Any, TypeVar
from uuid import UUID

import structlog
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    RowMapping,
    Select,
    Text,
    TextClause,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.apv import Apv, PatchStrategy, Severity, WargameVerdict, digest
from bot.domain.review import AWAITING, Dossier, Hold, Review, Status, Vote
from bot.scores import band
from storage.audit import Head
from storage.files import files_of
from storage.pulls import pull_of
from storage.tables import AWAITING_SQL, TIME, apv_contents, apv_reviews

log = structlog.get_logger(__name__)

T = apv_reviews.c
COLUMN_OF = {"patch_diff": "patch_content"}
"""Columns whose name differs from the field of `Apv` that they hold."""
APV_COLUMNS = tuple(f.name for f in fields(Apv) if COLUMN_OF.get(f.name, f.name) in apv_reviews.c)
DETAILS = tuple(f.name for f in fields(Apv) if f.name not in APV_COLUMNS)
UNSHOWN = {
    "audit_seq", "audit_head", "breached_at", "clock_at", "pull_seen_at", "pull_polled_at",
    "identity", "drafted_from", "reminders_told", "steps_told",
}  # fmt: skip
TUPLES = frozenset(f.name for f in fields(Apv) if f.default == ())

FIRST, LAST = datetime(1000, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
"""Other programs may write `infinity` or a year outside datetime's range; between these, deadlines can be computed."""


BOUNDS = frozenset({FIRST, LAST})


def _moment(column: ColumnElement[datetime]) -> ColumnElement[datetime]:
    """The column, clamped to FIRST and LAST."""
    # Constants, not parameters: a click would send each of them with every question.
    first, last = (literal_column(f"timestamptz '{bound.isoformat()}'", TIME) for bound in (FIRST, LAST))
    return case((column >= last, last), (column <= first, first), else_=column).label(column.key)


COMPUTED = (
    T.metadata.has_key("follows").label("follows"),
    # The length is known without reading the diff.
    (func.coalesce(func.octet_length(T.patch_content), 0) > 0).label("has_patch"),
    *(T.details[name].astext.label(name) for name in ("fixed_version", "cvss_vector", "kev")),
)
STATE = (
    T.id, T.apv_code, T.status, T.version, T.revision, T.digest, T.severity, _moment(T.created_at),
    T.package_name, T.package_ecosystem, T.package_version, T.patch_strategy, T.repository, T.reporter, T.authors,
    _moment(T.due_at), _moment(T.asked_at),
    T.votes, T.escalated_by, T.escalated_by_name, _moment(T.escalated_at), T.claimed_by, T.claimed_by_name,
    _moment(T.closed_at), _moment(T.snoozed_until), T.snooze_reason,
    T.pr_number, T.pr_url, T.pr_branch, T.hold, T.note, T.pull, T.files, *COMPUTED,
)  # fmt: skip
PLAIN = tuple({f.name for f in fields(Review)} & {column.name for column in STATE})
MOMENTS = ("created_at", "due_at", "asked_at", "escalated_at", "closed_at", "snoozed_until")

# The transaction that wrote the row; every change gives it another value, so it identifies the row's version.
SEEN = literal_column("apv_reviews.xmin::text", Text).label("seen")


def _state(which: ColumnElement[bool]) -> Select[Any]:
    return select(*STATE, T.audit_seq, T.audit_head, SEEN).where(which, T.digest.is_not(None))


@dataclass(frozen=True, slots=True)
class Locked:
    """A review and the head of its audit chain; nobody else can change them before the caller writes."""

    review: Review
    head: Head
    seen: str
    """The version of its row; if the row is not locked, `storage.record` writes only this version."""


@dataclass(frozen=True, slots=True)
class Whole(Locked):
    """A locked review with its content."""

    apv: Apv
    intact: bool
    """False: another program changed the content or its authors; the record has others for this version."""


# With two clicks at once, the second waits here and then sees the first one's vote, which is in this row.
# key_share: rows that refer to the review can still be inserted; a job locks its message's row while it calls Slack.
LOCK = _state(T.id == bindparam("id")).with_for_update(key_share=True)


async def lock(tx: AsyncConnection, review_id: UUID) -> Locked | None:
    """Lock one review for the rest of the transaction."""
    row = (await tx.execute(LOCK, {"id": review_id})).mappings().one_or_none()
    return Locked(review_of(row), _head(row), row["seen"]) if row else None


def _head(row: RowMapping) -> Head:
    return Head(row["audit_seq"], row["audit_head"])


Value = TypeVar("Value")


def review_of(row: RowMapping) -> Review:
    """A review's state from a row with STATE's columns. `unreadable` names the values that cannot be read."""
    unreadable = [name for name in MOMENTS if row[name] in BOUNDS]

    def read(name: str, how: Callable[[Any], Value], instead: Value) -> Value:
        try:
            return how(row[name])
        except (AttributeError, LookupError, TypeError, ValueError):
            unreadable.append(name)
            return instead

    values: dict[str, Any] = {name: row[name] for name in PLAIN} | {
        "code": row["apv_code"],
        "status": Status(row["status"]),
        "severity": Severity(row["severity"]),
        "cvss_severity": band(row["cvss_vector"]),
        "kev": row["kev"] == "true",
        "patch_strategy": PatchStrategy(row["patch_strategy"]),
        "hold": Hold(row["hold"]) if row["hold"] else None,
        "pull": read("pull", pull_of, None),
        "files": read("files", files_of, None) if row["has_patch"] else (),
        "votes": read("votes", _votes, tuple[Vote, ...]()),
        "authors": read("authors", tuple, ()),
    }
    if unreadable:
        _say_once(row["apv_code"], tuple(unreadable))
    return Review(**values, unreadable=tuple(unreadable))


@lru_cache(maxsize=1024)
def _say_once(code: str, columns: tuple[str, ...]) -> None:
    log.warning("review.unreadable", apv_code=code, columns=columns)


def _votes(kept: list[dict[str, Any]]) -> tuple[Vote, ...]:
    return tuple(
        Vote(
            v["person"],
            v["name"],
            datetime.fromisoformat(v["at"]),
            v["lead_after_escalation"],
            tuple(v.get("groups", ())),
            # Rows of earlier releases do not say it.
            human=v.get("human", not v["person"].startswith("token:")),
        )
        for v in kept
    )


def apv_of(row: RowMapping) -> Apv:
    """The reported APV from a whole row. Raises TypeError for details that a later release wrote."""
    values: dict[str, Any] = {name: row[COLUMN_OF.get(name, name)] for name in APV_COLUMNS} | dict(row["details"])
    values["severity"] = Severity(values["severity"])
    values["patch_strategy"] = PatchStrategy(values["patch_strategy"])
    if values["wargame_verdict"] is not None:
        values["wargame_verdict"] = WargameVerdict(values["wargame_verdict"])
    # Another program's row has no details and may hold NaN, which JSON cannot represent.
    values |= {name: None for name, value in values.items() if isinstance(value, float) and not isfinite(value)}
    values |= {name: tuple(values.get(name, ())) for name in TUPLES}
    return Apv(**values)


@dataclass(frozen=True, slots=True)
class Position:
    """A cursor in the order of `most_urgent`; it stays valid while reviews come and go."""

    priority: int
    due_at: datetime | None
    created_at: datetime
    id: UUID


def position(dossier: Dossier) -> Position:
    """A review's place in the queue."""
    review = dossier.review
    return Position(dossier.priority, review.due_at, review.created_at, review.id)


def _read(row: RowMapping) -> tuple[Review, Apv]:
    review = review_of(row)
    try:
        return review, apv_of(row)
    except (AttributeError, TypeError, ValueError):
        names = ("severity", "package_name", "package_version", "package_ecosystem", "repository", "cve_id")
        apv = Apv(**{name: row[name] for name in names} | {"severity": review.severity})
        review = replace(review, unreadable=(*review.unreadable, "details"))
        _say_once(review.code, review.unreadable)
    return review, apv


def _dossier(row: RowMapping) -> Dossier:
    review, apv = _read(row)
    return Dossier(apv, review, row["priority"], row["updated_at"], row["metadata"])


CLAMPED = {*MOMENTS, "updated_at"}
FULL_OF_ANY = select(
    *[_moment(c) if c.name in CLAMPED else c for c in apv_reviews.c if c.name not in UNSHOWN], *COMPUTED
)
FULL = FULL_OF_ANY.where(T.digest.is_not(None))

KEPT = apv_contents.c
# Whether digest and authors are those that were kept under this version. The kept table is append-only; the row is not.
AS_KEPT = exists().where(
    KEPT.apv_id == T.id, KEPT.version == T.version, KEPT.digest == T.digest, KEPT.authors == T.authors
)
IN_STATE = {column.name for column in STATE}
OF_APV = [T[name] for name in (*(COLUMN_OF.get(n, n) for n in APV_COLUMNS), "details") if name not in IN_STATE]
WHOLE = select(*STATE, *OF_APV, T.audit_seq, T.audit_head, SEEN, AS_KEPT.label("as_kept")).where(T.digest.is_not(None))
ONE = WHOLE.where(T.id == bindparam("id"))
SEE = WHOLE.where(T.id == any_(bindparam("ids", type_=ARRAY(Uuid))))


async def lock_whole(tx: AsyncConnection, review_id: UUID) -> Whole | None:
    """Like `lock`, with the content, whose digest is computed again."""
    # A query that waits for the lock does not see content that was kept while it waited, so a second query reads it.
    if await lock(tx, review_id) is None:
        return None
    return _whole((await tx.execute(ONE, {"id": review_id})).mappings().one())


async def see(connection: AsyncConnection, review_ids: Sequence[UUID]) -> dict[UUID, Whole]:
    """Those of these reviews that exist, with their content, without a lock."""
    rows = (await connection.execute(SEE, {"ids": review_ids})).mappings()
    return {row["id"]: _whole(row) for row in rows}


def _whole(row: RowMapping) -> Whole:
    review, apv = _read(row)
    return Whole(review, _head(row), row["seen"], apv, row["as_kept"] and review.digest == digest(apv))


async def get(tx: AsyncConnection, review_id: UUID) -> Dossier | None:
    """One review by its id."""
    row = (await tx.execute(FULL.where(T.id == review_id))).mappings().one_or_none()
    return _dossier(row) if row else None


async def state(tx: AsyncConnection, review_id: UUID) -> Review | None:
    """One review's state, without the reported APV."""
    row = (await tx.execute(select(*STATE).where(T.id == review_id, T.digest.is_not(None)))).mappings().one_or_none()
    return review_of(row) if row else None


async def get_all(tx: AsyncConnection, review_ids: Sequence[UUID]) -> dict[UUID, Dossier]:
    """Reviews by their ids."""
    query = FULL.where(T.id == any_(bindparam("ids", type_=ARRAY(Uuid))))
    return {row["id"]: _dossier(row) for row in (await tx.execute(query, {"ids": list(review_ids)})).mappings()}


async def revision(tx: AsyncConnection, review_id: UUID) -> int:
    """How often the review has changed."""
    counted: int = (await tx.execute(select(T.revision).where(T.id == review_id))).scalar_one()
    return counted


async def find(tx: AsyncConnection, name: str) -> Dossier | None:
    """One review by its UUID or its `apv_code` (in any case)."""
    try:
        return await get(tx, UUID(name))
    except ValueError:
        if not name.isprintable():  # PostgreSQL takes neither NUL nor half a surrogate pair
            return None
        row = (await tx.execute(FULL.where(T.apv_code == name.upper()))).mappings().one_or_none()
        return _dossier(row) if row else None


async def later(tx: AsyncConnection, review_id: UUID) -> str | None:
    """The code of the newest later review of the same APV."""
    me = select(T.identity, T.created_at).where(T.id == review_id).subquery()
    query = select(T.apv_code).where(T.identity == me.c.identity, T.created_at > me.c.created_at)
    code: str | None = (await tx.execute(query.order_by(T.created_at.desc()).limit(1))).scalar_one_or_none()
    return code


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """The filter of a list; `statuses` None means every status."""

    statuses: frozenset[Status] | None = AWAITING
    severity: Severity | None = None
    patch_strategy: PatchStrategy | None = None
    wargame_verdict: WargameVerdict | None = None
    package_name: str | None = None
    claimed_by: str | None = None
    snoozed: bool | None = None

    def conditions(self) -> list[ColumnElement[bool] | TextClause]:
        """The SQL conditions."""
        found: list[ColumnElement[bool] | TextClause] = [T.digest.is_not(None)]
        if self.statuses == AWAITING:
            # Same text as in the partial index, so that the planner uses the index.
            found.append(text(AWAITING_SQL))
        elif self.statuses is not None:
            found.append(T.status.in_(sorted(self.statuses)))
        for column, value in (
            (T.severity, self.severity),
            (T.patch_strategy, self.patch_strategy),
            (T.wargame_verdict, self.wargame_verdict),
            (T.claimed_by, self.claimed_by),
        ):
            if value is not None:
                found.append(column == value)
        if self.snoozed is not None:
            found.append(T.snoozed_until.is_not(None) if self.snoozed else T.snoozed_until.is_(None))
        if self.package_name is not None:
            found.append(T.package_name.icontains(self.package_name, autoescape=True))
        return found


async def count(tx: AsyncConnection, what: Filter) -> int:
    """The number of matching reviews."""
    return (await tx.execute(select(func.count()).select_from(apv_reviews).where(*what.conditions()))).scalar_one()


async def most_urgent(
    tx: AsyncConnection, what: Filter, *, limit: int, offset: int = 0, after: Position | None = None
) -> list[Dossier]:
    """A page of reviews after `after`, most urgent first: by priority, then deadline, then age."""
    query: Select[Any] = FULL.where(*what.conditions())
    if after is not None:
        query = query.where(*_behind(after))
    query = query.order_by(T.priority.desc(), T.due_at, T.created_at, T.id).limit(limit).offset(offset)
    return [_dossier(row) for row in (await tx.execute(query)).mappings()]


def _behind(after: Position) -> list[ColumnElement[bool]]:
    columns: list[ColumnElement[Any]] = [T.created_at, T.id]
    values: list[ColumnElement[Any]] = [literal(after.created_at, TIME), literal(after.id, T.id.type)]
    if after.due_at is not None:
        # Clamped like the position: the last row of a page may have a deadline outside datetime's range.
        columns, values = [_moment(T.due_at), *columns], [literal(after.due_at, TIME), *values]
    later = tuple_(*columns) > tuple_(*values)
    # Reviews without a deadline come last, as in the order.
    beyond = and_(T.due_at.is_(None), later) if after.due_at is None else or_(later, T.due_at.is_(None))
    # The second condition implies the first, but only the first can use the index.
    return [T.priority <= after.priority, or_(T.priority < after.priority, beyond)]


async def set_branch(tx: AsyncConnection, review_id: UUID, branch: str) -> None:
    """Record the branch that is about to be pushed for this review; the caller has locked it."""
    await tx.execute(update(apv_reviews).where(T.id == review_id).values(pr_branch=branch))
