"""Nobody can rewrite the audit log and the decisions, and a change that gets round the guard is found."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest

from bot.domain.review import Choice, Review
from bot.service import audit as service
from bot.service import jobs, pulls
from bot.service.gate import Gate
from storage import audit, embedded
from storage.database import Database
from tests.builders import ALICE, BOB, DAVE, apv, click, everything, gate, log, push, rows, submit


@pytest.fixture
async def superuser(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A person at a terminal with every right."""
    connection = await asyncpg.connect(embedded.plain(database_url))
    assert await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    yield connection
    await connection.close()


async def decided(opened: Gate, name: str = "jinja2") -> Review:
    """A review with a refusal and an approval in its log."""
    review = (await submit(opened, apv(package_name=name))).review
    await click(opened, DAVE, review)
    await click(opened, ALICE, review)
    return review


AUDIT_REFUSED = [
    ("UPDATE audit_log SET sentence = 'Nothing happened.'", "UPDATE"),
    ("UPDATE audit_log SET sentence = sentence WHERE false", "UPDATE"),
    ("DELETE FROM audit_log", "DELETE"),
    ("DELETE FROM audit_log WHERE false", "DELETE"),
    ("TRUNCATE audit_log", "TRUNCATE"),
    ("TRUNCATE audit_log CASCADE", "TRUNCATE"),
    (
        "INSERT INTO audit_log (id, at, kind, actor, source, sentence, hash) SELECT id, at, kind, actor, source, "
        "'Nothing happened.', hash FROM audit_log ON CONFLICT (id) DO UPDATE SET sentence = excluded.sentence",
        "UPDATE",
    ),
    (
        "MERGE INTO audit_log a USING (SELECT 1) one ON true WHEN MATCHED THEN UPDATE SET sentence = 'Nothing.'",
        "UPDATE",
    ),
]


@pytest.mark.parametrize(("statement", "operation"), AUDIT_REFUSED, ids=[s[:40] for s, _ in AUDIT_REFUSED])
async def test_the_audit_log_only_grows(
    database: Database, superuser: asyncpg.Connection, statement: str, operation: str
) -> None:
    """For every role, also a superuser, and for every kind of statement."""
    await decided(gate(database))
    before = await everything(database)
    with pytest.raises(asyncpg.RestrictViolationError, match=f"^audit_log is append-only: {operation} is refused$"):
        await superuser.execute(statement)
    assert await everything(database) == before


@pytest.mark.parametrize("statement", ["DELETE FROM hitl_decisions", "TRUNCATE hitl_decisions"])
async def test_decisions_are_kept(database: Database, superuser: asyncpg.Connection, statement: str) -> None:
    """No decision can be deleted."""
    await decided(gate(database))
    operation = statement.partition(" ")[0]
    with pytest.raises(asyncpg.RestrictViolationError, match=f"^hitl_decisions is append-only: {operation} is refused"):
        await superuser.execute(statement)
    assert len(await rows(database, "SELECT 1 FROM hitl_decisions")) == 1


MAY_CHANGE = {
    "action_taken": "'failed'",
    "outcome_notes": "'Not reached.'",
    "action_completed_at": "now()",
}


@pytest.mark.parametrize("column", MAY_CHANGE)
async def test_the_outcome_of_a_decision_may_be_added(
    database: Database, superuser: asyncpg.Connection, column: str
) -> None:
    """These three columns and no others."""
    await decided(gate(database))
    assert await superuser.execute(f"UPDATE hitl_decisions SET {column} = {MAY_CHANGE[column]}") == "UPDATE 1"


OTHER = {
    "uuid": "gen_random_uuid()",
    "text": "'approve' || ''",
    "jsonb": "'{\"changed\": true}'",
    "double precision": "0.123",
    "integer": "99",
    "boolean": "false",
    "timestamp with time zone": "'2000-01-01'",
}


async def test_nothing_else_of_a_decision_changes(database: Database, superuser: asyncpg.Connection) -> None:
    """Every existing column, so a new one is guarded at once."""
    opened = gate(database)
    review = (await submit(opened)).review
    await click(opened, ALICE, review, Choice.REJECT)
    before = await everything(database)
    columns = await superuser.fetch(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'hitl_decisions'"
    )
    guarded = [(c["column_name"], c["data_type"]) for c in columns if c["column_name"] not in MAY_CHANGE]
    assert len(guarded) >= 16
    for name, kind in guarded:
        with pytest.raises(asyncpg.RestrictViolationError, match="only action_taken, outcome_notes"):
            await superuser.execute(f"UPDATE hitl_decisions SET {name} = {OTHER[kind]}")
        with pytest.raises(asyncpg.RestrictViolationError, match="only action_taken, outcome_notes"):
            await superuser.execute(f"UPDATE hitl_decisions SET {name} = {OTHER[kind]}, action_taken = 'failed'")
    assert await everything(database) == before


@pytest.mark.parametrize("statement", ["DELETE FROM apv_reviews", "TRUNCATE apv_reviews"])
async def test_a_review_with_a_history_cannot_be_deleted(
    database: Database, superuser: asyncpg.Connection, statement: str
) -> None:
    """Its decisions and its log refer to it."""
    await decided(gate(database))
    with pytest.raises((asyncpg.IntegrityConstraintViolationError, asyncpg.FeatureNotSupportedError)):
        await superuser.execute(statement)
    assert len(await rows(database, "SELECT 1 FROM apv_reviews")) == 1


async def test_nothing_cascades_the_history_away(database: Database, superuser: asyncpg.Connection) -> None:
    """Not even with CASCADE."""
    await decided(gate(database))
    before = await everything(database)
    with pytest.raises(asyncpg.RestrictViolationError, match="append-only: TRUNCATE is refused"):
        await superuser.execute("TRUNCATE apv_reviews CASCADE")
    assert await everything(database) == before


async def test_an_intact_log_verifies(database: Database) -> None:
    """With submissions, refusals, decisions and outcomes in it."""
    opened = gate(database)
    review = await decided(opened)
    await pulls.failed(opened, push(review), 'Odd “text” — ü \\ " \n 🐍', pushed=False)
    await jobs.record_held(opened, review.id, "slack.reply", "Slack is away.")
    await decided(opened, "other")
    verdict = await service.verify(opened)
    assert verdict == service.Verdict(entries=8, reviews=2, faults=())


async def test_an_empty_log_verifies(database: Database) -> None:
    """There is nothing that could be wrong."""
    assert await service.verify(gate(database)) == service.Verdict(0, 0, ())


async def tampered(superuser: asyncpg.Connection, *statements: str) -> None:
    """What a person with the right to alter tables can do: guard off, rows changed, guard on again."""
    await superuser.execute("ALTER TABLE audit_log DISABLE TRIGGER audit_log_append_only")
    for statement in statements:
        await superuser.execute(statement)
    await superuser.execute("ALTER TABLE audit_log ENABLE TRIGGER audit_log_append_only")


SECOND = "WHERE seq = 2 AND apv_code = 'APV-2026-0001'"
CHANGED = [
    f"UPDATE audit_log SET sentence = 'Nothing happened.' {SECOND}",
    f"UPDATE audit_log SET actor = 'U0BOB' {SECOND}",
    f"UPDATE audit_log SET at = at + interval '1 microsecond' {SECOND}",
    f"UPDATE audit_log SET detail = detail || '{{\"more\": 1}}' {SECOND}",
    f"UPDATE audit_log SET kind = 'decision.approve' {SECOND}",
    f"UPDATE audit_log SET source = 'api' {SECOND}",
    f"UPDATE audit_log SET id = gen_random_uuid() {SECOND}",
    f"UPDATE audit_log SET apv_code = 'APV-2026-0002' {SECOND}",
]


@pytest.mark.parametrize("statement", CHANGED, ids=[s[21:40] for s in CHANGED])
async def test_a_changed_entry_is_found(database: Database, superuser: asyncpg.Connection, statement: str) -> None:
    """For each column, with the number of the entry."""
    opened = gate(database)
    await decided(opened)
    await decided(opened, "other")
    await tampered(superuser, statement)
    faults = (await service.verify(opened)).faults
    kind = "decision.approve" if "kind" in statement else "decision.refused"
    assert faults == (f"APV-2026-0001: entry 2 ({kind}) was altered",)


async def test_a_changed_entry_with_a_hash_that_fits_is_found(
    database: Database, superuser: asyncpg.Connection
) -> None:
    """The next entry holds the hash of the original."""
    opened = gate(database)
    review = await decided(opened)
    async with database.transaction() as tx:
        second = audit.as_json((await audit.history(tx, review.id))[1])
    at = await superuser.fetchval("SELECT at FROM audit_log WHERE seq = 2")
    entry = audit.Entry("decision.refused", "U0BOB", "slack", "Another story.", at)
    _, forged = audit.link(audit.Head(1, str(second["previous"])), entry, review.id, review.code)
    await superuser.execute("ALTER TABLE audit_log DISABLE TRIGGER audit_log_append_only")
    await superuser.execute(
        "UPDATE audit_log SET id = $1, actor = 'U0BOB', sentence = 'Another story.', detail = '{}', hash = $2 "
        "WHERE seq = 2",
        UUID(str(forged["id"])),
        forged["hash"],
    )
    assert (await service.verify(opened)).faults == ("APV-2026-0001: entry 3 (review.approved) was altered",)


async def test_a_removed_entry_is_found(database: Database, superuser: asyncpg.Connection) -> None:
    """From the middle: the next entry has the wrong number."""
    opened = gate(database)
    await decided(opened)
    await tampered(superuser, f"DELETE FROM audit_log {SECOND}")
    (fault, *_) = (await service.verify(opened)).faults
    assert fault == "APV-2026-0001: entry 2 is missing; entry 3 follows"


async def test_a_removed_last_entry_is_found(database: Database, superuser: asyncpg.Connection) -> None:
    """The review's row knows where its log ends."""
    opened = gate(database)
    await decided(opened)
    await tampered(superuser, "DELETE FROM audit_log WHERE seq = 3")
    assert (await service.verify(opened)).faults == ("APV-2026-0001: the log ends at entry 2; its row says 3",)


async def test_a_whole_history_that_was_removed_is_found(database: Database, superuser: asyncpg.Connection) -> None:
    """An empty log is not taken for a review without history."""
    opened = gate(database)
    await decided(opened)
    await tampered(superuser, "DELETE FROM audit_log")
    assert (await service.verify(opened)).faults == ("APV-2026-0001: the log ends at entry 0; its row says 3",)


@pytest.mark.parametrize("seq", ["4", "NULL", "2"])
async def test_an_entry_that_was_put_in_is_found(database: Database, superuser: asyncpg.Connection, seq: str) -> None:
    """The guard allows inserts, but the entry does not fit the chain."""
    opened = gate(database)
    await decided(opened)
    await superuser.execute(
        "INSERT INTO audit_log (id, at, apv_id, apv_code, seq, kind, actor, source, sentence, previous, hash) "
        f"SELECT gen_random_uuid(), at, apv_id, apv_code, {seq}, kind, actor, source, sentence, hash, hash "
        "FROM audit_log WHERE seq = 3"
    )
    assert (await service.verify(opened)).faults


async def test_checking_while_people_decide_finds_no_fault(database: Database) -> None:
    """The log is read as of one moment, however long that takes."""
    opened = gate(database)
    for name in ("one", "two", "three"):
        await submit(opened, apv(package_name=name))
    faults: list[str] = []
    async with database.transaction() as tx:
        async for chain in audit.chains(tx):
            for review in await rows(database, "SELECT id FROM apv_reviews"):
                await jobs.record_held(opened, review["id"], "slack.card", "Slack is away.")
            faults += audit.broken_links(chain)
    assert faults == []


async def test_entries_made_at_once_make_one_chain(database: Database) -> None:
    """The row is locked while one is added: no forks, no gaps."""
    opened = gate(database)
    review = (await submit(opened)).review
    await asyncio.gather(*[click(opened, DAVE, review) for _ in range(12)], click(opened, BOB, review))
    assert len(await log(database, review)) == 14
    assert (await service.verify(opened)).faults == ()


async def test_the_log_is_read_out_in_the_order_written(database: Database) -> None:
    """Every entry of every review, each with its code."""
    opened = gate(database)
    await decided(opened)
    await decided(opened, "other")
    read = [entry async for entry in service.export(opened)]
    assert [(e["apv_code"], e["kind"]) for e in read] == [
        (code, kind)
        for code in ("APV-2026-0001", "APV-2026-0002")
        for kind in ("review.submitted", "decision.refused", "review.approved")
    ]
    assert [e["position"] for e in read] == sorted(int(str(e["position"])) for e in read)
