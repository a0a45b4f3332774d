"""The audit log: a hash chain per review, in which each entry holds the hash of the previous one.

The review row holds the last hash and is locked while an entry is added, so a chain has no forks and no gaps.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import RowMapping, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.apv import Json
from storage.tables import apv_reviews, audit_log, policy_in_force


@dataclass(frozen=True, slots=True)
class Entry:
    """One audit event. `actor` is a person's key, a reporter's name or `apv-bot`."""

    kind: str
    actor: str
    source: str
    """`slack`, `api`, `cli` or `bot`."""
    sentence: str
    at: datetime
    detail: Mapping[str, Json] = field(default_factory=dict)
    id: UUID = field(default_factory=uuid4)


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a review's chain: the number of entries and the hash of the last one."""

    seq: int = 0
    hash: str = ""


def link(head: Head, entry: Entry, apv_id: UUID | None, apv_code: str | None) -> tuple[Head, dict[str, Json]]:
    """Returns the chain's new head and the `audit_log` row as JSON values."""
    row: dict[str, Json] = {
        "id": str(entry.id),
        "at": entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "apv_id": str(apv_id) if apv_id else None,
        "apv_code": apv_code,
        "seq": head.seq + 1,
        "kind": entry.kind,
        "actor": entry.actor,
        "source": entry.source,
        "sentence": entry.sentence,
        "detail": dict(entry.detail),
        "previous": head.hash,
    }
    new = Head(head.seq + 1, _hash(row))
    return new, {**row, "hash": new.hash}


def _hash(row: Mapping[str, Json]) -> str:
    canonical = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def as_json(row: RowMapping) -> dict[str, Json]:
    """A stored entry in the shape that `link` hashed, with its hash and position."""
    values: dict[str, Any] = dict(row)
    return {
        **values,
        "id": str(row["id"]),
        "apv_id": str(row["apv_id"]) if row["apv_id"] else None,
        "at": row["at"].astimezone(UTC).isoformat(timespec="microseconds"),
    }


@dataclass(frozen=True, slots=True)
class Chain:
    """One review's entries in order of `seq`, and the head stored in its row."""

    code: str
    head: Head
    entries: list[dict[str, Json]]


def broken_links(chain: Chain) -> list[str]:
    """The faults of a chain, one sentence each; empty when the chain is intact."""
    faults: list[str] = []
    previous = ""
    for count, row in enumerate(chain.entries, 1):
        hashed = {k: v for k, v in row.items() if k not in {"hash", "position"}}
        if row["seq"] != count:
            return [*faults, f"{chain.code}: entry {count} is missing; entry {row['seq']} follows"]
        if row["previous"] != previous or _hash(hashed) != row["hash"]:
            faults.append(f"{chain.code}: entry {count} ({row['kind']}) was altered")
        previous = str(row["hash"])
    if chain.head != Head(len(chain.entries), previous):
        faults.append(f"{chain.code}: the log ends at entry {len(chain.entries)}; its row says {chain.head.seq}")
    return faults


async def entry(tx: AsyncConnection, entry_id: UUID) -> Entry | None:
    """One entry by its id."""
    a = audit_log.c
    query = select(a.kind, a.actor, a.source, a.sentence, a.at, a.detail, a.id).where(a.id == entry_id)
    row = (await tx.execute(query)).one_or_none()
    return Entry(*row) if row else None


async def history(tx: AsyncConnection, apv_id: UUID) -> list[RowMapping]:
    """A review's entries, oldest first."""
    query = select(audit_log).where(audit_log.c.apv_id == apv_id).order_by(audit_log.c.seq)
    return list((await tx.execute(query)).mappings())


async def stream(tx: AsyncConnection) -> AsyncIterator[dict[str, Json]]:
    """Every entry in the order written, without holding them all in memory."""
    async for row in (await tx.stream(select(audit_log).order_by(audit_log.c.position))).mappings():
        yield as_json(row)


async def chains(tx: AsyncConnection) -> AsyncIterator[Chain]:
    """Every review's chain, one at a time, from one snapshot; call it first in `tx`, before any query."""
    # Without a snapshot, an entry added while we read would be missing from its chain or from its review's head.
    await tx.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    reviews = select(apv_reviews.c.id, apv_reviews.c.apv_code, apv_reviews.c.audit_seq, apv_reviews.c.audit_head)
    for review in (await tx.execute(reviews.order_by(apv_reviews.c.id))).all():
        rows = [as_json(row) for row in await history(tx, review.id)]
        yield Chain(review.apv_code, Head(review.audit_seq, review.audit_head), rows)
    changes = select(policy_in_force.c.audit_seq, policy_in_force.c.audit_head)
    if (policy := (await tx.execute(changes)).one_or_none()) is not None:
        told = select(audit_log).where(audit_log.c.apv_id.is_(None))
        rows = [as_json(row) for row in (await tx.execute(told.order_by(audit_log.c.seq))).mappings()]
        yield Chain("installation", Head(policy.audit_seq, policy.audit_head), rows)
