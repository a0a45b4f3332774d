"""Claims and snoozes. A claim is advisory: every reviewer may still decide."""

from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.events import Event, Kind
from bot.domain.people import Person
from bot.domain.refusal import Reason, Refused
from bot.domain.review import UNSTORABLE, Accepted, Outcome, Review, closed_refusal


def claim(review: Review, person: Person) -> Outcome:
    """Claim a review."""
    if refusal := closed_refusal(review):
        return refusal
    if review.claimed_by == person.key:
        return Refused(Reason.CLAIMED, f"You have already claimed {review.code}.")
    if review.claimed_by is not None:
        return Refused(Reason.CLAIMED, f"{review.claimed_by_name} has already claimed {review.code}.")
    claimed = replace(review, claimed_by=person.key, claimed_by_name=person.name)
    return Accepted(claimed, (Event(Kind.CLAIMED, f"{person.name} claimed {review.code}."),))


def unclaim(review: Review, person: Person) -> Outcome:
    """Release one's own claim."""
    if refusal := closed_refusal(review):
        return refusal
    if review.claimed_by is None:
        return Refused(Reason.NOT_CLAIMED, f"Nobody has claimed {review.code}.")
    if review.claimed_by != person.key:
        sentence = f"{review.claimed_by_name} has claimed {review.code}; /apv reassign gives it to somebody else."
        return Refused(Reason.CLAIMED, sentence)
    free = replace(review, claimed_by=None, claimed_by_name=None)
    return Accepted(free, (Event(Kind.UNCLAIMED, f"{person.name} released the claim on {review.code}."),))


def reassign(review: Review, person: Person, to: Person | Refused) -> Outcome:
    """Give the claim to somebody who may decide, whether the review was claimed or not."""
    if refusal := closed_refusal(review):
        return refusal
    if isinstance(to, Refused):
        sentence = f"{review.code} cannot be given to somebody who may not decide: {to.reason.value.replace('_', ' ')}."
        return Refused(to.reason, sentence)
    if review.claimed_by == to.key:
        return Refused(Reason.CLAIMED, f"{to.name} has already claimed {review.code}.")
    before = f", which {review.claimed_by_name} had claimed" if review.claimed_by else ""
    given = replace(review, claimed_by=to.key, claimed_by_name=to.name)
    sentence = f"{person.name} gave {review.code} to {to.name}{before}."
    return Accepted(given, (Event(Kind.REASSIGNED, sentence, tell=(to.key,)),))


REASON_MAX = 300
"""Characters of a snooze's reason, which is one line of the card."""
HOURS_MAX = 720


def snooze(review: Review, person: Person, hours: int, reason: str, now: datetime) -> Outcome:
    """Snooze a review for some hours, until before its deadline; a second snooze replaces the first."""
    if refusal := closed_refusal(review):
        return refusal
    if not reason or len(reason) > REASON_MAX or UNSTORABLE.search(reason):
        return Refused(Reason.SNOOZE, f"Say why, in 1 to {REASON_MAX} characters: /apv snooze ID 4h reason.")
    if not 1 <= hours <= HOURS_MAX:
        return Refused(Reason.SNOOZE, f"A snooze lasts 1 to {HOURS_MAX} hours.")
    until = now + timedelta(hours=hours)
    if review.due_at is not None and until >= review.due_at:
        sentence = f"{review.code} is due {review.due_at:%Y-%m-%d %H:%M} UTC: a snooze ends before the deadline."
        return Refused(Reason.SNOOZE, sentence)
    put_off = replace(review, snoozed_until=until, snooze_reason=reason)
    sentence = f"{person.name} snoozed {review.code} until {until:%Y-%m-%d %H:%M} UTC: {reason}"
    return Accepted(put_off, (Event(Kind.SNOOZED, sentence),))


def wake(review: Review, person: Person) -> Outcome:
    """End a snooze early."""
    if refusal := closed_refusal(review):
        return refusal
    if review.snoozed_until is None:
        return Refused(Reason.NOT_SNOOZED, f"{review.code} is not snoozed.")
    awake = replace(review, snoozed_until=None, snooze_reason=None)
    return Accepted(awake, (Event(Kind.WOKEN, f"{person.name} woke {review.code}."),))
