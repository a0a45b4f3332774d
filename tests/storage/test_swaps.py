"""Content that another program changes in the database is never decided on and never pushed."""

from dataclasses import replace

import pytest

from bot.domain.apv import digest
from bot.domain.refusal import Reason, Refused
from bot.domain.review import Accepted, Review, Status
from bot.service import pulls
from bot.service.gate import Gate
from storage.database import Database
from tests.builders import (
    ALICE,
    BOB,
    CAROL,
    PATCH,
    adopt,
    apv,
    click,
    gate,
    log,
    now_of,
    push,
    queued,
    rows,
    run,
    submit,
)  # fmt: skip

EVIL = PATCH.replace("3.1.3", "3.1.3-evil")
SWAP = f"UPDATE apv_reviews SET patch_content = '{EVIL}'"
# The whole swap of a program that knows how the digest is computed.
MATCHING = f"{SWAP}, digest = '{digest(apv(patch_diff=EVIL))}'"
TAMPERED = {
    "the patch": SWAP,
    "the patch and its digest": MATCHING,
    "the repository": "UPDATE apv_reviews SET repository = 'sample/other'",
    "the evidence": "UPDATE apv_reviews SET wargame_verdict = 'success'",
    "a detail": "UPDATE apv_reviews SET details = details || '{\"cvss_score\": 9.9}'",
    "the version": "UPDATE apv_reviews SET version = 7",
    "the authors": "UPDATE apv_reviews SET authors = '[]'",
}


async def shown_again(opened: Gate, before: Review) -> Review:
    """Check that the review is a new version without votes, that it is told, and that its record is whole."""
    after = await now_of(opened, before)
    assert (after.status, after.votes, after.pr_branch) == (Status.PENDING, (), None)
    assert after.version != before.version
    assert (await log(opened.database, before))[-1] == "review.swapped"
    assert "slack.alert" in await queued(opened.database)
    assert await pulls.begin_push(opened, push(before)) is None, "the former version is pushed never more"
    return after


@pytest.mark.parametrize("tamper", TAMPERED.values(), ids=TAMPERED)
async def test_changed_content_is_not_decided_on(database: Database, tamper: str) -> None:
    """The click is refused as stale, and what stands in the row is shown as a new version."""
    opened = gate(database)
    shown = (await submit(opened)).review
    await run(database, tamper)
    outcome = await click(opened, ALICE, shown)
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.STALE
    assert await rows(database, "SELECT * FROM hitl_decisions") == []
    again = await shown_again(opened, shown)
    assert isinstance(await click(opened, ALICE, again), Accepted), "the new version is voted on like any other"
    assert await pulls.begin_push(opened, push(await now_of(opened, again))) is not None


@pytest.mark.parametrize("tamper", TAMPERED.values(), ids=TAMPERED)
async def test_changed_content_is_not_pushed(database: Database, tamper: str) -> None:
    """Also when it changes after the approval: nothing is pushed, and people vote again."""
    opened = gate(database)
    shown = (await submit(opened)).review
    await click(opened, ALICE, shown)
    await run(database, tamper)
    now = await now_of(opened, shown)
    assert await pulls.begin_push(opened, push(now)) is None
    await shown_again(opened, now)


async def test_content_that_changes_between_two_tries_is_not_pushed(database: Database) -> None:
    """The first try began the push and its worker died; the second one reads the row again."""
    opened = gate(database)
    shown = (await submit(opened)).review
    await click(opened, ALICE, shown)
    assert await pulls.begin_push(opened, push(shown)) is not None
    assert await pulls.begin_push(opened, push(shown)) is not None, "a second try of what is as it was"
    await run(database, SWAP)
    assert await pulls.begin_push(opened, push(shown)) is None
    await shown_again(opened, shown)


FORGED = {
    "an approval without a vote": "UPDATE apv_reviews SET status = 'approved', closed_at = now()",
    "an approval with votes": """UPDATE apv_reviews SET status = 'approved', closed_at = now(), votes = '[
        {"person": "U0ALICE", "name": "Alice", "at": "2026-03-04T05:06:07+00:00", "lead_after_escalation": false}]'""",
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
async def test_a_forged_approval_pushes_nothing(database: Database, forge: str) -> None:
    """The record knows of no approval, whatever the row says."""
    opened = gate(database)
    shown = (await submit(opened)).review
    await run(database, forge)
    assert await pulls.begin_push(opened, push(await now_of(opened, shown))) is None
    await shown_again(opened, shown)


async def test_a_vote_that_nobody_gave_pushes_nothing(database: Database) -> None:
    """Nor do authors who were taken out of the row so that they could vote."""
    opened = gate(database)
    for changed in ("authors = '[]'", "votes = votes || votes || jsonb_set(votes, '{0,person}', '\"U0BOB\"')"):
        shown = (await submit(opened, apv(package_name=changed[:5]))).review
        await click(opened, ALICE, shown)
        await run(database, f"UPDATE apv_reviews SET {changed} WHERE id = '{shown.id}'")
        assert await pulls.begin_push(opened, push(await now_of(opened, shown))) is None
        await shown_again(opened, shown)


async def test_a_second_swap_is_found_too(database: Database) -> None:
    """Each content gets its own version."""
    opened = gate(database)
    shown = (await submit(opened)).review
    for n in range(3):
        await run(database, SWAP.replace("evil", f"evil{n}"))
        await click(opened, BOB, shown)
        shown = await shown_again(opened, shown)
    kept = await rows(database, "SELECT version, content ->> 'patch_diff' AS diff FROM apv_contents ORDER BY version")
    assert [(row["version"], "evil" in row["diff"]) for row in kept] == [(1, False), (2, True), (3, True), (4, True)]


async def test_a_swap_of_what_is_closed_changes_nothing_that_was_decided(database: Database) -> None:
    """A rejected review stays rejected; only the action is refused."""
    opened = gate(database)
    shown = (await submit(opened)).review
    await run(database, "UPDATE apv_reviews SET status = 'rejected'", SWAP)
    outcome = await click(opened, ALICE, shown)
    assert isinstance(outcome, Refused)
    assert (await now_of(opened, shown)).status is Status.REJECTED


BROUGHT = {
    "status": "'approved'",
    "digest": f"'{'d' * 64}'",
    "version": "3",
    "votes": """'[{"person": "U0BOB", "name": "Bob", "at": "2026-03-04T05:06:07+00:00",
        "lead_after_escalation": true}]'""",
    "escalated_by": "'U0BOB'",
    "escalated_by_name": "'Bob'",
    "escalated_at": "now()",
    "claimed_by": "'U0BOB'",
    "claimed_by_name": "'Bob'",
    "snoozed_until": "now() + interval '30 days'",
    "closed_at": "now()",
    "pr_number": "1",
    "pr_branch": "'apv/x'",
    "authors": "'[\"somebody-else\"]'",
    "hold": "'nothing_to_open'",
    "note": "'Approved elsewhere.'",
    "audit_seq": "9",
    "audit_head": "'x'",
}


async def test_a_row_starts_as_a_new_review_whatever_it_brings(database: Database) -> None:
    """Votes, approval, escalation, claim and snooze of another program count for nothing."""
    opened = gate(database)
    columns = {"apv_code": "'APV-2026-0042'", "severity": "'high'", "package_name": "'jinja2'", "reporter": f"'{BOB}'"}
    columns |= BROUGHT
    await run(database, f"INSERT INTO apv_reviews ({', '.join(columns)}) VALUES ({', '.join(columns.values())})")
    assert await adopt(opened) == 1
    (row,) = await rows(database, "SELECT id FROM apv_reviews")
    review = await now_of(opened, replace((await submit(opened)).review, id=row["id"]))
    assert (review.status, review.version, review.votes, review.authors) == (Status.PENDING, 1, (), (BOB,))
    assert (review.escalated_at, review.claimed_by, review.snoozed_until, review.closed_at) == (None,) * 4
    assert (review.pr_branch, review.pr_number, review.hold, review.note) == (None,) * 4
    assert await log(database, review) == ["review.submitted"]
    own = await click(opened, BOB, review)
    assert isinstance(own, Refused)
    assert own.reason is Reason.OWN_REPORT
    assert isinstance(await click(opened, CAROL, review), Accepted)


@pytest.mark.parametrize("table", ["audit_log", "apv_contents", "apv_bases", "policies"])
@pytest.mark.parametrize("change", ["UPDATE {} SET digest = digest", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
@pytest.mark.parametrize("role", ["origin", "replica"])
async def test_the_record_is_append_only_for_every_role(database: Database, table: str, change: str, role: str) -> None:
    """Also for a session that says it replays a replication, which skips ordinary triggers."""
    await submit(gate(database))
    await run(database, "INSERT INTO policies (digest, content) VALUES ('d', 'x')")
    column = {"audit_log": "hash", "apv_bases": "commit"}.get(table, "digest")
    statement = change.format(table).replace("digest = digest", f"{column} = {column}")
    with pytest.raises(Exception, match="append-only"):
        await run(database, f"SET LOCAL session_replication_role = '{role}'", statement)


async def test_a_row_that_loses_its_digest_is_shown_again(database: Database) -> None:
    """To the sweep it looks like another program's new row; the votes for what was shown are void, and it is told."""
    opened = gate(database)
    shown = (await submit(opened)).review
    await click(opened, ALICE, shown)
    await run(database, "UPDATE apv_reviews SET digest = NULL")
    assert await adopt(opened) == 1
    await shown_again(opened, shown)
