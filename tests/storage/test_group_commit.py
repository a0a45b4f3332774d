"""Simultaneous clicks share a commit, and none is refused, delayed or lost because of another."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import event, text

from bot.domain.apv import Severity
from bot.domain.review import Accepted, Repeated, Review
from bot.service import audit, decisions
from bot.service.gate import Gate
from bot.service.group_commit import MOST, Written
from storage import reviews as stored_reviews
from storage.audit import Entry
from storage.database import CommitUnknown, Database
from storage.record import Change
from storage.reviews import Locked
from tests.builders import ALICE, BOB, NOW, apv, blocked, click, gate, log, now_of, queued, rows, run, submit
from tests.conftest import run as execute


async def arrived(opened: Gate, count: int) -> list[Review]:
    """New reviews, with an empty queue."""
    made = [(await submit(opened, apv(package_name=f"package-{n}"))).review for n in range(count)]
    await run(opened.database, "DELETE FROM pgqueuer")
    return made


async def transactions(database: Database) -> int:
    """How many transactions wrote the decisions."""
    (found,) = await rows(database, "SELECT count(DISTINCT xmin::text) AS n FROM hitl_decisions")
    return int(found["n"])


async def together(opened: Gate, chosen: Sequence[Review], user: str = ALICE) -> list[object]:
    return await asyncio.gather(*[click(opened, user, review) for review in chosen])


@pytest.mark.parametrize(("severity", "trips"), [(Severity.HIGH, [2]), (Severity.CRITICAL, [2, 3])])
async def test_a_click_is_two_round_trips(database: Database, severity: Severity, trips: list[int]) -> None:
    """It reads the whole review and writes one statement. Whoever completes a quorum of others reads once more."""
    opened = gate(database)
    review = (await submit(opened, apv(severity=severity))).review
    sent: list[str] = []
    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda _c, _cursor, sql, *_: sent.append(sql))
    counted = []
    for user in (ALICE, BOB)[: len(trips)]:
        sent.clear()
        assert isinstance(await click(opened, user, review), Accepted)
        # The worker is woken behind the click.
        counted.append(sum("pg_notify" not in sql for sql in sent))
    assert counted == trips


def noting(sentence: str, locked: Locked) -> Change:
    entry = Entry("note", ALICE, "slack", sentence, NOW)
    return Change(review=locked.review, head=locked.head, entries=[entry], now=NOW, touched=False)


HANG_UP = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'"""


def meanwhile(database: Database, statement: str) -> None:
    """Another transaction does this and commits."""
    url = database.engine.url.render_as_string(hide_password=False)
    with ThreadPoolExecutor() as others:
        others.submit(asyncio.run, execute(url, statement)).result()


async def test_clicks_that_come_together_share_a_transaction(database: Database) -> None:
    """Each is recorded once with its entry and its jobs; the groups are bounded."""
    opened = gate(database)
    chosen = await arrived(opened, MOST + 8)
    results = await together(opened, chosen)
    assert all(isinstance(result, Accepted) for result in results)
    assert await transactions(database) == 2
    assert len(await rows(database, "SELECT id FROM hitl_decisions")) == len(chosen)
    for review in chosen:
        assert await log(database, review) == ["review.submitted", "review.approved"]
    assert len(await queued(database)) == 3 * len(chosen)
    assert (await audit.verify(opened)).faults == ()


async def test_two_clicks_on_one_review_see_each_other(database: Database) -> None:
    """They are never in one group: the second is judged after the first is committed."""
    opened = gate(database)
    review = (await submit(opened, apv(severity=Severity.CRITICAL))).review
    results = await asyncio.gather(click(opened, ALICE, review), click(opened, BOB, review), click(opened, BOB, review))
    assert isinstance(results[0], Accepted)
    assert isinstance(results[1], Accepted)
    assert len((await now_of(opened, review)).votes) == 2
    assert await log(database, review) == [
        "review.submitted",
        "decision.approve",
        "review.approved",
        "decision.refused",
    ]


async def test_a_locked_review_delays_no_other_click(database: Database) -> None:
    """Of two simultaneous clicks the one on the free review is recorded at once, the other when its lock is free."""
    opened = gate(database)
    held, free = await arrived(opened, 2)
    async with database.transaction() as other:
        await stored_reviews.lock(other, held.id)
        waits = asyncio.create_task(click(opened, ALICE, held))
        assert isinstance(await click(opened, ALICE, free), Accepted)
        await blocked(database, 1)
        assert not waits.done()
    assert isinstance(await waits, Accepted)


async def test_a_change_in_between_is_seen(database: Database) -> None:
    """Judging a click locks nothing; after a change in between it is judged again and written once."""
    opened = gate(database)
    (review,) = await arrived(opened, 1)
    judged: list[str | None] = []

    def rule(locked: Locked) -> Change:
        judged.append(locked.review.note)
        if len(judged) == 1:
            meanwhile(database, f"UPDATE apv_reviews SET note = 'Changed.' WHERE id = '{review.id}'")
        return noting("Kept.", locked)

    assert await opened.commits.write(review.id, rule) is Written.RECORDED
    assert judged == [None, "Changed."]
    assert (await now_of(opened, review)).note == "Changed."
    assert await log(database, review) == ["review.submitted", "note"]


async def test_a_connection_lost_while_it_is_written_leaves_it_unknown(database: Database) -> None:
    """The statement commits on its own, so the outcome is unknown; repeating the delivery finds out."""
    opened = gate(database)
    (review,) = await arrived(opened, 1)

    def rule(locked: Locked) -> Change:
        return replace(noting("Kept.", locked), delivery=b"once")

    async with database.transaction() as other:
        await other.execute(text("INSERT INTO slack_deliveries (key) VALUES ('once')"))
        writing = asyncio.create_task(opened.commits.write(review.id, rule))
        await blocked(database, 1)
        await run(database, HANG_UP)
        with pytest.raises(CommitUnknown):
            await asyncio.wait_for(writing, 30)
        await other.rollback()
    assert await log(database, review) == ["review.submitted"]
    assert await opened.commits.write(review.id, rule) is Written.RECORDED
    assert await opened.commits.write(review.id, rule) is Written.REPEATED
    assert await log(database, review) == ["review.submitted", "note"]


async def test_a_click_that_fails_fails_alone(database: Database) -> None:
    """A click that cannot be stored fails alone; the others of its group are recorded."""
    opened = gate(database)
    bad, good = await arrived(opened, 2)
    answers = await asyncio.gather(
        opened.commits.write(bad.id, lambda locked: noting("\0", locked)),
        opened.commits.write(good.id, lambda locked: noting("Kept.", locked)),
        return_exceptions=True,
    )
    assert isinstance(answers[0], Exception)
    assert answers[1] is Written.RECORDED
    assert await log(database, bad) == ["review.submitted"]
    assert await log(database, good) == ["review.submitted", "note"]


async def test_a_click_that_gave_up_records_nothing(database: Database) -> None:
    """A click that stops waiting before its review is locked is left out of the group; the others stay."""
    opened = gate(database)
    gone, stays = await arrived(opened, 2)
    given_up = asyncio.create_task(opened.commits.write(gone.id, lambda locked: noting("Gone.", locked)))
    staying = asyncio.create_task(opened.commits.write(stays.id, lambda locked: noting("Kept.", locked)))
    await asyncio.sleep(0)
    given_up.cancel()
    assert await staying is Written.RECORDED
    with pytest.raises(asyncio.CancelledError):
        await given_up
    assert await log(database, gone) == ["review.submitted"]


async def test_a_request_that_comes_twice_at_once_counts_once(database: Database) -> None:
    """In a group and alone: the second request of one delivery writes nothing."""
    opened = gate(database)
    first, second = await arrived(opened, 2)
    results = await asyncio.gather(
        *[click(opened, ALICE, review, delivery=review.code.encode()) for review in (first, first, second)]
    )
    assert [type(result) for result in results] == [Accepted, Repeated, Accepted]
    assert await log(database, first) == ["review.submitted", "review.approved"]


async def test_one_request_for_two_reviews_counts_once(database: Database) -> None:
    """Also in one group, whose statement would take both for the first: a program's key is for one decision."""
    opened = gate(database)
    busy, first, second = await arrived(opened, 3)
    key = b"a program's key"
    results = await asyncio.gather(
        click(opened, ALICE, busy), *[click(opened, ALICE, review, delivery=key) for review in (first, second)]
    )
    assert sorted(type(result).__name__ for result in results) == ["Accepted", "Accepted", "Repeated"]
    assert len(await rows(database, "SELECT id FROM hitl_decisions")) == 2


async def test_nobody_knows_a_review_that_is_not_there(database: Database) -> None:
    """It is refused, and nothing is written."""
    opened = gate(database)
    (review,) = await arrived(opened, 1)
    unknown = replace(review, id=uuid4())
    assert await click(opened, ALICE, unknown) is decisions.UNKNOWN
