"""Votes and jobs belong to one version of the content, even when the same content comes back."""

import asyncio
from dataclasses import replace
from uuid import uuid4

from bot.domain.apv import Severity
from bot.domain.decisions import Decision
from bot.domain.review import Accepted, Choice, Review, Status
from bot.service import decisions as service
from bot.service import policies, pulls, queries
from bot.service.decisions import Asker, Particulars
from bot.service.gate import Gate
from bot.service.people import ApiCaller
from storage import decisions, reviews, submissions
from storage.database import Database
from tests.builders import ALICE, BOB, NOW, PATCH, WHY, apv, asker, click, gate, now_of, push, submit

FIRST = apv(severity=Severity.CRITICAL)
SECOND = replace(FIRST, cve_title="Worse than it looked")


async def back_again(opened: Gate) -> tuple[Review, Review]:
    """A critical review that Alice approved, whose content then changed and changed back: then, and now."""
    first = (await submit(opened, FIRST)).review
    await click(opened, ALICE, first)
    await submit(opened, SECOND)
    third = (await submit(opened, FIRST)).review
    assert (third.digest, third.version) == (first.digest, 3)
    return first, third


async def test_content_that_comes_back_has_no_votes(database: Database) -> None:
    """Content A, then B, then A again: nobody has approved this A."""
    opened = gate(database)
    _, again = await back_again(opened)
    assert again.votes == ()
    assert isinstance(await click(opened, BOB, again), Accepted)
    assert (await now_of(opened, again)).status is Status.PENDING


async def test_a_pull_request_names_nobody_of_an_earlier_version(database: Database) -> None:
    """Those who approved the same content before it changed are not among its approvals."""
    opened = gate(database)
    _, again = await back_again(opened)
    await click(opened, BOB, again)
    async with database.transaction() as tx:
        found = await decisions.approvals(tx, again.id, [ALICE, BOB], again.version)
    assert [approval.reviewer_name for approval in found] == ["Bob"]


async def test_a_replay_counts_nobody_of_an_earlier_version(database: Database) -> None:
    """A policy that is tried on the past sees only votes on the version in force."""
    opened = gate(database)
    _, again = await back_again(opened)
    await click(opened, BOB, again)
    (past,) = await policies.reviews_since(opened, NOW)
    assert [cast.name for cast in past.decisions] == ["Bob"]


async def test_a_repeated_request_is_judged_again_on_another_version(database: Database) -> None:
    """The record that answered it the first time is void; so is one that was withdrawn."""
    opened = gate(database)
    first = (await submit(opened, FIRST)).review
    caller = Asker(ApiCaller(None, "Ana"), "api", request={"request": "the same"})
    made = Particulars()
    await service.decide(opened, caller, first.id, Decision(choice=Choice.APPROVE, justification=WHY), made)
    found = await queries.of_body(opened, "the same")
    assert found is not None
    assert found.id == made.id
    await submit(opened, SECOND)
    await submit(opened, FIRST)
    assert await queries.of_body(opened, "the same") is None


async def test_a_withdrawn_approval_is_no_answer_to_the_same_request(database: Database) -> None:
    """It no longer stands, so the request is judged like a new one."""
    opened = gate(database)
    review = (await submit(opened, FIRST)).review
    requested = replace(asker(ALICE), request={"request": "the same"})
    await service.decide(opened, requested, review.id, Decision(choice=Choice.APPROVE))
    assert await queries.of_body(opened, "the same") is not None
    await service.withdraw(opened, asker(ALICE), review.id)
    assert await queries.of_body(opened, "the same") is None


async def test_what_is_pushed_is_what_was_locked(database: Database) -> None:
    """A push that waits for the review gets the content that stands when its turn comes, or nothing."""
    opened = gate(database)
    review = (await submit(opened)).review
    await click(opened, ALICE, review)
    other = apv(patch_diff=PATCH.replace("3.1.3", "3.1.4"))
    async with database.transaction() as holder:
        await reviews.lock(holder, review.id)
        waiting = asyncio.create_task(pulls.begin_push(opened, push(review)))
        await submissions.replace_content(holder, review.id, other, {}, version=2, due_at=review.due_at, authors=())
    assert await waiting is None, "the job is for version 1"
    assert await pulls.begin_push(opened, push(await now_of(opened, review))) is None, "nobody approved version 2"
    again = await now_of(opened, review)
    assert (again.status, again.version, again.votes) == (Status.PENDING, 3, ())


async def test_a_job_of_an_earlier_version_says_nothing_of_this_one(database: Database) -> None:
    """Neither begins it a push nor does its failure mark the review, though the content is the same again."""
    opened = gate(database)
    first = (await submit(opened)).review
    await submit(opened, apv(cve_title="Worse than it looked"))
    again = (await submit(opened)).review
    await click(opened, ALICE, again)
    assert await pulls.begin_push(opened, push(first)) is None
    await pulls.failed(opened, push(first), "The patch does not apply.", pushed=False)
    assert (await now_of(opened, again)).hold is None


async def test_a_job_of_an_earlier_release_still_opens_its_pull_request(database: Database) -> None:
    """Such a job names the digest alone."""
    opened = gate(database)
    review = (await submit(opened)).review
    await click(opened, ALICE, review)
    assert await pulls.begin_push(opened, replace(push(review), version=0, digest=uuid4().hex * 2)) is None
    assert await pulls.begin_push(opened, replace(push(review), version=0)) is not None
