"""The two database roles of docs/operations.md: one owns and migrates, the other serves and can disable nothing."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import make_url

from migrations import schema
from storage.database import Database
from storage.embedded import plain
from tests import harness
from tests.harness import CRITICAL, World, sample

MANUAL = Path("docs/operations.md").read_text("utf-8")
SQL = re.findall(r"```sql\n(.*?)```", MANUAL, re.DOTALL)


OWNER, BOT, SCANNER = "apv_owner", "apv_bot", "scanner"


@dataclass(frozen=True)
class Roles:
    """A database set up as the manual says. Roles belong to the whole server, so each test has names of its own."""

    url: str
    suffix: str

    def sql(self, text: str) -> str:
        """A statement of the manual, for these roles."""
        return re.sub(rf"\b({OWNER}|{BOT}|{SCANNER})\b", rf"\1_{self.suffix}", text)

    def url_of(self, role: str) -> str:
        made = make_url(self.url).set(username=f"{role}_{self.suffix}", password=self.suffix)
        return made.render_as_string(hide_password=False)


@pytest.fixture
async def roles(empty_database_url: str) -> AsyncIterator[Roles]:
    made = Roles(empty_database_url, uuid4().hex[:8])
    connection = await asyncpg.connect(plain(empty_database_url))
    await connection.execute(made.sql(SQL[0]))
    for role in (OWNER, BOT):
        await connection.execute(made.sql(f"ALTER ROLE {role} PASSWORD '{made.suffix}'"))
    owner = Database(made.url_of(OWNER))
    await schema.upgrade(owner.engine)
    await owner.close()
    await connection.execute(made.sql(SQL[1]))
    await connection.execute(made.sql(f"ALTER ROLE {SCANNER} PASSWORD '{made.suffix}'"))
    await connection.execute(made.sql(re.findall(r"`(GRANT .*?)`", MANUAL)[0]))
    yield made
    for role in (OWNER, BOT, SCANNER):
        await connection.execute(made.sql(f"DROP OWNED BY {role} CASCADE"))
    await connection.execute(made.sql(f"DROP ROLE {OWNER}, {BOT}, {SCANNER}"))
    await connection.close()


@pytest.fixture
async def world(roles: Roles, tmp_path: Path) -> AsyncIterator[World]:
    async with harness.world(roles.url_of(BOT), tmp_path) as made:
        yield made


async def test_the_serving_role_serves(world: World, roles: Roles) -> None:
    """Submissions, votes, a pull request and the row of another program, whose role may only insert."""
    card = await world.submit(sample(CRITICAL))
    await world.hears(card.code)
    await world.alice.approves(card)
    await world.bob.approves(card)
    await world.pull(card)
    await card.told_in_thread("Pull request #1")
    scanner = await asyncpg.connect(plain(roles.url_of(SCANNER)))
    insert = "INSERT INTO apv_reviews (apv_code, severity, package_name) VALUES ('APV-2026-9001', 'low', 'flask')"
    await scanner.execute(insert)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await scanner.execute("UPDATE apv_reviews SET status = 'approved'")
    await scanner.close()
    async with world.another_bot("worker"):
        await world.card("APV-2026-9001")
        await world.settle()
    assert await world.broken_links() == []


FORBIDDEN = (
    "ALTER TABLE audit_log DISABLE TRIGGER audit_log_append_only",
    "ALTER TABLE apv_reviews DISABLE TRIGGER USER",
    "DROP TRIGGER hitl_decisions_keep ON hitl_decisions",
    "CREATE OR REPLACE FUNCTION apv_refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "TRUNCATE audit_log",
    "SET session_replication_role = 'replica'",
    "DROP TABLE apv_contents",
)


async def test_the_serving_role_cannot_disable_a_guard(roles: Roles) -> None:
    """It owns nothing: whoever holds its password cannot rewrite the record."""
    bot = await asyncpg.connect(plain(roles.url_of(BOT)))
    for statement in FORBIDDEN:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await bot.execute(statement)
    await bot.close()
