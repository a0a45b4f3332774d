"""Replays the decisions on past reviews under another policy."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from bot.domain.apv import Apv, Json
from bot.domain.auto import UNKNOWN, Origin, approved_by_policy
from bot.domain.deadlines import due_at
from bot.domain.decisions import author_refusal, is_lead, tally
from bot.domain.people import Person, groups_of
from bot.domain.policy import Policy
from bot.domain.review import AWAITING, Choice, Review, Status, Vote

APPROVED = frozenset({Status.APPROVED, Status.PR_OPEN, Status.MERGED, Status.PR_CLOSED})


@dataclass(frozen=True, slots=True)
class Cast:
    """A recorded decision on a review's last version. `key` as in `Person`."""

    key: str
    name: str
    email: str | None
    choice: Choice
    at: datetime


@dataclass(frozen=True, slots=True)
class Past:
    """A review in its current state, and the decisions on it."""

    review: Review
    apv: Apv
    decisions: tuple[Cast, ...]
    metadata: Mapping[str, Json] = field(default_factory=dict)
    origin: Origin = UNKNOWN


class DifferenceKind(StrEnum):
    """The kinds of difference; the values are the words of the summary."""

    WAITS = "would still wait for approvals"
    APPROVED = "would be approved already"
    AUTOMATIC = "would be approved without a person"
    REFUSED = "would not have been closed by the same person"
    LATE = "would have missed their deadline"
    IN_TIME = "would have kept their deadline"
    ELSEWHERE = "would have their card in another channel"


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference for one review."""

    code: str
    kind: DifferenceKind
    sentence: str


def replay(
    past: Iterable[Past], before: Policy, after: Policy, members: Mapping[str, frozenset[str]] | None, now: datetime
) -> list[Difference]:
    """List every difference that `after` would make; `before` is the policy in force.

    `members`: the members of each user group; None if Slack does not answer: then everyone who decided counts as one.
    """
    return [difference for one in past for difference in _differences(one, before, after, members, now)]


def summary(differences: Iterable[Difference]) -> list[tuple[DifferenceKind, int]]:
    """The number of reviews per kind, in the order of `DifferenceKind`."""
    counted = Counter(difference.kind for difference in differences)
    return [(kind, counted[kind]) for kind in DifferenceKind if counted[kind]]


def _differences(
    past: Past, before: Policy, after: Policy, members: Mapping[str, frozenset[str]] | None, now: datetime
) -> Iterable[Difference]:
    review = past.review
    if found := _decision(past, after, members):
        yield Difference(review.code, *found)
    ended = review.closed_at or now
    due = due_at(review.waiting_since, after.rule_for(review), past.apv, past.metadata)
    late, was_late = (moment is not None and ended > moment for moment in (due, review.due_at))
    if review.due_at is not None and late is not was_late:
        becomes_due = f"{due:%Y-%m-%d %H:%M}" if due else "never"
        told = f"due {becomes_due} instead of {review.due_at:%Y-%m-%d %H:%M} UTC"
        yield Difference(review.code, DifferenceKind.LATE if late else DifferenceKind.IN_TIME, told)
    was, becomes = before.channel_for(review), after.channel_for(review)
    if was != becomes:
        yield Difference(review.code, DifferenceKind.ELSEWHERE, f"{becomes} instead of {was}")


def _decision(
    past: Past, after: Policy, members: Mapping[str, frozenset[str]] | None
) -> tuple[DifferenceKind, str] | None:
    review = past.review
    votes, left_out = _counted(past, after, members)
    fresh = replace(
        review, status=Status.PENDING, revision=0, votes=votes, claimed_by=None, snoozed_until=None, closed_at=None
    )
    count = tally(fresh, after)
    automatic = approved_by_policy(fresh, past.apv, after, past.origin, opens_pulls=True, now=review.created_at)
    why = "; ".join(part for part in (count.sentence, left_out, *count.because) if part)
    if review.status in APPROVED:
        by_people = any(cast.choice is Choice.APPROVE for cast in past.decisions)
        return (DifferenceKind.WAITS, why) if by_people and not count.met and automatic is None else None
    if automatic is not None:
        return DifferenceKind.AUTOMATIC, f"it is {review.status.value.replace('_', ' ')} now"
    if review.status in AWAITING | {Status.EXPIRED}:
        return (DifferenceKind.APPROVED, why) if count.met else None
    closings = {Status.REJECTED: Choice.REJECT, Status.CHANGES_REQUESTED: Choice.MODIFY}
    closed_by = [cast for cast in past.decisions if cast.choice is closings.get(review.status)]
    if closed_by and not _entitled(_person(closed_by[-1], after, members), after):
        return DifferenceKind.REFUSED, f"{closed_by[-1].name} could not decide"
    return None


def _counted(past: Past, after: Policy, members: Mapping[str, frozenset[str]] | None) -> tuple[tuple[Vote, ...], str]:
    """The approvals that would count, and why the others would not."""
    review, votes, left_out = past.review, {}, []
    for cast in past.decisions:
        if cast.choice is not Choice.APPROVE:
            continue
        person = _person(cast, after, members)
        if not _entitled(person, after):
            left_out.append(f"{cast.name} could not decide")
        elif author_refusal(review, person, after):
            left_out.append(f"{cast.name} reported it")
        elif after.frozen(review, cast.at):
            left_out.append(f"{cast.name} approved during a freeze window")
        else:
            late = review.escalated_at is not None and cast.at >= review.escalated_at
            lead = late and is_lead(review, person, after)
            votes[cast.key] = Vote(cast.key, cast.name, cast.at, lead, groups_of(person, after), human=person.human)
    return tuple(votes.values()), "; ".join(left_out)


def _person(cast: Cast, after: Policy, members: Mapping[str, frozenset[str]] | None) -> Person:
    known = members if members is not None else dict.fromkeys(after.groups, frozenset({cast.key}))
    within = frozenset(group for group, ids in known.items() if cast.key in ids)
    lead = after.leads is not None and after.leads.hold(cast.key, cast.email, within)
    # An owner's token decides under the key of the owner.
    human = not cast.key.startswith("token:")
    return Person(cast.key, cast.name, cast.email, lead, member_of=within, human=human)


def _entitled(person: Person, after: Policy) -> bool:
    # No list names a token, which decides by its scope, nor a claimed name of an API without tokens.
    return ":" in person.key or person.among(after.deciders)
