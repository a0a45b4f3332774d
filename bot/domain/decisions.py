"""The rules for decisions on a review, behind every button, form and API call."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from bot.domain.events import Event, Kind
from bot.domain.people import Person, groups_of
from bot.domain.policy import Policy
from bot.domain.quorum import Tally, because, counted
from bot.domain.refusal import Reason, Refused
from bot.domain.review import (
    UNSTORABLE,
    Accepted,
    AskFirst,
    Choice,
    Hold,
    Outcome,
    Review,
    Status,
    Vote,
    closed_refusal,
)
from bot.domain.voids import voided

JUSTIFICATION_MIN, JUSTIFICATION_MAX = 10, 3000
"""Characters without outer white space (contract, section 8; 3000 is Slack's limit for an input)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One person's decision on the content with this digest (None: the current content)."""

    choice: Choice
    justification: str = ""
    category: str = ""
    """The reason picked from the list in Slack's modal, in words."""
    digest: str | None = None
    version: int | None = None
    """The version that was shown: the same content may have come back as a later one. None: not known."""
    any_length: bool = False
    """True for the API's older request body, whose comment may have any length."""


def is_lead(review: Review, person: Person, policy: Policy) -> bool:
    """Whether they may close this review's escalation; without leads, every person except the one who escalated.

    A machine may only where the policy names it as a lead.
    """
    return person.lead if policy.leads is not None else person.human and person.key != review.escalated_by


def in_force(review: Review) -> tuple[Vote, ...]:
    """The approvals that count: after an escalation, all but the one that the escalator gave before it."""
    if review.escalated_at is None:
        return review.votes
    return tuple(v for v in review.votes if v.lead_after_escalation or v.person != review.escalated_by)


def tally(review: Review, policy: Policy, now: datetime | None = None) -> Tally:
    """Count the valid approvals. While escalated, the escalator's earlier one does not count, and a lead's is needed.

    Machines count only beyond the people needed. With `now`, the tally also says whether the policy freezes approvals
    at that time.
    """
    needs, votes = policy.needs(review), in_force(review)
    if not needs.machines:
        votes = tuple(v for v in votes if v.human)
    lead_missing = review.escalated_at is not None and not any(v.lead_after_escalation for v in votes)
    people, machines = ({v.person for v in votes if v.human is human} for human in (True, False))
    stands_for = {name for v in votes for name in v.groups}
    missing = tuple(clause for clause in needs.groups if stands_for.isdisjoint(clause))
    frozen = policy.frozen_words(review, now) if now else None
    return Tally(
        have=len(people) + min(len(machines), needs.machines),
        needed=needs.approvals,
        lead_missing=lead_missing,
        missing=missing,
        frozen=frozen,
        people=len(people),
        humans=needs.humans,
        because=tuple(because(held) for held in needs.held if held.more),
        stricter=policy.severity_words(review),
    )


Voters: TypeAlias = Callable[[Vote], Person | Refused | None]
"""Returns who an earlier voter is now, or why they may no longer decide; None: the service must ask Slack first."""


def decide(
    review: Review,
    person: Person,
    decision: Decision,
    policy: Policy,
    *,
    opens_pulls: bool,
    now: datetime,
    voters: Voters,
) -> Outcome | AskFirst:
    """Apply one person's decision. `opens_pulls`: whether an approved patch can become a pull request here."""
    refusal = consider(review, person, decision, policy, now=now) or _justification_refusal(review, decision, policy)
    if refusal:
        return refusal
    match decision.choice:
        case Choice.APPROVE:
            return _approve(review, person, policy, opens_pulls=opens_pulls, now=now, voters=voters)
        case Choice.REJECT:
            closed = replace(review, status=Status.REJECTED, closed_at=now)
            rejected = Event(Kind.REJECTED, f"{person.name} rejected {review.code}: {_because(decision)}")
            return Accepted(closed, (rejected,))
        case Choice.MODIFY:
            closed = replace(review, status=Status.CHANGES_REQUESTED, closed_at=now)
            sentence = f"{person.name} asked for changes to {review.code}: {_because(decision)}"
            return Accepted(closed, (Event(Kind.CHANGES_REQUESTED, sentence),))
        case Choice.ESCALATE:
            sentence = f"{person.name} escalated {review.code}: {_because(decision)}"
            raised = replace(
                review,
                status=Status.ESCALATED,
                escalated_by=person.key,
                escalated_by_name=person.name,
                escalated_at=now,
                snoozed_until=None,
                snooze_reason=None,
            )
            return Accepted(raised, (Event(Kind.ESCALATED, sentence, alarm=True),))


def consider(review: Review, person: Person, decision: Decision, policy: Policy, *, now: datetime) -> Refused | None:
    """Why they cannot decide so now, apart from their justification; None when they can."""
    if refusal := closed_refusal(review):
        return refusal
    if decision.digest not in {None, review.digest} or decision.version not in {None, review.version}:
        sentence = (
            f"{review.code} changed after this was shown (now version {review.version}). Read it and decide again."
        )
        return Refused(Reason.STALE, sentence)
    if review.status is Status.ESCALATED:
        if decision.choice is Choice.ESCALATE:
            already = f"{review.code} was already escalated by {review.escalated_by_name}."
            return Refused(Reason.ALREADY_ESCALATED, already)
        if not is_lead(review, person, policy):
            return Refused(Reason.NOT_A_LEAD, f"{review.code} is escalated: only a lead can close it now.")
    return _approval_refusal(review, person, policy, now) if decision.choice is Choice.APPROVE else None


def swapped_refusal(review: Review) -> Refused:
    """Why nobody can act on content that another program changed in the database."""
    sentence = (
        f"Another program changed the content of {review.code} in the database, so nothing was recorded. "
        "It is shown again as a new version; read it and decide again."
    )
    return Refused(Reason.STALE, sentence)


def justification_fault(text: str) -> str | None:
    """What is wrong with a justification, as a sentence; None when nothing is."""
    if UNSTORABLE.search(text):
        return "The justification contains a character that cannot be stored: NUL, or half of a surrogate pair."
    length = len(text.strip())
    if JUSTIFICATION_MIN <= length <= JUSTIFICATION_MAX:
        return None
    return f"The justification needs {JUSTIFICATION_MIN} to {JUSTIFICATION_MAX} characters; this one has {length}."


def withdraw(review: Review, person: Person, policy: Policy) -> Outcome:
    """Withdraw one's own approval of an open review; the same person may vote again."""
    if refusal := closed_refusal(review):
        return refusal
    left = replace(review, votes=tuple(v for v in review.votes if v.person != person.key))
    if left == review:
        return Refused(Reason.NOT_VOTED, f"You have no approval of {review.code} to withdraw.")
    sentence = f"{person.name} withdrew their approval of {review.code}: {tally(left, policy).sentence}."
    return Accepted(left, (Event(Kind.VOTE_WITHDRAWN, sentence),))


def approved(review: Review, sentence: str, *, opens_pulls: bool, now: datetime) -> Accepted:
    """Approve the review: a pull request follows, or the note says why none can."""
    if review.has_patch and opens_pulls:
        hold, note = None, None
        sentence += " The pull request is being opened."
    else:
        hold, note = Hold.NOTHING_TO_OPEN, _nothing_to_open(review)
        sentence += f" {note}"
    closed = replace(review, status=Status.APPROVED, closed_at=now, hold=hold, note=note)
    return Accepted(closed, (Event(Kind.APPROVED, sentence),))


def _approve(
    review: Review, person: Person, policy: Policy, *, opens_pulls: bool, now: datetime, voters: Voters
) -> Accepted | AskFirst:
    escalated = review.status is Status.ESCALATED
    vote = Vote(person.key, person.name, now, escalated, groups_of(person, policy), human=person.human)
    others = tuple(v for v in review.votes if v.person != person.key)
    voted = replace(review, votes=(*others, vote))
    events: tuple[Event, ...] = ()
    count = tally(voted, policy)
    if count.met and others:
        # Earlier voters may have left since they voted.
        known = {v.person: voters(v) for v in others}
        if unknown := tuple(v for v in others if known[v.person] is None):
            return AskFirst(unknown)
        voted, events = _still_entitled(voted, known, policy)
        count = tally(voted, policy)
    sentence = f"{person.name} approved {review.code}: {count.sentence}."
    if not count.met:
        return Accepted(voted, (*events, Event(Kind.APPROVAL_RECORDED, sentence)))
    closed = approved(voted, sentence, opens_pulls=opens_pulls, now=now)
    return replace(closed, events=(*events, *closed.events))


def _still_entitled(
    review: Review, known: Mapping[str, Person | Refused | None], policy: Policy
) -> tuple[Review, tuple[Event, ...]]:
    """The review with only the votes of people who may still vote, each for the groups that they belong to now."""
    kept, void = [], []
    for vote in review.votes:
        voter = known.get(vote.person)
        if isinstance(voter, Refused) or (voter and author_refusal(review, voter, policy)):
            void.append(vote)
        else:
            kept.append(replace(vote, groups=groups_of(voter, policy), human=voter.human) if voter else vote)
    left = replace(review, votes=tuple(kept))
    return left, (voided(left, void, "they may no longer decide"),) if void else ()


def reopen(
    review: Review, person: Person, why: str, policy: Policy, *, now: datetime, due_at: datetime | None
) -> Outcome:
    """Open a rejected review for new votes, as a lead asks: earlier approvals are void, the deadline starts again."""
    if review.status is not Status.REJECTED:
        return Refused(Reason.NOT_REJECTED, f"{review.code} is not rejected, so there is nothing to reopen.")
    if not is_lead(review, person, policy):
        return Refused(Reason.NOT_A_LEAD, f"Only a lead can reopen {review.code}.")
    if fault := justification_fault(why):
        return Refused(Reason.JUSTIFICATION, f"{fault} Say why: /apv reopen ID reason.")
    again = replace(
        review,
        status=Status.PENDING,
        votes=(),
        closed_at=None,
        asked_at=now,
        due_at=due_at,
        escalated_by=None,
        escalated_by_name=None,
        escalated_at=None,
        note=None,
    )
    sentence = f"{person.name} reopened {review.code}: {why.strip()}"
    return Accepted(again, (Event(Kind.REOPENED, sentence, tell=tuple(v.person for v in review.votes)),))


def _nothing_to_open(review: Review) -> str:
    if review.has_patch:
        return "GitHub is not set up here, so there is no pull request to open."
    return "It has no patch, so there is no pull request to open."


def _approval_refusal(review: Review, person: Person, policy: Policy, now: datetime) -> Refused | None:
    if refusal := author_refusal(review, person, policy):
        return refusal
    if _voted(review, person, policy):
        sentence = f"Your approval of {review.code} is already recorded: {tally(review, policy).sentence}."
        return Refused(Reason.ALREADY_VOTED, sentence)
    if refusal := _machine_refusal(review, person, policy):
        return refusal
    if frozen := policy.frozen_words(review, now):
        return Refused(Reason.FROZEN, f"{frozen} {review.code} can be rejected and escalated meanwhile.")
    return None


def author_refusal(review: Review, person: Person, policy: Policy) -> Refused | None:
    """Why an author, or the owner of one, cannot approve; None for everybody else."""
    if person.wrote(review.written_by):
        what = "reported" if review.reporter and person.wrote((review.reporter,)) else "submitted"
        return Refused(Reason.OWN_REPORT, f"You {what} {review.code}, so somebody else must approve it.")
    for name in review.written_by:
        if person.may_be_among(policy.owners_of((name,))):
            sentence = f"{name} proposed {review.code} and is your account, so somebody else must approve it."
            return Refused(Reason.OWN_MACHINE, sentence)
    return None


def _machine_refusal(review: Review, person: Person, policy: Policy) -> Refused | None:
    """Why a machine's approval would not count; None where it would, and for people."""
    if person.human:
        return None
    needs = policy.needs(review)
    if len({v.person for v in review.votes if not v.human} - {person.key}) < needs.machines:
        return None
    people = counted(needs.humans)
    if not needs.machines:
        sentence = (
            f"{review.code} must be approved by {people}, and this token has no owner, so its approval does not count."
        )
        return Refused(Reason.MACHINE, sentence)
    most = f"At most {needs.machines} of the {needs.approvals} approvals of {review.code} may be a machine's."
    sentence = f"{most} {people.capitalize()} must approve it too." if needs.humans else most
    return Refused(Reason.MACHINE, sentence)


def _voted(review: Review, person: Person, policy: Policy) -> bool:
    escalated = review.status is Status.ESCALATED
    # A lead who approved before the escalation votes again: the escalation asks for a vote given after it.
    voted = any(v.person == person.key and (v.lead_after_escalation or not escalated) for v in review.votes)
    # So does a member of a missing group, and a voter whose review now meets the quorum: the policy has changed since
    # they voted, or git has read the patch.
    if not voted:
        return False
    stands_for, count = groups_of(person, policy), tally(review, policy)
    return not count.met and all(set(clause).isdisjoint(stands_for) for clause in count.missing)


def _justification_refusal(review: Review, decision: Decision, policy: Policy) -> Refused | None:
    if decision.choice is Choice.APPROVE and not policy.needs(review).justification:
        return None
    if not decision.any_length:
        fault = justification_fault(decision.justification)
        return Refused(Reason.JUSTIFICATION, fault) if fault else None
    if decision.choice is Choice.APPROVE and not decision.justification.strip():
        sentence = f"The policy requires a justification to approve {review.code}; none was given."
        return Refused(Reason.JUSTIFICATION, sentence)
    return None


def _because(decision: Decision) -> str:
    text = decision.justification.strip() or "no reason was given"
    return f"{decision.category}. {text}" if decision.category else text
