"""Who may release a claim, and to whom a review may be assigned."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain import claims, contents
from bot.domain.deadlines import Said, due
from bot.domain.decisions import Decision
from bot.domain.policy import Reminders, Rule
from bot.domain.refusal import Reason, Refused
from bot.domain.review import AWAITING, Accepted, Choice, Status
from tests.builders import ALICE, BOB, CAROL, NOW, decide, person, policy, review

STRANGER = Refused(Reason.GUEST, "Guest accounts cannot decide.")


@pytest.mark.parametrize("status", Status)
def test_a_claim_is_given_back_by_whoever_has_it(status: Status) -> None:
    """While the review is open; afterwards anybody may claim it."""
    claimed = review(status=status, claimed_by=ALICE, claimed_by_name="Alice")
    outcome = claims.unclaim(claimed, person(ALICE))
    if status not in AWAITING:
        assert isinstance(outcome, Refused)
        assert outcome.reason is Reason.CLOSED
        return
    assert isinstance(outcome, Accepted)
    assert isinstance(claims.claim(outcome.review, person(BOB)), Accepted)
    others = claims.unclaim(claimed, person(BOB))
    assert isinstance(others, Refused)
    assert others.reason is Reason.CLAIMED
    nobodys = claims.unclaim(review(status=status), person(ALICE))
    assert isinstance(nobodys, Refused)
    assert nobodys.reason is Reason.NOT_CLAIMED


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("holder", [None, ALICE, BOB, CAROL])
def test_a_claim_is_given_to_whoever_may_decide(status: Status, holder: str | None) -> None:
    """Anybody entitled may assign it, whoever holds it, but not to the holder or to a person who may not decide."""
    claimed = review(status=status, claimed_by=holder, claimed_by_name=person(holder).name if holder else None)
    outcome = claims.reassign(claimed, person(ALICE), person(BOB))
    if status not in AWAITING:
        assert isinstance(outcome, Refused)
        assert outcome.reason is Reason.CLOSED
    elif holder == BOB:
        assert isinstance(outcome, Refused)
        assert outcome.reason is Reason.CLAIMED
    else:
        assert isinstance(outcome, Accepted)
        assert (outcome.review.claimed_by, outcome.review.claimed_by_name) == (BOB, "Bob")
    assert isinstance(claims.reassign(claimed, person(ALICE), STRANGER), Refused)


@pytest.mark.parametrize(
    ("hours", "reason", "fine"),
    [(1, "x", True), (0, "x", False), (23, "x", True), (24, "x", False), (4, "", False), (4, "x" * 301, False)],
)
def test_a_snooze_ends_before_the_deadline_and_has_a_reason(hours: int, reason: str, fine: bool) -> None:
    """The deadline is a day away; a snooze without a deadline ends too."""
    outcome = claims.snooze(review(due_at=NOW + timedelta(days=1)), person(ALICE), hours, reason, NOW)
    assert isinstance(outcome, Accepted) is fine
    if isinstance(outcome, Accepted):
        assert outcome.review.snoozed_until == NOW + timedelta(hours=hours)
    assert isinstance(claims.snooze(review(due_at=None), person(ALICE), 721, "x", NOW), Refused)


def test_nobody_is_reminded_of_what_is_snoozed() -> None:
    """Not during the snooze, and not afterwards for that time; a deadline that moves before its end ends it."""
    rule = Rule(approvals=1, minutes=60, reminders=Reminders(after=60, backoff=1.0, at_most=9))
    asleep = review(due_at=NOW + timedelta(days=1), snoozed_until=NOW + timedelta(hours=3))
    during = due(asleep, rule, Said(), NOW + timedelta(hours=2))
    assert (during.remind, during.wake) == (False, False)
    after = due(asleep, rule, during.said, NOW + timedelta(hours=3))
    assert (after.remind, after.wake) == (False, True)
    moved = replace(asleep, due_at=NOW + timedelta(hours=2))
    assert due(moved, rule, Said(), NOW + timedelta(hours=2)).wake


@pytest.mark.parametrize("status", Status)
def test_a_snooze_is_for_what_awaits_a_decision(status: Status) -> None:
    """So is ending a snooze; changed content ends it too."""
    asleep = review(status=status, snoozed_until=NOW + timedelta(hours=3), snooze_reason="x")
    open_ = status in AWAITING
    assert isinstance(claims.snooze(asleep, person(ALICE), 1, "x", NOW), Accepted) is open_
    assert isinstance(claims.wake(asleep, person(ALICE)), Accepted) is open_
    assert contents.revise(asleep).review.snoozed_until is None


def test_an_escalation_ends_a_snooze() -> None:
    """A review that waits for a lead is not snoozed."""
    asleep = review(snoozed_until=NOW + timedelta(hours=3), snooze_reason="x")
    decision = Decision(choice=Choice.ESCALATE, justification="Actively exploited.")
    outcome = decide(asleep, person(ALICE), decision, policy(), opens_pulls=True, now=NOW)
    assert isinstance(outcome, Accepted)
    assert (outcome.review.snoozed_until, outcome.review.snooze_reason) == (None, None)
