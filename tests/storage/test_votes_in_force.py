"""Whose approvals go with a push: those in force for the content that is pushed, each with who gave it."""

from datetime import datetime

import pytest

from bot.domain.apv import Severity
from bot.domain.review import Accepted, Choice, Review
from bot.service import decisions, pulls
from bot.service.gate import Gate
from storage.database import Database
from tests.builders import ALICE, BOB, CAROL, DAVE, WHY, apv, asker, click, gate, policy, push, submit

CRITICAL = apv(severity=Severity.CRITICAL)


@pytest.fixture
def opened(database: Database) -> Gate:
    """Carol and Dave are leads."""
    return gate(database, rules=policy(reviewers=(ALICE, BOB), leads=(CAROL, DAVE)))


async def pushed(opened: Gate, review: Review) -> list[tuple[str, str | None]]:
    """Id and address of everybody whose approval goes with the push."""
    begun = await pulls.begin_push(opened, push(review))
    assert begun is not None
    assert all(approval.justification == WHY and isinstance(approval.at, datetime) for approval in begun.approvals)
    # The clock stands still, so they have no order.
    return sorted((approval.reviewer_key, approval.reviewer_email) for approval in begun.approvals)


def known(*people: str) -> list[tuple[str, str | None]]:
    return [(key, f"{key.removeprefix('U0').lower()}@example.org") for key in people]


async def approve(opened: Gate, review: Review, *people: str) -> None:
    for key in people:
        assert isinstance(await click(opened, key, review), Accepted)


async def test_the_escalators_earlier_approval_is_not_in_force(opened: Gate) -> None:
    """The two leads approved it; the one who escalated no longer does."""
    review = (await submit(opened, CRITICAL)).review
    await approve(opened, review, ALICE)
    await click(opened, ALICE, review, Choice.ESCALATE)
    await approve(opened, review, CAROL, DAVE)
    assert await pushed(opened, review) == known(CAROL, DAVE)


async def test_an_earlier_approval_of_another_is_in_force(opened: Gate) -> None:
    """It counts together with the lead's."""
    review = (await submit(opened, CRITICAL)).review
    await approve(opened, review, BOB)
    await click(opened, ALICE, review, Choice.ESCALATE)
    await approve(opened, review, CAROL)
    assert await pushed(opened, review) == known(BOB, CAROL)


async def test_a_lead_who_escalated_and_approved_after_it_is_named_once(opened: Gate) -> None:
    """By the approval after the escalation."""
    review = (await submit(opened, CRITICAL)).review
    await approve(opened, review, CAROL)
    await click(opened, CAROL, review, Choice.ESCALATE)
    await approve(opened, review, DAVE, CAROL)
    assert await pushed(opened, review) == known(CAROL, DAVE)


async def test_a_withdrawn_approval_is_not_in_force(opened: Gate) -> None:
    """Nor is one of another version of the content."""
    former = (await submit(opened, CRITICAL)).review
    await approve(opened, former, DAVE)
    review = (await submit(opened, apv(severity=Severity.CRITICAL, cve_title="Changed"))).review
    await approve(opened, review, ALICE)
    await decisions.withdraw(opened, asker(ALICE), review.id)
    await approve(opened, review, BOB, CAROL)
    assert await pushed(opened, review) == known(BOB, CAROL)
