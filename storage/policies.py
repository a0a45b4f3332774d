"""Which policy is in force, as all replicas have written it down, and the audit chain of its changes."""

from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.audit import Entry, Head, link
from storage.tables import audit_log, policies, policy_in_force

P = policy_in_force.c


@dataclass(frozen=True, slots=True)
class InForce:
    """The policy that was recorded last; `broken` names the faulty file that was told of since, each empty if none."""

    digest: str
    broken: str
    head: Head


async def lock(tx: AsyncConnection) -> InForce:
    """What is written down, locked: the second replica to see a change waits here and then finds it told."""
    await tx.execute(insert(policy_in_force).values(single=True).on_conflict_do_nothing())
    row = (await tx.execute(select(P.digest, P.broken, P.audit_seq, P.audit_head).with_for_update())).one()
    return InForce(row.digest, row.broken, Head(row.audit_seq, row.audit_head))


async def write(tx: AsyncConnection, before: InForce, *, digest: str, broken: str, entry: Entry | None) -> None:
    """The policy in force from now on, and the entry that tells of it."""
    head = before.head
    if entry is not None:
        head, row = link(before.head, entry, None, None)
        await tx.execute(insert(audit_log).values(**{**row, "id": entry.id, "at": entry.at}))
    values = {"digest": digest, "broken": broken, "audit_seq": head.seq, "audit_head": head.hash}
    await tx.execute(update(policy_in_force).values(**values))


async def keep(tx: AsyncConnection, digest: str, content: str) -> None:
    """Keep the text of a policy."""
    await tx.execute(insert(policies).values(digest=digest, content=content).on_conflict_do_nothing())


async def content(tx: AsyncConnection, digest: str) -> str | None:
    """The text of a policy that was ever in force."""
    return (await tx.execute(select(policies.c.content).where(policies.c.digest == digest))).scalar_one_or_none()


async def head(tx: AsyncConnection) -> Head | None:
    """Where the chain of policy changes ends; None when there never was one."""
    row = (await tx.execute(select(P.audit_seq, P.audit_head))).one_or_none()
    return Head(row.audit_seq, row.audit_head) if row else None
