"""Whose turn it is to read a review. A claim binds nobody: anyone entitled may still decide.

Pure, as `bot.domain.review` is.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.access import Person
from bot.domain.events import Reassigned, Snoozed, Unclaimed, Woken
from bot.domain.refusal import Accepted, Outcome, Reason, Refused
from bot.domain.review import AWAITING, UNSTORABLE, Review, closed_refusal


def unclaim(review: Review, person: Person) -> Outcome:
    """Give one's own claim back."""
    if review.status not in AWAITING:
        return closed_refusal(review)
    if review.claimed_by is None:
        return Refused(Reason.NOT_CLAIMED, f"Nobody has claimed {review.code}.")
    if review.claimed_by != person.key:
        sentence = f"{review.claimed_by_name} has claimed {review.code}; /apv reassign gives it to somebody else."
        return Refused(Reason.CLAIMED, sentence)
    sentence = f"{person.name} no longer claims {review.code}."
    free = replace(review, claimed_by=None, claimed_by_name=None)
    return Accepted(free, (Unclaimed(sentence),), sentence)


def reassign(review: Review, person: Person, to: Person | Refused) -> Outcome:
    """Give the claim, whoever has it or nobody, to somebody who may decide."""
    if review.status not in AWAITING:
        return closed_refusal(review)
    if isinstance(to, Refused):
        sentence = f"{review.code} cannot be given to somebody who may not decide: {to.reason.value.replace('_', ' ')}."
        return Refused(to.reason, sentence)
    if review.claimed_by == to.key:
        return Refused(Reason.CLAIMED, f"{to.name} has already claimed {review.code}.")
    before = f", which {review.claimed_by_name} had claimed" if review.claimed_by else ""
    sentence = f"{person.name} gave {review.code} to {to.name}{before}."
    given = replace(review, claimed_by=to.key, claimed_by_name=to.name)
    return Accepted(given, (Reassigned(sentence, (to.key,)),), sentence)


REASON_MAX = 300
"""Characters of a snooze's reason: a line of the card."""
HOURS_MAX = 720


def snooze(review: Review, person: Person, hours: int, reason: str, now: datetime) -> Outcome:
    """Put it off for some hours, for a reason, and never up to its deadline; again: until another moment."""
    if review.status not in AWAITING:
        return closed_refusal(review)
    if not reason or len(reason) > REASON_MAX or UNSTORABLE.search(reason):
        return Refused(Reason.SNOOZE, f"Say why, in 1 to {REASON_MAX} characters: /apv snooze ID 4h reason.")
    if not 1 <= hours <= HOURS_MAX:
        return Refused(Reason.SNOOZE, f"A snooze lasts 1 to {HOURS_MAX} hours.")
    until = now + timedelta(hours=hours)
    if review.due_at is not None and until >= review.due_at:
        sentence = f"{review.code} is due {review.due_at:%Y-%m-%d %H:%M} UTC: a snooze ends before the deadline."
        return Refused(Reason.SNOOZE, sentence)
    sentence = f"{person.name} snoozed {review.code} until {until:%Y-%m-%d %H:%M} UTC: {reason}"
    put_off = replace(review, snoozed_until=until, snooze_reason=reason)
    return Accepted(put_off, (Snoozed(sentence),), sentence)


def wake(review: Review, person: Person) -> Outcome:
    """End a snooze before its time."""
    if review.status not in AWAITING:
        return closed_refusal(review)
    if review.snoozed_until is None:
        return Refused(Reason.NOT_SNOOZED, f"{review.code} is not snoozed.")
    sentence = f"{person.name} woke {review.code}."
    awake = replace(review, snoozed_until=None, snooze_reason=None)
    return Accepted(awake, (Woken(sentence),), sentence)
