"""Writes submissions: new reviews, each with a code, and new content for open reviews."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from pydantic_core import to_json
from sqlalchemy import ARRAY, ColumnElement, Text, any_, bindparam, case, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.apv import Apv, Json, content, digest, identity, priority
from bot.domain.contents import claims
from bot.domain.patch import Readings
from storage.files import files_json
from storage.reviews import (
    APV_COLUMNS,
    COLUMN_OF,
    DETAILS,
    FIRST,
    FULL_OF_ANY,
    LAST,
    Locked,
    T,
    apv_of,
    lock,
    see,
)
from storage.tables import apv_code_years, apv_contents, apv_reviews

LOCK_NAMES = """
SELECT pg_advisory_xact_lock(number) FROM (
    SELECT DISTINCT hashtextextended(name, 0) & 255 AS number FROM unnest(CAST(:names AS text[])) AS name
    ORDER BY number
) AS numbers
"""
"""Names share 256 locks: the server has room for some 6,400 locks in all, and a list may have 2,000 names."""


async def lock_names(tx: AsyncConnection, names: Sequence[str]) -> None:
    """Hold identities and codes until the transaction ends, so that two reports of one APV cannot both be new.

    Always taken in the same order, so that two overlapping lists do not deadlock.
    """
    await tx.execute(text(LOCK_NAMES), {"names": list(names)})


async def latest_of(tx: AsyncConnection, identity_key: str) -> Locked | None:
    """The newest review of this identity, locked."""
    query = select(T.id).where(T.identity == identity_key).order_by(T.created_at.desc(), T.version).limit(1)
    found = (await tx.execute(query)).scalar_one_or_none()
    return await lock(tx, found) if found else None


async def by_code(tx: AsyncConnection, code: str) -> tuple[Locked, str] | None:
    """The review with this code, locked, and its identity."""
    row = (await tx.execute(select(T.id, T.identity).where(T.apv_code == code, T.digest.is_not(None)))).one_or_none()
    locked = await lock(tx, row.id) if row else None
    return (locked, row.identity) if row and locked else None


@dataclass(frozen=True, slots=True)
class New:
    """A review to insert, with `code` or with the year's next free code."""

    apv: Apv
    code: str | None
    metadata: Mapping[str, Json]
    due_at: datetime | None
    authors: Sequence[str] = ()
    readings: Readings = field(default_factory=dict)


# A trigger makes every inserted row, also one of the bot, a new review without a digest.
ADOPT = """
UPDATE apv_reviews AS r
SET identity = n.identity, digest = n.digest, priority = n.priority, authors = n.authors
FROM jsonb_to_recordset(CAST(:news AS jsonb)) AS n(
    id uuid, identity text, digest text, priority smallint, authors jsonb)
WHERE r.id = n.id
"""


async def identities_known(tx: AsyncConnection, keys: Sequence[str]) -> set[str]:
    """The identities among these that have a review."""
    query = select(T.identity).where(T.identity == any_(bindparam("keys", type_=ARRAY(Text)))).distinct()
    return set((await tx.execute(query, {"keys": list(keys)})).scalars())


async def insert_new(tx: AsyncConnection, news: Sequence[New], now: datetime) -> list[Locked]:
    """Insert new reviews, in the order given; a taken code is replaced by the next free one."""
    ids = [uuid4() for _ in news]
    codes = {id_: new.code for id_, new in zip(ids, news, strict=True)}
    rows = {id_: _row(new, now) for id_, new in zip(ids, news, strict=True)}
    insertion = insert(apv_reviews).on_conflict_do_nothing(index_elements=[T.apv_code]).returning(T.id)
    while codes:
        free = iter(await _next_codes(tx, now.year, sum(code is None for code in codes.values())))
        values = [{**rows[id_], "id": id_, "apv_code": code or next(free)} for id_, code in codes.items()]
        added = set((await tx.execute(insertion, values)).scalars())
        codes = dict.fromkeys(id_ for id_ in codes if id_ not in added)
    names = ("identity", "digest", "priority")
    adopted = [
        {"id": str(id_), "authors": new.authors, **{name: rows[id_][name] for name in names}}
        for id_, new in zip(ids, news, strict=True)
    ]
    await tx.execute(text(ADOPT), {"news": to_json(adopted).decode()})
    await _keep_contents(tx, [(id_, 1, new.apv, new.authors) for id_, new in zip(ids, news, strict=True)])
    # Nobody else has seen them yet, so they need no lock.
    made = await see(tx, ids)
    return [made[id_] for id_ in ids]


def _row(new: New, now: datetime) -> dict[str, Any]:
    times = {"due_at": new.due_at, "created_at": now, "updated_at": now}
    return {**_values(new.apv, new.readings), "metadata": dict(new.metadata), **times}


async def replace_content(
    tx: AsyncConnection,
    review_id: UUID,
    apv: Apv,
    readings: Readings,
    *,
    version: int,
    due_at: datetime | None,
    authors: Sequence[str],
    asked_at: datetime | None = None,
    drafted_from: str | None = None,
) -> Locked:
    """Give an open review new content; `drafted_from` is the digest before the bot added the diff.

    `asked_at` is when the deadline starts to count; it resets the reminders.
    """
    values = {**_values(apv, readings), "version": version, "due_at": due_at, "drafted_from": drafted_from}
    values |= {"authors": list(authors)}
    # The clock is computed again; a new deadline starts its escalation steps over.
    values |= {"clock_at": None, "steps_told": case((T.due_at == due_at, T.steps_told), else_=0)}
    if asked_at is not None:
        values |= {"asked_at": asked_at, "reminders_told": 0}
    await tx.execute(update(apv_reviews).where(T.id == review_id).values(values))
    await _keep_contents(tx, [(review_id, version, apv, authors)])
    return await _locked(tx, review_id)


async def drafted_from(tx: AsyncConnection, review_id: UUID) -> str | None:
    """The digest of the submitted content, if the bot has added the diff."""
    found: str | None = (await tx.execute(select(T.drafted_from).where(T.id == review_id))).scalar_one()
    return found


@dataclass(frozen=True, slots=True)
class Unadopted:
    """A row that another program inserted."""

    id: UUID
    apv: Apv
    created_at: datetime
    due_at: datetime | None


async def last_kept(tx: AsyncConnection, review_id: UUID) -> tuple[int, Sequence[str]]:
    """The version and the authors of the content that was stored last, whatever the row says; 0 if there is none."""
    query = select(apv_contents.c.version, apv_contents.c.authors).where(apv_contents.c.apv_id == review_id)
    row = (await tx.execute(query.order_by(apv_contents.c.version.desc()).limit(1))).one_or_none()
    return (row.version, row.authors) if row else (0, ())


async def renew_content(
    tx: AsyncConnection,
    review_id: UUID,
    apv: Apv,
    readings: Readings,
    *,
    due_at: datetime | None,
    asked_at: datetime | None = None,
    drafted_from: str | None = None,
) -> Locked:
    """Store the content in the row as the next version. Version and authors come from the record, not from the row."""
    version, authors = await last_kept(tx, review_id)
    return await replace_content(
        tx,
        review_id,
        apv,
        readings,
        version=version + 1,
        due_at=due_at,
        authors=authors,
        asked_at=asked_at,
        drafted_from=drafted_from,
    )


AUTHORS = """
SELECT c.authors FROM apv_contents AS c JOIN apv_reviews AS r ON r.id = c.apv_id
WHERE (r.identity = :identity OR r.id = :id)
    AND EXISTS (SELECT FROM jsonb_each(CAST(:claims AS jsonb)) AS claim WHERE c.content -> claim.key = claim.value)
ORDER BY c.created_at, c.version
"""


async def authors_of(tx: AsyncConnection, apv: Apv, review_id: UUID) -> list[str]:
    """The authors of any claim of this APV so far, in any version of this review or of another one of the same APV."""
    values = {"identity": identity(apv), "id": review_id, "claims": to_json(claims(apv)).decode()}
    return [name for names in (await tx.execute(text(AUTHORS), values)).scalars() for name in names]


async def shown(tx: AsyncConnection, review_id: UUID, version: int) -> Mapping[str, Json] | None:
    """The content that was shown as this version, as `domain.apv.content` gives it; None if there was none."""
    of_version = (apv_contents.c.apv_id == review_id, apv_contents.c.version == version)
    kept: Mapping[str, Json] | None = (
        await tx.execute(select(apv_contents.c.content).where(*of_version))
    ).scalar_one_or_none()
    return kept


async def metadata(tx: AsyncConnection, review_id: UUID) -> Mapping[str, Json]:
    """A review's metadata."""
    kept: Mapping[str, Json] = (await tx.execute(select(T.metadata).where(T.id == review_id))).scalar_one()
    return kept


async def unadopted(tx: AsyncConnection, past: Sequence[UUID], limit: int) -> Sequence[UUID]:
    """Rows of other programs that the bot has not adopted yet, oldest first, except those in `past`."""
    query = select(T.id).where(T.digest.is_(None), T.id.not_in(past)).order_by(T.created_at).limit(limit)
    return (await tx.execute(query)).scalars().all()


async def lock_unadopted(tx: AsyncConnection, review_id: UUID) -> Unadopted | None:
    """Lock such a row; None when another replica has it or had it."""
    return await _unadopted(tx, T.id == review_id, skip_locked=True)


async def unadopted_by_code(tx: AsyncConnection, code: str) -> Unadopted | None:
    """Lock such a row by its code."""
    return await _unadopted(tx, T.apv_code == code)


async def _unadopted(tx: AsyncConnection, which: ColumnElement[bool], *, skip_locked: bool = False) -> Unadopted | None:
    query = FULL_OF_ANY.where(which, T.digest.is_(None)).with_for_update(skip_locked=skip_locked)
    row = (await tx.execute(query)).mappings().one_or_none()
    if row is None:
        return None
    due_at = None if row["due_at"] in {FIRST, LAST} else row["due_at"]
    return Unadopted(row["id"], apv_of(row), row["created_at"], due_at)


async def _locked(tx: AsyncConnection, review_id: UUID) -> Locked:
    locked = await lock(tx, review_id)
    assert locked is not None, "a row written in this transaction is there"
    return locked


def _values(apv: Apv, readings: Readings) -> dict[str, Any]:
    columns = {COLUMN_OF.get(name, name): getattr(apv, name) for name in APV_COLUMNS}
    return {
        **columns,
        "details": {name: getattr(apv, name) for name in DETAILS},
        "identity": identity(apv),
        "digest": digest(apv),
        "priority": priority(apv),
        "files": files_json(apv.patch_diff, readings),
    }


async def _keep_contents(tx: AsyncConnection, kept: Sequence[tuple[UUID, int, Apv, Sequence[str]]]) -> None:
    rows = [
        {"apv_id": id_, "version": version, "digest": digest(apv), "content": content(apv), "authors": list(authors)}
        for id_, version, apv, authors in kept
    ]
    await tx.execute(insert(apv_contents), rows)


async def _next_codes(tx: AsyncConnection, year: int, count: int) -> list[str]:
    """The next `count` codes; the year's counter stays locked until the commit."""
    if not count:
        return []
    counter = insert(apv_code_years).values(year=year, last=count)
    counter = counter.on_conflict_do_update(
        index_elements=[apv_code_years.c.year], set_={"last": apv_code_years.c.last + count}
    )
    last = (await tx.execute(counter.returning(apv_code_years.c.last))).scalar_one()
    return [f"APV-{year}-{number:04d}" for number in range(last - count + 1, last + 1)]
