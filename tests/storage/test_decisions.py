"""Decisions on a real database: exactly once, however many people click at once, repeat or are refused."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import pytest

from bot.domain.apv import Apv, Severity
from bot.domain.decisions import Decision
from bot.domain.people import DirectoryUnavailable
from bot.domain.pull import Pull
from bot.domain.refusal import Reason, Refused
from bot.domain.review import Accepted, Choice, Outcome, Repeated, Review, Status
from bot.jobs import OpenPull, SyncCard
from bot.service import audit, claims, pulls
from bot.service import decisions as service
from bot.service.gate import Gate
from storage import jobs, record
from storage import reviews as stored_reviews
from storage.audit import Entry
from storage.database import CommitUnknown, Database
from tests.builders import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    NOW,
    WHY,
    Clock,
    Workspace,
    apv,
    asker,
    blocked,
    click,
    everything,
    gate,
    log,
    miss,
    now_of,
    policy,
    profile,
    push,
    queued,
    rows,
    run,
    submit,
)

CRITICAL = apv(severity=Severity.CRITICAL)
PULL = Pull(
    number=12, url="https://github.example/sample/shop/pull/12", branch="apv/APV-2026-0001-d1d1d1d1",
    head_sha="0" * 40, files=1, insertions=1, deletions=1, state="open", base="main",
    approved_head="0" * 40,
)  # fmt: skip


async def arrived(opened: Gate, reported: Apv | None = None) -> Review:
    """A new review, with an empty queue."""
    review = (await submit(opened, reported)).review
    await run(opened.database, "DELETE FROM pgqueuer")
    return review


def reasons(results: Sequence[Outcome | Repeated]) -> Counter[str]:
    return Counter(r.reason.value if isinstance(r, Refused) else type(r).__name__ for r in results)


async def decisions(database: Database) -> list[tuple[str, str, str | None]]:
    found = await rows(database, "SELECT * FROM hitl_decisions ORDER BY created_at, reviewer_key")
    return [(row["reviewer_key"], row["decision"], row["action_taken"]) for row in found]


async def test_two_approvals_at_one_instant_make_one_transition(database: Database) -> None:
    """Each sees the other's vote: one is the first of two, the other opens the pull request."""
    opened = gate(database)
    review = await arrived(opened, CRITICAL)
    async with database.transaction() as tx:
        await stored_reviews.lock(tx, review.id)
        clicks = [asyncio.create_task(click(opened, user, review)) for user in (ALICE, BOB)]
        await blocked(database, 2)
    results = await asyncio.gather(*clicks)
    assert reasons(results) == {"Accepted": 2}
    assert (await now_of(opened, review)).status is Status.APPROVED
    assert await log(database, review) == ["review.submitted", "decision.approve", "review.approved"]
    assert (await queued(database)).count("github.pull") == 1


async def test_a_crowd_that_clicks_three_times_each_is_counted_right(database: Database) -> None:
    """Of eighteen clicks at once two count, all are in the log, and one pull request is asked for."""
    crowd = [f"U0CROWD{n}" for n in range(6)]
    people = Workspace(people={user: profile(user) for user in crowd})
    opened = gate(database, rules=policy(reviewers=tuple(crowd)), people=people)
    review = await arrived(opened, CRITICAL)
    results = await asyncio.gather(*[click(opened, user, review) for user in crowd * 3])
    counted = reasons(results)
    assert counted["Accepted"] == 2
    assert counted["closed"] + counted["already_voted"] == 16
    assert len({key for key, _, _ in await decisions(database)}) == len(await decisions(database)) == 2
    assert Counter(await log(database, review)) == {
        "review.submitted": 1, "decision.approve": 1, "review.approved": 1, "decision.refused": 16,
    }  # fmt: skip
    assert (await queued(database)).count("github.pull") == 1
    assert (await audit.verify(opened)).faults == ()


async def test_approval_and_rejection_at_one_instant(database: Database) -> None:
    """One of them closes the review, and the other is told that it is closed."""
    opened = gate(database)
    review = await arrived(opened)
    results = await asyncio.gather(click(opened, ALICE, review), click(opened, BOB, review, Choice.REJECT))
    assert reasons(results) == {"Accepted": 1, "closed": 1}
    assert len(await decisions(database)) == 1


async def test_two_who_claim_at_one_instant(database: Database) -> None:
    """One gets it, and the other is told who has it."""
    opened = gate(database)
    review = await arrived(opened)
    asked = [claims.claim(opened, asker(user), review.id) for user in (ALICE, BOB)]
    results = await asyncio.gather(*asked)
    assert reasons(results) == {"Accepted": 1, "claimed": 1}
    assert (await now_of(opened, review)).claimed_by in {ALICE, BOB}
    assert await decisions(database) == []


@pytest.mark.parametrize("choice", Choice)
async def test_the_same_delivery_again_has_no_effect(database: Database, choice: Choice) -> None:
    """Slack repeats a request when the answer is late; the repetition writes nothing."""
    opened = gate(database)
    review = await arrived(opened, CRITICAL)
    assert isinstance(await click(opened, ALICE, review, choice, delivery=b"v0=1"), Accepted)
    before = await everything(database)
    assert await click(opened, ALICE, review, choice, delivery=b"v0=1") == Repeated()
    assert await everything(database) == before


async def test_the_same_delivery_twice_at_once_has_one_effect(database: Database) -> None:
    """Whichever of the two is first."""
    opened = gate(database)
    review = await arrived(opened, CRITICAL)
    results = await asyncio.gather(*[click(opened, ALICE, review, delivery=b"v0=1") for _ in range(8)])
    assert reasons(results) == {"Accepted": 1, "Repeated": 7}
    assert await decisions(database) == [(ALICE, "approve", None)]
    assert await log(database, review) == ["review.submitted", "decision.approve"]


async def test_a_refusal_delivered_twice_is_logged_once(database: Database) -> None:
    """The log records requests, not their repetitions."""
    opened = gate(database)
    review = await arrived(opened)
    for _ in range(2):
        await click(opened, DAVE, review, delivery=b"v0=1")
    assert (await log(database, review)).count("decision.refused") == 1


async def test_a_refused_click_leaves_an_audit_entry_and_nothing_else(database: Database) -> None:
    """The reason is in the log; card, votes, decisions and queue are unchanged."""
    opened = gate(database)
    review = await arrived(opened)
    before = await everything(database)
    assert reasons([await click(opened, DAVE, review)]) == {"not_a_reviewer": 1}
    after = await everything(database)
    changed = {table for table in after if after[table] != before[table]}
    assert changed == {"audit_log", "apv_reviews"}
    chain_moved_on = "SELECT to_jsonb(r) - 'audit_seq' - 'audit_head' AS row FROM apv_reviews r"
    assert (await rows(database, chain_moved_on))[0]["row"]["revision"] == review.revision
    assert await now_of(opened, review) == review
    entry = (await rows(database, "SELECT * FROM audit_log ORDER BY seq DESC LIMIT 1"))[0]
    assert (entry["kind"], entry["actor"], entry["source"]) == ("decision.refused", DAVE, "slack")
    assert entry["detail"] == {"reason": "not_a_reviewer", "asked": "approve"}
    assert entry["sentence"] == "You are not on the list of reviewers, so no decision was recorded."


async def test_nothing_is_recorded_while_slack_does_not_answer(database: Database) -> None:
    """Fail closed: not even a refusal."""
    people = Workspace()
    opened = gate(database, people=people)
    review = await arrived(opened)
    before = await everything(database)
    people.away = True
    with pytest.raises(DirectoryUnavailable):
        await click(opened, ALICE, review)
    assert await everything(database) == before


async def test_a_click_that_cannot_lock_in_time_records_nothing(database: Database) -> None:
    """The click gives up on a locked row before Slack's three seconds are over."""
    opened = replace(gate(database), patience=0.1)
    review = await arrived(opened)
    async with database.transaction() as other:
        await stored_reviews.lock(other, review.id)
        # On a slow machine the time is up before the click comes to wait for the lock.
        with pytest.raises((TimeoutError, CommitUnknown)):
            await click(opened, ALICE, review)
        await opened.commits.close()
    assert await decisions(database) == []
    assert isinstance(await click(gate(database), ALICE, review), Accepted)


class Broken(Exception):
    pass


async def test_a_rolled_back_decision_leaves_no_trace(database: Database) -> None:
    """State, audit and jobs share one transaction: all of them or none."""
    opened = gate(database)
    review = await arrived(opened)
    before = await everything(database)
    with pytest.raises(Broken):
        async with database.transaction() as tx:
            locked = await stored_reviews.lock(tx, review.id)
            assert locked is not None
            entry = Entry("review.approved", ALICE, "slack", "Alice approved.", NOW)
            change = record.Change(
                review=replace(review, status=Status.APPROVED), head=locked.head, entries=[entry], now=NOW,
                touched=True, jobs=[SyncCard(review.id, 2), OpenPull(review.id, review.digest)], delivery=b"v0=1",
            )  # fmt: skip
            assert await record.record(tx, [change]) == {review.id: True}
            raise Broken
    assert await everything(database) == before


async def test_a_job_queued_first_is_rolled_back_too(database: Database) -> None:
    """The database layer begins a transaction lazily: the first statement must be inside it."""
    review = await arrived(gate(database))
    with pytest.raises(Broken):
        async with database.transaction() as tx:
            await jobs.enqueue(tx, [(SyncCard(review.id, 9), Severity.HIGH)])
            raise Broken
    assert await queued(database) == []


async def test_votes_of_an_old_digest_are_void(database: Database) -> None:
    """After one approval the content changes: both approvals are needed again, and a click on the old card is stale."""
    opened = gate(database)
    review = await arrived(opened, CRITICAL)
    await click(opened, ALICE, review)
    await submit(opened, replace(CRITICAL, cve_title="Worse than it looked"))
    changed = await now_of(opened, review)
    assert (changed.version, changed.votes, changed.status) == (2, (), Status.PENDING)
    assert reasons([await click(opened, BOB, review)]) == {"stale": 1}
    await click(opened, BOB, changed)
    assert (await now_of(opened, review)).status is Status.PENDING
    await click(opened, ALICE, changed)
    assert (await now_of(opened, review)).status is Status.APPROVED
    notes = await rows(database, "SELECT action_taken, outcome_notes FROM hitl_decisions ORDER BY version, created_at")
    assert notes[0] == {
        "action_taken": "recorded", "outcome_notes": "Void: the content changed before this took effect.",
    }  # fmt: skip


async def test_a_decision_is_kept_with_all_that_it_rests_on(database: Database) -> None:
    """Who, when, what, for which content and why; a decision from Slack has the name from Slack."""
    clock = Clock()
    opened = gate(database, clock=clock)
    review = await arrived(opened)
    clock.advance(minutes=5)
    decision = Decision(choice=Choice.REJECT, category="Wrong fix", justification=f"  {WHY}\n", digest=review.digest)
    await service.decide(opened, asker(BOB), review.id, decision)
    (row,) = await rows(database, "SELECT * FROM hitl_decisions")
    assert {name: row[name] for name in row if name != "id"} == {
        "apv_id": review.id,
        "apv_code": review.code,
        "decision": "reject",
        "reviewer_key": BOB,
        "reviewer_name": "Bob",
        "reviewer_email": "bob@example.org",
        "reviewer_verified": True,
        "source": "slack",
        "comments": WHY,
        "confidence_override": None,
        "action_taken": "recorded",
        "action_completed_at": clock(),
        "outcome_notes": None,
        "modifications": None,
        "metadata": {"category": "Wrong fix"},
        "digest": review.digest,
        "version": 1,
        "created_at": clock(),
        "closing": True,
        "withdrawn_at": None,
    }


async def test_a_review_is_read_as_it_was_written(database: Database) -> None:
    """Votes, claim and escalation are read back unchanged."""
    opened = gate(database, rules=policy(leads=(CAROL,)))
    review = await arrived(opened, CRITICAL)
    await claims.claim(opened, asker(ALICE), review.id)
    await click(opened, ALICE, review)
    await click(opened, BOB, review, Choice.ESCALATE)
    outcome = await click(opened, CAROL, review)
    assert isinstance(outcome, Accepted)
    assert await now_of(opened, review) == replace(outcome.review, revision=5)
    assert outcome.review.status is Status.APPROVED


async def actions(database: Database) -> list[str | None]:
    return [action for _, _, action in await decisions(database)]


async def test_the_outcome_of_an_approval(database: Database) -> None:
    """Under way until the pull request exists; then every approval of this review shows it."""
    opened = gate(database)
    review = await arrived(opened, CRITICAL)
    await click(opened, ALICE, review)
    await click(opened, BOB, review)
    assert await actions(database) == [None, None]
    await pulls.opened(opened, review.id, PULL)
    assert await actions(database) == ["pr_opened", "pr_opened"]
    now = await now_of(opened, review)
    assert (now.status, now.pr_number, now.pr_url, now.pr_branch) == (
        Status.PR_OPEN, PULL.number, PULL.url, PULL.branch,
    )  # fmt: skip


ENDS = [(Choice.REJECT, "recorded", "recorded"), (Choice.MODIFY, "recorded", "changes_requested")]


@pytest.mark.parametrize(("choice", "earlier", "own"), ENDS)
async def test_the_outcome_of_an_overruled_approval(database: Database, choice: Choice, earlier: str, own: str) -> None:
    """It does not stay under way."""
    opened = gate(database)
    review = await arrived(opened, CRITICAL)
    await click(opened, ALICE, review)
    await click(opened, BOB, review, choice)
    assert await actions(database) == [earlier, own]


async def test_the_outcome_of_an_approval_without_a_patch(database: Database) -> None:
    """Both approvals are recorded, no GitHub job is queued, and the review says why."""
    opened = gate(database)
    review = await arrived(opened, replace(CRITICAL, patch_diff=None))
    await click(opened, ALICE, review)
    await click(opened, BOB, review)
    assert await actions(database) == ["recorded", "recorded"]
    assert "github.pull" not in await queued(database)
    assert (await now_of(opened, review)).note == "It has no patch, so there is no pull request to open."


async def test_an_escalation_settles_no_approval(database: Database) -> None:
    """Alice's still counts, so it is still under way."""
    opened = gate(database)
    review = await arrived(opened, CRITICAL)
    await click(opened, ALICE, review)
    await click(opened, BOB, review, Choice.ESCALATE)
    assert await decisions(database) == [(ALICE, "approve", None), (BOB, "escalate", "escalated")]


async def test_a_pull_request_that_is_found_twice_changes_nothing(database: Database) -> None:
    """The job may run again after it died."""
    opened = gate(database)
    review = await arrived(opened)
    await click(opened, ALICE, review)
    await pulls.opened(opened, review.id, PULL)
    before = await everything(database)
    await pulls.opened(opened, review.id, PULL)
    await pulls.failed(opened, push(review), "too late", pushed=True)
    assert await everything(database) == before


async def test_a_pull_request_that_failed_and_then_came_about(database: Database) -> None:
    """The review stays approved and says why; after a retry the decision shows the pull request."""
    opened = gate(database)
    review = await arrived(opened)
    await click(opened, ALICE, review)
    await pulls.failed(opened, push(review), "The patch does not apply.", pushed=False)
    failed = await now_of(opened, review)
    assert (failed.status, failed.note) == (Status.APPROVED, "The patch does not apply.")
    assert await actions(database) == ["failed"]
    assert (await queued(database)).count("slack.alert") == 1
    await pulls.opened(opened, review.id, PULL)
    assert (await now_of(opened, review)).note is None
    assert await actions(database) == ["pr_opened"]


async def test_a_failure_of_old_content_leaves_the_new_alone(database: Database) -> None:
    """A job that ran while the content changed is no longer about this review."""
    opened = gate(database)
    review = await arrived(opened)
    await click(opened, ALICE, review)
    await submit(opened, apv(cve_title="Changed"))
    before = await everything(database)
    await pulls.failed(opened, push(review), "The patch does not apply.", pushed=False)
    assert not await pulls.begin_push(opened, push(review))
    assert await everything(database) == before


async def test_an_unknown_review_is_refused(database: Database) -> None:
    """The button of a message that the bot did not post."""
    opened = gate(database)
    nowhere = replace(await arrived(opened), id=UUID(int=404))
    before = await everything(database)
    assert await click(opened, ALICE, nowhere) == Refused(
        Reason.UNKNOWN_REVIEW, "This review is gone: the database was replaced since this card was posted."
    )
    assert await everything(database) == before


async def test_the_submitter_is_the_reporter_by_default(database: Database) -> None:
    """Without a reporter the submitting principal is the reporter, and may not approve."""
    opened = gate(database)
    review = (await submit(opened, by="Alice@Example.org")).review
    assert reasons([await click(opened, ALICE, review)]) == {"own_report": 1}
    assert reasons([await click(opened, BOB, review)]) == {"Accepted": 1}


async def test_opening_the_justification_modal_changes_nothing(database: Database) -> None:
    """Only the request is recorded, so that it opens one modal; a refusal is logged like any other."""
    opened = gate(database)
    review = await arrived(opened)
    decision = Decision(choice=Choice.REJECT, digest=review.digest)
    before = await everything(database)

    async def ask(user: str, delivery: bytes) -> Outcome | Repeated:
        return await service.consider(opened, asker(user, delivery), review.id, decision)

    assert isinstance(await ask(ALICE, b"v0=1"), Accepted)
    after = await everything(database)
    assert {table for table in after if after[table] != before[table]} == {"slack_deliveries"}
    assert await ask(ALICE, b"v0=1") == Repeated()
    assert reasons([await ask(DAVE, b"v0=2")]) == {"not_a_reviewer": 1}
    assert (await log(database, review))[-1] == "decision.refused"


async def test_a_missed_deadline_is_announced_once(database: Database) -> None:
    """Even with two sweepers at once there is one entry, one alert and one reply, and no repetition."""
    clock = Clock()
    opened = gate(database, clock=clock)
    review = await arrived(opened)
    assert review.due_at is not None
    clock.at = review.due_at
    assert await miss(opened) == 0
    clock.advance(seconds=1)
    told = await asyncio.gather(*[miss(opened) for _ in range(4)])
    assert sum(told) == 1
    assert await miss(opened) == 0
    assert await log(database, review) == ["review.submitted", "deadline.missed"]
    assert await queued(database) == ["slack.card", "slack.reply", "slack.alert"]
    assert isinstance(await click(opened, ALICE, review), Accepted), "late is better than never"


async def test_a_decided_review_misses_no_deadline(database: Database) -> None:
    """Only what awaits a decision can be late."""
    clock = Clock()
    opened = gate(database, clock=clock)
    review = await arrived(opened)
    await click(opened, ALICE, review)
    clock.advance(days=400)
    assert await miss(opened) == 0


async def test_the_due_at_column_is_the_deadline(database: Database) -> None:
    """Changing the column by hand moves the deadline."""
    opened = gate(database)
    review = await arrived(opened)
    await run(database, "UPDATE apv_reviews SET due_at = created_at - interval '1 minute'")
    assert await miss(opened) == 1
    assert (await log(database, review))[-1] == "deadline.missed"
