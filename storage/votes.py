"""Finds people by their e-mail address or token, and the reviews on which their approvals count."""

import json
from collections.abc import Collection
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.tables import AWAITING_SQL

# "C": as `uncased` reads an address, only ASCII letters match in any case, in a database of any locale.
KEYS = """
SELECT DISTINCT reviewer_key FROM hitl_decisions
WHERE lower(reviewer_email COLLATE "C") = lower(:email COLLATE "C")
"""
KEYS_BY_NAME = "SELECT DISTINCT reviewer_key FROM hitl_decisions WHERE metadata ->> 'token' = :token"
VOTED = f"""
SELECT id FROM apv_reviews
WHERE ({AWAITING_SQL} OR status = 'approved') AND votes @> ANY(CAST(:voted AS jsonb[]))
ORDER BY created_at, apv_code
"""  # noqa: S608 - of constants


async def keys_of(tx: AsyncConnection, email: str) -> set[str]:
    """The keys under which somebody with this address decided."""
    return set((await tx.execute(text(KEYS), {"email": email})).scalars())


async def keys_of_token(tx: AsyncConnection, token: str) -> set[str]:
    """The keys under which somebody decided with this token: its owner's, or its own."""
    return set((await tx.execute(text(KEYS_BY_NAME), {"token": token})).scalars())


async def voted_by(tx: AsyncConnection, keys: Collection[str]) -> list[UUID]:
    """Open and approved reviews with an approval by any of these people, oldest first."""
    voted = [json.dumps([{"person": key}]) for key in sorted(keys)]
    return list((await tx.execute(text(VOTED), {"voted": voted})).scalars())
