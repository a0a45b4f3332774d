"""Reading, locking and inserting reviews. What a rule looks at is locked, or written only if it is unchanged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from math import isfinite
from typing import Any
from uuid import UUID

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

from bot.domain.apv import Apv, Json, PatchStrategy, Severity, WargameVerdict
from bot.domain.review import AWAITING, Choice, Dossier, Review, Status, Vote
from storage.audit import Head
from storage.pulls import pull_of
from storage.record import WITHDRAWN
from storage.tables import AWAITING_SQL, apv_reviews, hitl_decisions

T = apv_reviews.c
COLUMN_OF = {"patch_diff": "patch_content"}
"""Where a column and the field of `Apv` that it holds are named differently."""
APV_COLUMNS = tuple(f.name for f in fields(Apv) if COLUMN_OF.get(f.name, f.name) in apv_reviews.c)
DETAILS = tuple(f.name for f in fields(Apv) if f.name not in APV_COLUMNS)
TUPLES = frozenset(f.name for f in fields(Apv) if f.default == ())

STATE = (
    T.id, T.apv_code, T.status, T.version, T.revision, T.digest, T.severity, T.created_at,
    T.package_name, T.package_ecosystem, T.repository, T.reporter, T.due_at,
    T.votes, T.escalated_by, T.escalated_by_name, T.escalated_at, T.claimed_by, T.claimed_by_name, T.closed_at,
    T.snoozed_until, T.snooze_reason,
    T.pr_number, T.pr_url, T.pr_branch, T.note, T.pull, T.metadata.has_key("follows").label("follows"),
    # The length of a diff is known without reading it.
    (func.coalesce(func.octet_length(T.patch_content), 0) > 0).label("has_patch"),
)  # fmt: skip

REVIEW_COLUMNS = tuple({f.name for f in fields(Review)} & {column.name for column in STATE})


# Which transaction wrote the row: it names the row's version, whoever changes it.
SEEN = literal_column("apv_reviews.xmin::text", Text).label("seen")


def _state(which: ColumnElement[bool]) -> Select[Any]:
    return select(*STATE, T.audit_seq, T.audit_head, SEEN).where(which, T.digest.is_not(None))


@dataclass(frozen=True, slots=True)
class Locked:
    """A review and the end of its audit chain, which nobody else changes before what is made of them is written."""

    review: Review
    head: Head
    seen: str
    """The version of its row, which `storage.record` holds it to where the row is not locked."""


# Two clicks at once: the second waits here and then sees the first's vote, which lies in this same row.
# Not against those who insert a row that refers to the review: a message of its own, say, while Slack is asked.
LOCK = _state(T.id == bindparam("id")).with_for_update(key_share=True)
SEE = _state(T.id == any_(bindparam("ids", type_=ARRAY(Uuid))))


async def lock(tx: AsyncConnection, review_id: UUID) -> Locked | None:
    """Lock one review for the rest of the transaction."""
    row = (await tx.execute(LOCK, {"id": review_id})).mappings().one_or_none()
    return _locked(row) if row else None


async def see(connection: AsyncConnection, review_ids: Sequence[UUID]) -> dict[UUID, Locked]:
    """Those of the reviews that there are, locked against nobody."""
    rows = (await connection.execute(SEE, {"ids": review_ids})).mappings()
    return {row["id"]: _locked(row) for row in rows}


def _locked(row: RowMapping) -> Locked:
    return Locked(review_of(row), Head(row["audit_seq"], row["audit_head"]), row["seen"])


def review_of(row: RowMapping) -> Review:
    """Where a review stands, from a row with STATE's columns."""
    values: dict[str, Any] = {name: row[name] for name in REVIEW_COLUMNS}
    return Review(
        **{
            **values,
            "code": row["apv_code"],
            "status": Status(row["status"]),
            "severity": Severity(row["severity"]),
            "pull": pull_of(row["pull"]),
            "votes": tuple(
                Vote(
                    v["person"],
                    v["name"],
                    datetime.fromisoformat(v["at"]),
                    v["lead_after_escalation"],
                    tuple(v.get("groups", ())),
                )
                for v in row["votes"]
            ),
        }
    )


def apv_of(row: RowMapping) -> Apv:
    """What was reported, from a whole row."""
    values: dict[str, Any] = {name: row[COLUMN_OF.get(name, name)] for name in APV_COLUMNS} | dict(row["details"])
    values["severity"] = Severity(values["severity"])
    values["patch_strategy"] = PatchStrategy(values["patch_strategy"])
    if values["wargame_verdict"] is not None:
        values["wargame_verdict"] = WargameVerdict(values["wargame_verdict"])
    # A row of another program has no details, and may hold numbers that are none, which JSON cannot say.
    values |= {name: None for name, value in values.items() if isinstance(value, float) and not isfinite(value)}
    values |= {name: tuple(values.get(name, ())) for name in TUPLES}
    return Apv(**values)


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the order of `most_urgent`, which stays where it is while reviews come and go."""

    priority: int
    due_at: datetime | None
    created_at: datetime
    id: UUID


@dataclass(frozen=True, slots=True)
class Stored:
    """A review with what was reported and what is kept beside it."""

    dossier: Dossier
    priority: int
    updated_at: datetime
    metadata: Mapping[str, Json]

    @property
    def position(self) -> Position:
        """Its place in the queue."""
        review = self.dossier.review
        return Position(self.priority, review.due_at, review.created_at, review.id)


def _stored(row: RowMapping) -> Stored:
    return Stored(Dossier(apv_of(row), review_of(row)), row["priority"], row["updated_at"], row["metadata"])


FULL = select(*[c for c in apv_reviews.c if c.name not in {"audit_seq", "audit_head"}], *STATE[-2:]).where(
    T.digest.is_not(None)
)


async def get(tx: AsyncConnection, review_id: UUID) -> Stored | None:
    """One review by its id."""
    row = (await tx.execute(FULL.where(T.id == review_id))).mappings().one_or_none()
    return _stored(row) if row else None


async def state(tx: AsyncConnection, review_id: UUID) -> Review | None:
    """Where one review stands, without what was reported."""
    row = (await tx.execute(select(*STATE).where(T.id == review_id, T.digest.is_not(None)))).mappings().one_or_none()
    return review_of(row) if row else None


async def get_all(tx: AsyncConnection, review_ids: Sequence[UUID]) -> dict[UUID, Stored]:
    """Reviews by their ids."""
    query = FULL.where(T.id == any_(bindparam("ids", type_=ARRAY(Uuid))))
    return {row["id"]: _stored(row) for row in (await tx.execute(query, {"ids": list(review_ids)})).mappings()}


async def revision(tx: AsyncConnection, review_id: UUID) -> int:
    """How often the review has changed, without reading it."""
    counted: int = (await tx.execute(select(T.revision).where(T.id == review_id))).scalar_one()
    return counted


async def find(tx: AsyncConnection, name: str) -> Stored | None:
    """One review by its UUID or its `apv_code` (in any case)."""
    try:
        return await get(tx, UUID(name))
    except ValueError:
        if not name.isprintable():  # PostgreSQL takes neither NUL nor half a surrogate pair
            return None
        row = (await tx.execute(FULL.where(T.apv_code == name.upper()))).mappings().one_or_none()
        return _stored(row) if row else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a list of reviews is limited to; `statuses` None means every status."""

    statuses: frozenset[Status] | None = AWAITING
    severity: Severity | None = None
    patch_strategy: PatchStrategy | None = None
    wargame_verdict: WargameVerdict | None = None
    package_name: str | None = None
    claimed_by: str | None = None
    snoozed: bool | None = None

    def conditions(self) -> list[ColumnElement[bool] | TextClause]:
        """As SQL."""
        found: list[ColumnElement[bool] | TextClause] = [T.digest.is_not(None)]
        if self.statuses == AWAITING:
            # Spelled as in the partial index, so that the planner knows it for the same.
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
    """How many reviews there are."""
    return (await tx.execute(select(func.count()).select_from(apv_reviews).where(*what.conditions()))).scalar_one()


async def most_urgent(
    tx: AsyncConnection, what: Filter, *, limit: int, offset: int = 0, after: Position | None = None
) -> list[Stored]:
    """A page of reviews, most urgent first: priority, then deadline, then age; only those behind `after`."""
    query: Select[Any] = FULL.where(*what.conditions())
    if after is not None:
        query = query.where(*_behind(after))
    query = query.order_by(T.priority.desc(), T.due_at, T.created_at, T.id).limit(limit).offset(offset)
    return [_stored(row) for row in (await tx.execute(query)).mappings()]


def _behind(after: Position) -> list[ColumnElement[bool]]:
    columns, values = [T.created_at, T.id], [literal(after.created_at, T.created_at.type), literal(after.id, T.id.type)]
    if after.due_at is not None:
        columns, values = [T.due_at, *columns], [literal(after.due_at, T.due_at.type), *values]
    later = tuple_(*columns) > tuple_(*values)
    # Without a deadline is after every deadline, as the order has it.
    beyond = and_(T.due_at.is_(None), later) if after.due_at is None else or_(later, T.due_at.is_(None))
    # The first condition is implied by the second, and is the one that the index understands.
    return [T.priority <= after.priority, or_(T.priority < after.priority, beyond)]


async def set_branch(tx: AsyncConnection, review_id: UUID, branch: str) -> None:
    """Something is about to be pushed for this review, which the caller has locked."""
    await tx.execute(update(apv_reviews).where(T.id == review_id).values(pr_branch=branch))


async def overdue(tx: AsyncConnection, now: datetime, *, limit: int) -> Sequence[UUID]:
    """Reviews that await a decision past their deadline, and of which nobody has been told."""
    late = select(T.id).where(T.due_at < now, T.breached_at.is_(None), text(AWAITING_SQL), T.digest.is_not(None))
    return (await tx.execute(late.order_by(T.due_at).limit(limit))).scalars().all()


async def mark_breached(tx: AsyncConnection, review_id: UUID, now: datetime) -> bool:
    """Mark one overdue review; False when somebody else did, or it was decided meanwhile."""
    mark = update(apv_reviews).where(T.id == review_id, T.due_at < now, T.breached_at.is_(None), text(AWAITING_SQL))
    return (await tx.execute(mark.values(breached_at=now))).rowcount == 1


@dataclass(frozen=True, slots=True)
class Approval:
    """One approval as it was recorded."""

    reviewer_name: str
    justification: str
    at: datetime


async def approvals(tx: AsyncConnection, review_id: UUID, digest: str) -> list[Approval]:
    """The approvals of one content, in the order given, without those taken back."""
    made = hitl_decisions.c
    query = select(made.reviewer_name, made.comments, made.created_at).where(
        made.apv_id == review_id,
        made.digest == digest,
        made.decision == Choice.APPROVE.value,
        made.outcome_notes.is_distinct_from(WITHDRAWN.notes),
    )
    return [Approval(*row) for row in await tx.execute(query.order_by(made.created_at))]
