"""Whose turn it is to read a review. A claim binds nobody: anyone entitled may still decide.

Pure, as `bot.domain.review` is.
"""

from dataclasses import replace

from bot.domain.access import Person
from bot.domain.events import Reassigned, Unclaimed
from bot.domain.outcome import Accepted, Outcome, Reason, Refused
from bot.domain.review import AWAITING, Review, closed_refusal


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
    return Accepted(given, (Reassigned(sentence),), sentence)
