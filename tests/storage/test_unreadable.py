"""A review that this release cannot read stops nobody else, is logged once, shown as such, and never written."""

from datetime import timedelta
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from bot.domain.refusal import Reason, Refused
from bot.domain.review import Status
from bot.service import claims, pulls, queries, upkeep
from bot.service.gate import Gate
from bot.service.queries import Filter
from storage import reviews
from storage.database import Database
from tests.builders import ALICE, Clock, apv, asker, click, gate, log, push, rows, run, submit

DAMAGE = {
    "votes of an unknown shape": ('votes = \'{"U0ALICE": "yes"}\'', "votes"),
    "a vote without a time": ('votes = \'[{"person": "U0ALICE"}]\'', "votes"),
    "votes that are none": ("votes = '7'", "votes"),
    "due for ever": ("due_at = 'infinity'", "due_at"),
    "due before time began": ("due_at = '-infinity'", "due_at"),
    "due beyond the calendar": ("due_at = '12026-03-04'", "due_at"),
    "snoozed for ever": ("snoozed_until = 'infinity'", "snoozed_until"),
    "come before time began": ("created_at = '-infinity'", "created_at"),
    "details of another release": ("details = details || '{\"a_new_field\": 1}'", "details"),
    "a pull request of another release": ('pull = \'{"checks": "melted"}\'', "pull"),
}


@pytest.fixture(autouse=True)
def nothing_said_yet() -> None:
    reviews._say_once.cache_clear()


async def two(opened: Gate, damage: str) -> tuple[UUID, UUID]:
    """A review that cannot be read, claimed by Alice like the one beside it."""
    bad = (await submit(opened, apv(package_name="bad"))).review
    good = (await submit(opened, apv(package_name="good"))).review
    for review in (bad, good):
        await claims.claim(opened, asker(ALICE), review.id)
    await run(opened.database, f"UPDATE apv_reviews SET {damage} WHERE package_name = 'bad'")
    return bad.id, good.id


@pytest.mark.parametrize("name", DAMAGE)
async def test_every_list_shows_both(database: Database, name: str) -> None:
    """Queue, Home, the API's pages and its cursor: the other one is there, and this one says what cannot be read."""
    opened = gate(database)
    damage, column = DAMAGE[name]
    bad, good = await two(opened, damage)
    with capture_logs() as lines:
        for _ in range(2):
            for page in (
                await queries.waiting(opened, None, limit=5),
                await queries.claimed_by(opened, ALICE, limit=5),
                await queries.page(opened, Filter(), limit=5),
            ):
                assert {d.review.id: d.review.unreadable for d in page.reviews} == {bad: (column,), good: ()}
    assert [line["event"] for line in lines] == ["review.unreadable"]
    seen, after = [], None
    while (page := await queries.page(opened, Filter(), limit=1, after=after)).reviews:
        seen.append(page.reviews[0].review.id)
        after = queries.position(page.reviews[0])
    assert sorted(seen) == sorted([bad, good])


# A click reads no details: it is for the digest that the person was shown.
@pytest.mark.parametrize("name", sorted(DAMAGE.keys() - {"details of another release"}))
async def test_nobody_decides_on_it_and_nothing_is_lost(database: Database, name: str) -> None:
    """A click is refused with the reason, submitting it again changes nothing, and its row stays as it is."""
    opened = gate(database)
    bad, good = await two(opened, DAMAGE[name][0])
    query = "SELECT to_jsonb(r)::text AS row FROM apv_reviews r WHERE id = :id"
    before = await rows(database, query, id=bad)
    dossier = await queries.get(opened, bad)
    assert dossier is not None
    outcome = await click(opened, ALICE, dossier.review)
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.UNREADABLE
    await submit(opened, apv(package_name="bad", cve_title="Worse than it looked"))
    await upkeep.sweep(opened, timedelta(0))
    assert await rows(database, query, id=bad) == before
    other = await queries.get(opened, good)
    assert other is not None
    await click(opened, ALICE, other.review)
    assert (await rows(database, "SELECT status FROM apv_reviews WHERE id = :id", id=good))[0]["status"] == "approved"


@pytest.mark.parametrize("name", DAMAGE)
async def test_time_goes_on_for_the_others(database: Database, name: str) -> None:
    """Every other deadline is told, every other pull request is asked about."""
    clock = Clock()
    opened = gate(database, clock=clock)
    bad, good = await two(opened, DAMAGE[name][0])
    clock.advance(days=2)
    await upkeep.sweep(opened, None)
    other = await queries.get(opened, good)
    assert other is not None
    assert "deadline.missed" in await log(database, other.review)
    await run(database, "UPDATE apv_reviews SET status = 'pr_open', pr_number = 1")
    assert await pulls.poll(opened, timedelta(0)) == 2
    shown = await queries.get(opened, bad)
    assert shown is not None
    assert shown.review.status is Status.PR_OPEN


async def test_content_that_cannot_be_read_is_not_pushed(database: Database) -> None:
    """The job is retried and then held, where somebody sees it; the review stays as it is."""
    opened = gate(database)
    review = (await submit(opened)).review
    await click(opened, ALICE, review)
    await run(database, "UPDATE apv_reviews SET details = details || '{\"a_new_field\": 1}'")
    with pytest.raises(pulls.Unreadable):
        await pulls.begin_push(opened, push(review))
    assert (await rows(database, "SELECT pr_branch FROM apv_reviews"))[0]["pr_branch"] is None
