"""The bot's own diff of a version bump is content like any other: votes for earlier content do not count for it."""

from dataclasses import replace

import pytest

from bot.domain.apv import Apv, PatchStrategy
from bot.domain.contents import DRAFTING_NOTE
from bot.domain.refusal import Reason, Refused
from bot.domain.review import Accepted, Choice, Review, Status
from bot.jobs import MakeBump
from bot.service import bumps
from storage.database import Database
from tests.builders import ALICE, BOB, PATCH, adopt, apv, click, everything, gate, log, now_of, queued, rows, submit

DRAFT = (PATCH, "apv-bot made this diff: jinja2 3.1.3 in requirements.txt.")
BARE = replace(apv(), patch_diff=None, patch_description="Raise it.")


def bump(of: Review) -> MakeBump:
    """The job that makes a review's diff."""
    return MakeBump(of.id, of.digest, of.version)


async def test_a_bump_without_a_diff_asks_for_one(database: Database) -> None:
    """One job, queued before the card's; the card says that the diff is being made."""
    opened = gate(database)
    review = (await submit(opened, BARE)).review
    assert await queued(database) == ["slack.card", "github.bump"]
    assert review.note == DRAFTING_NOTE
    jobs = await rows(database, "SELECT entrypoint FROM pgqueuer ORDER BY priority DESC")
    assert [job["entrypoint"] for job in jobs] == ["github.bump", "slack.card"]


@pytest.mark.parametrize(
    "reported",
    [apv(), replace(BARE, fixed_version=None), replace(BARE, patch_strategy=PatchStrategy.MANUAL)],
    ids=["with a diff", "without a fixed version", "manual"],
)
async def test_nothing_is_made_unasked(database: Database, reported: Apv) -> None:
    """A diff that is there, no version to go to, or a person's work: no job."""
    await submit(gate(database), reported)
    assert await queued(database) == ["slack.card", *(["github.base"] if reported.has_patch else [])]


async def test_without_github_nothing_is_announced(database: Database) -> None:
    """Where no pull request can be opened, no diff is looked for."""
    review = (await submit(gate(database, opens_pulls=False), BARE)).review
    assert (await queued(database), review.note) == (["slack.card"], None)


async def test_the_diff_is_a_new_version_under_its_own_digest(database: Database) -> None:
    """Digest and version change, the report's description stays below the bot's, and the diff waits for a decision."""
    opened = gate(database)
    before = (await submit(opened, BARE)).review
    await bumps.record_diff(opened, bump(before), *DRAFT)
    review = await now_of(opened, before)
    assert (review.status, review.version, review.has_patch, review.note) == (Status.PENDING, 2, True, None)
    assert review.digest != before.digest
    (row,) = await rows(database, "SELECT details ->> 'patch_description' AS told, drafted_from FROM apv_reviews")
    assert row == {"told": f"{DRAFT[1]}\nRaise it.", "drafted_from": before.digest}
    assert await log(database, review) == ["review.submitted", "review.revised"]


async def test_making_the_diff_twice_changes_nothing(database: Database) -> None:
    """A job that died after its commit and runs again changes nothing."""
    opened = gate(database)
    review = (await submit(opened, BARE)).review
    await bumps.record_diff(opened, bump(review), *DRAFT)
    settled = await everything(database)
    await bumps.record_diff(opened, bump(review), *DRAFT)
    await bumps.record_no_diff(opened, bump(review), "late")
    assert await everything(database) == settled
    assert await bumps.wanted(opened, bump(review)) is None


async def test_an_approval_without_the_diff_is_none_of_the_diff(database: Database) -> None:
    """An approval given before the diff existed opens nothing and is void."""
    opened = gate(database)
    before = (await submit(opened, BARE)).review
    assert isinstance(await click(opened, ALICE, before), Accepted)
    assert (await now_of(opened, before)).status is Status.APPROVED
    await bumps.record_diff(opened, bump(before), *DRAFT)
    review = await now_of(opened, before)
    assert (review.status, review.votes) == (Status.PENDING, ())
    stale = await click(opened, BOB, before)
    assert isinstance(stale, Refused)
    assert stale.reason is Reason.STALE
    assert "github.pull" not in await queued(database)
    assert isinstance(await click(opened, BOB, review), Accepted)
    assert "github.pull" in await queued(database)


@pytest.mark.parametrize("choice", [Choice.REJECT, Choice.MODIFY])
async def test_a_decision_against_it_is_not_undone(database: Database, choice: Choice) -> None:
    """A review rejected while the diff was being made stays rejected; one that waits for changes takes the diff."""
    opened = gate(database)
    review = (await submit(opened, BARE)).review
    await click(opened, ALICE, review, choice)
    await bumps.record_diff(opened, bump(review), *DRAFT)
    status = (await now_of(opened, review)).status
    assert status is (Status.REJECTED if choice is Choice.REJECT else Status.PENDING)


async def test_the_same_report_again_changes_nothing(database: Database) -> None:
    """The report without a diff is recognised although the review now has the bot's diff; other content is not."""
    opened = gate(database)
    review = (await submit(opened, BARE)).review
    await bumps.record_diff(opened, bump(review), *DRAFT)
    settled = await everything(database)
    again = await submit(opened, BARE)
    assert (again.review.version, again.apv.patch_diff) == (2, PATCH)
    assert await everything(database) == settled
    changed = (await submit(opened, replace(BARE, patch_description="Raise it now."))).review
    assert (changed.version, changed.has_patch, changed.note) == (3, False, DRAFTING_NOTE)
    assert (await submit(opened, BARE)).review.version == 4


async def test_changed_content_takes_the_old_job_back(database: Database) -> None:
    """One diff is made at a time, for the content in force."""
    opened = gate(database)
    review = (await submit(opened, BARE)).review
    await submit(opened, replace(BARE, patch_description="Raise it now."))
    assert (await queued(database)).count("github.bump") == 1
    assert await bumps.wanted(opened, bump(review)) is None


async def test_the_card_says_why_there_is_none(database: Database) -> None:
    """The reason stands on the card and in the audit log; decided meanwhile, the card is left alone."""
    opened = gate(database)
    review = (await submit(opened, BARE)).review
    await bumps.record_no_diff(opened, bump(review), "requirements.txt pins jinja2 with hashes")
    told = await now_of(opened, review)
    assert told.note == "No diff could be made for this version bump: requirements.txt pins jinja2 with hashes."
    assert (told.version, told.digest) == (1, review.digest)
    assert await log(database, review) == ["review.submitted", "bump.not_made"]
    assert isinstance(await click(opened, ALICE, told), Accepted)
    assert (await now_of(opened, review)).status is Status.APPROVED


async def test_a_row_of_another_program_gets_its_diff_too(database: Database) -> None:
    """What another program inserts is taken in like any report."""
    opened = gate(database)
    await rows(database, """INSERT INTO apv_reviews (apv_code, severity, package_name, package_ecosystem, details)
        VALUES ('APV-2026-0099', 'high', 'jinja2', 'PyPI', '{"fixed_version": "3.1.3"}') RETURNING 1""")  # fmt: skip
    await rows(database, "UPDATE apv_reviews SET patch_strategy = 'version_bump' RETURNING 1")
    await adopt(opened)
    assert "github.bump" in await queued(database)
