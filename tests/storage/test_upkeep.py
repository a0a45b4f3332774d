"""What happens without anybody asking: in which order, until when, and that nothing stops the rest."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from bot import metrics
from bot.domain.apv import Severity
from bot.domain.policy import EscalationStep, Policy, Principals, Rule
from bot.domain.review import Choice, Review, Status
from bot.service import deadlines, pulls, upkeep
from bot.service.gate import Gate
from storage.database import Database
from tests.builders import ALICE, Clock, apv, click, gate, log, miss, now_of, policy, push, rows, run, submit

ARRIVALS = 205
"""More than one page of a sweep."""
CHAIN = (EscalationStep(60, Principals(), ("leads",)),)


def strict(*, expires: int | None = None) -> Policy:
    """Every severity has an hour less than a day, a step an hour before its end, and may expire."""
    rule = Rule(approvals=1, minutes=1_440, escalation=CHAIN, expires=expires)
    return replace(policy(), rules=dict.fromkeys(Severity, rule))


async def arrive(database: Database, number: int = ARRIVALS) -> None:
    """Another program inserts rows."""
    await run(
        database,
        "INSERT INTO apv_reviews (apv_code, severity, package_name, created_at) "
        f"SELECT 'APV-2026-' || n, 'low', 'flask', '2026-03-05' FROM generate_series(100, {99 + number}) AS n",
    )


async def told(database: Database) -> list[str]:
    """The kinds of all audit entries, in the order written."""
    return [row["kind"] for row in await rows(database, "SELECT kind FROM audit_log ORDER BY position")]


@pytest.mark.long
async def test_what_is_due_is_said_before_what_is_new(database: Database) -> None:
    """However much has arrived: the escalation that is due comes first, and one sweep handles all of it."""
    clock = Clock()
    opened = gate(database, rules=strict(), clock=clock)
    review = (await submit(opened)).review
    await upkeep.sweep(opened, None)
    clock.advance(hours=23, minutes=30)
    await arrive(database)
    await upkeep.sweep(opened, None)
    kinds = await told(database)
    assert kinds.index("deadline.near") < kinds.index("review.submitted", kinds.index("review.submitted") + 1)
    assert (await log(database, review))[-1] == "deadline.near"
    left = "SELECT count(*) AS n FROM apv_reviews WHERE digest IS NULL OR clock_at IS NULL"
    assert (await rows(database, left))[0]["n"] == 0


@pytest.mark.long
async def test_new_reviews_hide_nothing_that_is_due(database: Database) -> None:
    """Reviews whose clock nobody has set yet wait behind those whose clock has struck."""
    clock = Clock()
    opened = gate(database, rules=strict(), clock=clock)
    review = (await submit(opened)).review
    await upkeep.sweep(opened, None)
    await arrive(database)
    await upkeep.handle_all(opened, *upkeep.NEW[0])
    clock.advance(hours=23, minutes=30)
    assert list(await deadlines.due(opened, [])) == [review.id]


async def test_a_row_that_fails_stops_no_other(database: Database) -> None:
    """It is passed over, logged once, and tried again by the next sweep."""
    upkeep._say_once.cache_clear()
    opened = gate(database)
    await arrive(database, 3)
    await run(database, "UPDATE apv_reviews SET details = '{\"a_new_field\": 1}' WHERE apv_code = 'APV-2026-100'")
    with capture_logs() as lines:
        for _ in range(2):
            await upkeep.sweep(opened, None)
    assert [line["event"] for line in lines if line["log_level"] != "info"] == ["review.skipped"]
    assert (await rows(database, "SELECT count(*) AS n FROM apv_reviews WHERE digest IS NOT NULL"))[0]["n"] == 2


async def test_a_duty_that_fails_stops_no_other(database: Database) -> None:
    """The counters cannot be read any more, and open pull requests are asked about all the same."""
    opened = gate(database)
    await submit(opened)
    await run(database, "UPDATE apv_reviews SET status = 'pr_open', pr_number = 1")
    await run(database, "ALTER TABLE feed_head ALTER COLUMN seq TYPE text")
    with capture_logs() as lines:
        await upkeep.sweep(opened, timedelta(0))
    assert [line["event"] for line in lines] == ["sweep.failed"]
    assert (await rows(database, "SELECT pull_polled_at IS NOT NULL AS asked FROM apv_reviews"))[0]["asked"]


async def changes_asked_for(opened: Gate, review: Review) -> None:
    await click(opened, ALICE, review, Choice.MODIFY)


async def pull_failed(opened: Gate, review: Review) -> None:
    await click(opened, ALICE, review)
    await pulls.failed(opened, push(review), "The patch does not apply.", pushed=False)


@pytest.mark.parametrize("asked", [changes_asked_for, pull_failed], ids=lambda asked: str(asked.__name__))
async def test_content_that_comes_late_has_a_deadline_of_its_own(database: Database, asked: object) -> None:
    """The time of the first one is over: the next sweep neither breaches nor expires the new content."""
    assert callable(asked)
    clock = Clock()
    opened = gate(database, rules=strict(expires=60), clock=clock)
    review = (await submit(opened)).review
    await upkeep.sweep(opened, None)
    clock.advance(hours=2)
    await asked(opened, review)
    clock.advance(days=3)
    await submit(opened, apv(cve_title="Worse than it looked"))
    await upkeep.sweep(opened, None)
    late = await now_of(opened, review)
    assert (late.status, late.due_at, late.asked_at) == (Status.PENDING, clock() + timedelta(days=1), clock())
    assert not {"deadline.missed", "deadline.near", "review.expired"} & set(await log(database, review))
    clock.advance(hours=23, minutes=30)
    await upkeep.sweep(opened, None)
    clock.advance(hours=1)
    await upkeep.sweep(opened, None)
    clock.advance(hours=1)
    await upkeep.sweep(opened, None)
    assert (await log(database, review))[-3:] == ["deadline.near", "deadline.missed", "review.expired"]


async def test_a_second_deadline_is_told_like_the_first(database: Database) -> None:
    """Told once each; the first breach does not hide the second."""
    clock = Clock()
    opened = gate(database, rules=strict(), clock=clock)
    review = (await submit(opened)).review
    clock.advance(days=1, minutes=1)
    assert await miss(opened) == 1
    await click(opened, ALICE, await now_of(opened, review), Choice.MODIFY)
    await submit(opened, apv(cve_title="Worse than it looked"))
    assert await miss(opened) == 0
    clock.advance(days=1, minutes=1)
    assert await miss(opened) == 1
    assert await miss(opened) == 0
    assert (await log(database, review)).count("deadline.missed") == 2


async def test_a_breach_is_counted_when_it_is_committed(database: Database) -> None:
    """A commit that fails leaves the counter as it was."""
    clock = Clock()
    opened = gate(database, clock=clock)
    review = (await submit(opened)).review
    clock.advance(days=2)
    counter = metrics.SLA_BREACHES.labels(Severity.HIGH)
    before = counter._value.get()
    await run(
        database,
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$",
        "CREATE CONSTRAINT TRIGGER no AFTER INSERT ON audit_log DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION no()",
    )
    with pytest.raises((DBAPIError, Exception)):
        await deadlines.miss(opened, review.id)
    assert counter._value.get() == before
    await run(database, "DROP TRIGGER no ON audit_log")
    assert await deadlines.miss(opened, review.id)
    assert counter._value.get() == before + 1
