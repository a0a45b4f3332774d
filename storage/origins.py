"""Finds what an automatic approval depends on: who submitted the content, and whether people objected to the APV."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, Text, Uuid, and_, any_, bindparam, or_, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.auto import Origin
from bot.domain.events import Kind
from bot.domain.review import Choice
from storage.tables import apv_reviews, audit_log, hitl_decisions

DATABASE = "database"
"""The source of rows that another program inserted: the bot does not know which."""
R, D, A = apv_reviews.c, hitl_decisions.c, audit_log.c
OBJECTION = D.decision.in_((Choice.REJECT, Choice.ESCALATE, Choice.MODIFY))
# The bot only makes the diff of what somebody else submitted.
ARRIVAL = and_(A.kind.in_((Kind.SUBMITTED, Kind.REVISED)), A.source != "bot")


async def objected(tx: AsyncConnection, identities: Sequence[str], review_ids: Sequence[UUID] = ()) -> set[str]:
    """Those of the identities with a review that a person rejected, escalated or asked to change, in any version.

    Also looks at these reviews, whose identity may have been another one before.
    """
    same = R.identity == any_(bindparam("identities", type_=ARRAY(Text)))
    query = select(R.identity).distinct().join(hitl_decisions, D.apv_id == R.id)
    query = query.where(or_(same, R.id == any_(bindparam("ids", type_=ARRAY(Uuid)))), OBJECTION)
    found = await tx.execute(query, {"identities": list(identities), "ids": list(review_ids)})
    return set(found.scalars())


async def submitter(tx: AsyncConnection, review_id: UUID) -> str | None:
    """The principal that submitted the content in force; None when it is not known."""
    query = select(A.actor, A.source).where(A.apv_id == review_id, ARRIVAL).order_by(A.seq.desc()).limit(1)
    row = (await tx.execute(query)).one_or_none()
    return _who(row.actor, row.source) if row else None


async def since(tx: AsyncConnection, moment: datetime) -> dict[UUID, Origin]:
    """The origin of every review created since then, as it was when its content arrived."""
    earlier = apv_reviews.alias("earlier")
    other = and_(D.apv_id != R.id, D.created_at <= R.created_at)
    before = or_(other, and_(D.apv_id == R.id, D.version < R.version))
    objections = select(R.id).distinct().join(earlier, earlier.c.identity == R.identity)
    objections = objections.join(hitl_decisions, D.apv_id == earlier.c.id)
    disputed = set((await tx.execute(objections.where(R.created_at >= moment, before, OBJECTION))).scalars())
    arrivals = select(A.apv_id, A.actor, A.source).ext(distinct_on(A.apv_id)).join(apv_reviews, A.apv_id == R.id)
    arrivals = arrivals.where(R.created_at >= moment, ARRIVAL).order_by(A.apv_id, A.seq.desc())
    return {
        row.apv_id: Origin(_who(row.actor, row.source), row.apv_id in disputed) for row in await tx.execute(arrivals)
    }


def _who(actor: str, source: str) -> str | None:
    return None if source == DATABASE else actor
