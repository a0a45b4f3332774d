"""Stores which policy is in force, for all replicas, and the audit chain of what belongs to no review."""

from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.audit import Entry, Head, link
from storage.tables import audit_log, policies, policy_in_force

P = policy_in_force.c


@dataclass(frozen=True, slots=True)
class InForce:
    """The policy recorded last. `broken` is the faulty file announced since. Either is empty if there is none."""

    digest: str
    broken: str
    head: Head


async def lock(tx: AsyncConnection) -> InForce:
    """Lock and read the recorded policy: a second replica waits here and then finds the change already announced."""
    await tx.execute(insert(policy_in_force).values(single=True).on_conflict_do_nothing())
    row = (await tx.execute(select(P.digest, P.broken, P.audit_seq, P.audit_head).with_for_update())).one()
    return InForce(row.digest, row.broken, Head(row.audit_seq, row.audit_head))


async def write(tx: AsyncConnection, before: InForce, *, digest: str, broken: str, entry: Entry | None) -> None:
    """Store the policy in force and the audit entry of the change."""
    head = before.head
    if entry is not None:
        head, row = link(before.head, entry, None, None)
        await tx.execute(insert(audit_log).values(**{**row, "id": entry.id, "at": entry.at}))
    values = {"digest": digest, "broken": broken, "audit_seq": head.seq, "audit_head": head.hash}
    await tx.execute(update(policy_in_force).values(**values))


async def append(tx: AsyncConnection, entry: Entry) -> None:
    """Store an audit entry that belongs to no review, in the same chain as the changes of the policy."""
    before = await lock(tx)
    await write(tx, before, digest=before.digest, broken=before.broken, entry=entry)


async def keep(tx: AsyncConnection, digest: str, content: str) -> None:
    """Store the text of a policy."""
    await tx.execute(insert(policies).values(digest=digest, content=content).on_conflict_do_nothing())


async def content(tx: AsyncConnection, digest: str) -> str | None:
    """The text of a policy that was ever in force."""
    return (await tx.execute(select(policies.c.content).where(policies.c.digest == digest))).scalar_one_or_none()


async def head(tx: AsyncConnection) -> Head | None:
    """The head of the chain of policy changes; None when there was no change yet."""
    row = (await tx.execute(select(P.audit_seq, P.audit_head))).one_or_none()
    return Head(row.audit_seq, row.audit_head) if row else None
