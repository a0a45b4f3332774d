"""The audit log's entries and their chain: each entry of a review holds the hash of the one before it.

The review row holds the last hash, and is locked while an entry is added, so a chain has neither forks nor gaps.
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
    """One thing that happened. `actor` is a person's key, a reporter's name or `apv-bot`."""

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
    """Where a review's chain ends: how many entries it has and the hash of the last."""

    seq: int = 0
    hash: str = ""


def link(head: Head, entry: Entry, apv_id: UUID | None, apv_code: str | None) -> tuple[Head, dict[str, Json]]:
    """The chain's new head and the row of `audit_log` as JSON values."""
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
    """One review's entries in order of `seq`, and where its row says that they end."""

    code: str
    head: Head
    entries: list[dict[str, Json]]


def broken_links(chain: Chain) -> list[str]:
    """What is wrong with a chain, a sentence each; none when it is intact."""
    faults: list[str] = []
    previous = ""
    for count, row in enumerate(chain.entries, 1):
        hashed = {k: v for k, v in row.items() if k not in {"hash", "position"}}
        if row["seq"] != count:
            return [*faults, f"{chain.code}: entry {count} is missing; {row['seq']} stands in its place"]
        if row["previous"] != previous or _hash(hashed) != row["hash"]:
            faults.append(f"{chain.code}: entry {count} ({row['kind']}) is not as it was written")
        previous = str(row["hash"])
    if chain.head != Head(len(chain.entries), previous):
        faults.append(f"{chain.code}: the log ends at entry {len(chain.entries)}, the review at {chain.head.seq}")
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
    """Every review's chain, one review at a time, all as they were at one moment; `tx` has read nothing yet."""
    # An entry that is added while we read would else be missing from its chain, or from its review's head.
    await tx.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    reviews = select(apv_reviews.c.id, apv_reviews.c.apv_code, apv_reviews.c.audit_seq, apv_reviews.c.audit_head)
    for review in (await tx.execute(reviews.order_by(apv_reviews.c.id))).all():
        rows = [as_json(row) for row in await history(tx, review.id)]
        yield Chain(review.apv_code, Head(review.audit_seq, review.audit_head), rows)
    changes = select(policy_in_force.c.audit_seq, policy_in_force.c.audit_head)
    if (policy := (await tx.execute(changes)).one_or_none()) is not None:
        told = select(audit_log).where(audit_log.c.apv_id.is_(None), audit_log.c.kind.startswith("policy."))
        rows = [as_json(row) for row in (await tx.execute(told.order_by(audit_log.c.seq))).mappings()]
        yield Chain("policy", Head(policy.audit_seq, policy.audit_head), rows)
