"""A review and its state machine: what may happen to it, by whom, and what follows.

Pure: every function takes the review as locked and returns an Outcome; nothing here reads a clock or a database.
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from bot.domain.access import Person, groups_of
from bot.domain.apv import Apv, Severity
from bot.domain.events import (
    ApprovalRecorded,
    Approved,
    BumpNotMade,
    ChangesRequested,
    Claimed,
    Escalated,
    Rejected,
    Revised,
    VoteWithdrawn,
)
from bot.domain.policy import Policy
from bot.domain.pull import PullState
from bot.domain.quorum import Tally
from bot.domain.refusal import Accepted, Outcome, Reason, Refused

JUSTIFICATION_MIN, JUSTIFICATION_MAX = 10, 3000
"""Characters without outer white space (contract, section 8; 3000 is Slack's limit for an input)."""

UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""Characters that Slack's JSON can hold and PostgreSQL's text cannot."""


class Status(StrEnum):
    """Where a review stands."""

    PENDING = "pending"
    ESCALATED = "escalated"
    APPROVED = "approved"
    PR_OPEN = "pr_open"
    MERGED = "merged"
    PR_CLOSED = "pr_closed"
    REJECTED = "rejected"
    CHANGES_REQUESTED = "changes_requested"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


AWAITING = frozenset({Status.PENDING, Status.ESCALATED})
"""The statuses in which a decision is awaited."""


class Choice(StrEnum):
    """What a person may decide."""

    APPROVE = "approve"
    REJECT = "reject"
    MODIFY = "modify"
    ESCALATE = "escalate"


class Action(StrEnum):
    """What followed from a decision; the values of `action_taken`."""

    PR_OPENED = "pr_opened"
    PR_MERGED = "pr_merged"
    PR_CLOSED = "pr_closed"
    CHANGES_REQUESTED = "changes_requested"
    ESCALATED = "escalated"
    RECORDED = "recorded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Vote:
    """One approval in force, given for the digest in force."""

    person: str
    name: str
    at: datetime
    lead_after_escalation: bool = False
    """Cast by a lead while the review was escalated."""
    groups: tuple[str, ...] = ()
    """The policy's groups for which it stands, as they were when it was cast."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """The thing with a state. `digest` is of the content in force, 64 hex digits; `version` counts contents from 1."""

    id: UUID
    code: str
    status: Status
    version: int
    revision: int
    """Counts changes of any kind: a card rendered from a lower revision is out of date."""
    digest: str
    severity: Severity
    has_patch: bool
    created_at: datetime
    package_name: str = ""
    package_ecosystem: str = ""
    repository: str = ""
    reporter: str | None = None
    due_at: datetime | None = None
    votes: tuple[Vote, ...] = ()
    escalated_by: str | None = None
    escalated_by_name: str | None = None
    escalated_at: datetime | None = None
    claimed_by: str | None = None
    claimed_by_name: str | None = None
    snoozed_until: datetime | None = None
    snooze_reason: str | None = None
    closed_at: datetime | None = None
    pr_number: int | None = None
    pr_url: str | None = None
    pr_branch: str | None = None
    pull: PullState | None = None
    """What GitHub showed of the pull request last."""
    follows: bool = False
    """An earlier review of the same APV exists, and may have a pull request."""
    note: str | None = None
    """What the state does not say: why a pull request failed, or why there is nothing to open."""


@dataclass(frozen=True, slots=True)
class Dossier:
    """All that a card shows: what was reported and where its review stands."""

    apv: Apv
    review: Review


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one person decides, for the content whose digest they were shown (None: whatever is in force)."""

    choice: Choice
    justification: str = ""
    category: str = ""
    """The reason picked from the list in Slack's modal, in words."""
    digest: str | None = None
    checked_length: bool = True
    """False for the older API body, whose comment may have any length."""


def is_lead(review: Review, person: Person, policy: Policy) -> bool:
    """Whether they may close this review's escalation; without LEADS, every reviewer but the one who escalated."""
    return person.lead if policy.leads is not None else person.key != review.escalated_by


def tally(review: Review, policy: Policy, now: datetime | None = None) -> Tally:
    """The approvals in force; while escalated the escalator's earlier one does not count and a lead's is needed.

    `now`: says too whether the policy has frozen approvals at this time.
    """
    votes = review.votes
    lead_missing = False
    if review.escalated_at is not None:
        votes = tuple(v for v in votes if v.lead_after_escalation or v.person != review.escalated_by)
        lead_missing = not any(v.lead_after_escalation for v in votes)
    distinct = {v.person for v in votes}
    stands_for = {name for v in votes for name in v.groups}
    missing = tuple(clause for clause in policy.groups_for(review) if stands_for.isdisjoint(clause))
    frozen = policy.frozen_words(review, now) if now else None
    return Tally(len(distinct), policy.rules[review.severity].approvals, lead_missing, missing, frozen)


def decide(
    review: Review, person: Person, decision: Decision, policy: Policy, *, opens_pulls: bool, now: datetime
) -> Outcome:
    """Apply one person's decision. `opens_pulls`: whether an approved patch can become a pull request here."""
    if refusal := _refusal(review, person, decision, policy, now):
        return refusal
    match decision.choice:
        case Choice.APPROVE:
            return _approve(review, person, policy, opens_pulls=opens_pulls, now=now)
        case Choice.REJECT:
            sentence = f"{person.name} rejected {review.code}: {_because(decision)}"
            closed = replace(review, status=Status.REJECTED, closed_at=now)
            return Accepted(closed, (Rejected(sentence),), sentence)
        case Choice.MODIFY:
            sentence = f"{person.name} asked for changes to {review.code}: {_because(decision)}"
            closed = replace(review, status=Status.CHANGES_REQUESTED, closed_at=now)
            return Accepted(closed, (ChangesRequested(sentence),), sentence)
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
            return Accepted(raised, (Escalated(sentence),), sentence)


def consider(review: Review, person: Person, decision: Decision, policy: Policy, *, now: datetime) -> Outcome:
    """Whether they could decide so now, before they are asked why; changes nothing."""
    refusal = _refusal(review, person, replace(decision, checked_length=False), policy, now)
    return refusal or Accepted(review, (), "")


def justification_fault(text: str) -> str | None:
    """What is wrong with a justification, as a sentence; None when nothing is."""
    if UNSTORABLE.search(text):
        return "The justification holds a character that cannot be stored: NUL, or half of a surrogate pair."
    length = len(text.strip())
    if JUSTIFICATION_MIN <= length <= JUSTIFICATION_MAX:
        return None
    return f"The justification needs {JUSTIFICATION_MIN} to {JUSTIFICATION_MAX} characters; this one has {length}."


def _approve(review: Review, person: Person, policy: Policy, *, opens_pulls: bool, now: datetime) -> Accepted:
    vote = Vote(person.key, person.name, now, review.status is Status.ESCALATED, groups_of(person, policy))
    others = tuple(v for v in review.votes if v.person != person.key)
    voted = replace(review, votes=(*others, vote))
    count = tally(voted, policy)
    if not count.met:
        sentence = f"{person.name} approved {review.code}: {count.sentence}."
        return Accepted(voted, (ApprovalRecorded(sentence),), sentence)
    opens = review.has_patch and opens_pulls
    note = None if opens else nothing_to_open(review)
    follows = "The pull request is being opened." if opens else note
    sentence = f"{person.name} approved {review.code}: {count.sentence}. {follows}"
    approved = replace(voted, status=Status.APPROVED, closed_at=now, note=note)
    return Accepted(approved, (Approved(sentence, opens_pull=opens),), sentence)


def nothing_to_open(review: Review) -> str:
    """Why an approval is only recorded."""
    if review.has_patch:
        return "GitHub is not set up here, so there is no pull request to open."
    return "It has no patch, so there is no pull request to open."


def _refusal(review: Review, person: Person, decision: Decision, policy: Policy, now: datetime) -> Refused | None:
    if review.status not in AWAITING:
        return closed_refusal(review)
    if decision.digest is not None and decision.digest != review.digest:
        return Refused(
            Reason.STALE,
            f"{review.code} changed after this was shown (now version {review.version}). "
            "Please read it again and decide anew.",
        )
    if review.status is Status.ESCALATED:
        if decision.choice is Choice.ESCALATE:
            return Refused(
                Reason.ALREADY_ESCALATED,
                f"{review.code} was already escalated by {review.escalated_by_name}.",
            )
        if not is_lead(review, person, policy):
            return Refused(Reason.NOT_A_LEAD, f"{review.code} is escalated: only a lead can close it now.")
    if decision.choice is Choice.APPROVE and (refusal := _approval_refusal(review, person, policy, now)):
        return refusal
    return _justification_refusal(decision, policy.rules[review.severity].justification)


def _approval_refusal(review: Review, person: Person, policy: Policy, now: datetime) -> Refused | None:
    if person.reported(review.reporter):
        return Refused(Reason.OWN_REPORT, f"You reported {review.code}, so somebody else must approve it.")
    if person.may_be_among(policy.owners_of(review.reporter)):
        sentence = (
            f"{review.reporter} proposed {review.code} and is an account of yours, so somebody else must approve it."
        )
        return Refused(Reason.OWN_MACHINE, sentence)
    if _voted(review, person, policy):
        return Refused(
            Reason.ALREADY_VOTED,
            f"Your approval of {review.code} is already recorded: {tally(review, policy).sentence}.",
        )
    if frozen := policy.frozen_words(review, now):
        return Refused(Reason.FROZEN, f"{frozen} {review.code} can be rejected and escalated meanwhile.")
    return None


def _voted(review: Review, person: Person, policy: Policy) -> bool:
    escalated = review.status is Status.ESCALATED
    # A lead who approved before the escalation votes again: the escalation asks for a vote given after it.
    voted = any(v.person == person.key and (v.lead_after_escalation or not escalated) for v in review.votes)
    # So does who now stands for a group that is asked for: the policy or the group changed since.
    stands_for = groups_of(person, policy)
    return voted and all(set(clause).isdisjoint(stands_for) for clause in tally(review, policy).missing)


def _justification_refusal(decision: Decision, approval_needs_one: bool) -> Refused | None:
    if not decision.checked_length or (decision.choice is Choice.APPROVE and not approval_needs_one):
        return None
    fault = justification_fault(decision.justification)
    return Refused(Reason.JUSTIFICATION, fault) if fault else None


def closed_refusal(review: Review) -> Refused:
    """A decision on a review that awaits none."""
    words = {
        Status.APPROVED: "already approved",
        Status.PR_OPEN: "already approved, and its pull request is open",
        Status.MERGED: "already merged",
        Status.PR_CLOSED: "closed, as its pull request was",
        Status.REJECTED: "already rejected",
        Status.CHANGES_REQUESTED: "waiting for changed content",
        Status.WITHDRAWN: "withdrawn",
        Status.EXPIRED: "expired",
    }
    return Refused(Reason.CLOSED, f"{review.code} is {words[review.status]}: no decision is awaited.")


def claim(review: Review, person: Person) -> Outcome:
    """Say that one is reading it. It binds nobody: anyone entitled may still decide."""
    if review.status not in AWAITING:
        return closed_refusal(review)
    if review.claimed_by == person.key:
        return Refused(Reason.CLAIMED, f"You have already claimed {review.code}.")
    if review.claimed_by is not None:
        return Refused(Reason.CLAIMED, f"{review.claimed_by_name} has already claimed {review.code}.")
    sentence = f"{person.name} claimed {review.code}."
    claimed = replace(review, claimed_by=person.key, claimed_by_name=person.name)
    return Accepted(claimed, (Claimed(sentence),), sentence)


def withdraw(review: Review, person: Person, policy: Policy) -> Outcome:
    """Take one's own approval back while a decision is awaited; whoever did may vote again."""
    if review.status not in AWAITING:
        return closed_refusal(review)
    left = replace(review, votes=tuple(v for v in review.votes if v.person != person.key))
    if left == review:
        return Refused(Reason.NOT_VOTED, f"No approval of yours counts for {review.code}: there is none to withdraw.")
    sentence = f"{person.name} withdrew their approval of {review.code}: {tally(left, policy).sentence}."
    return Accepted(left, (VoteWithdrawn(sentence),), sentence)


def takes_new_content(review: Review) -> bool:
    """Whether changed content goes into this review; from the first push on, and once ended, it opens a new one."""
    if review.status is Status.APPROVED:
        return review.pr_branch is None
    return review.status in AWAITING or review.status is Status.CHANGES_REQUESTED


BUMP_UNDER_WAY = "The diff of this version bump is being made. It will be shown here, as a new version to decide on."


def revise(review: Review, *, bump: bool = False, by_bot: bool = False) -> Accepted:
    """The review has new content already; its votes were for the old one. An escalation that was closed is over.

    `bump`: its diff is still to be made. `by_bot`: that diff is what is new.
    """
    whose = ", ".join(v.name for v in review.votes)
    void = f" Approvals given before are void; please look again: {whose}." if whose else ""
    what = "has the diff of its version bump" if by_bot else "changed"
    sentence = f"{review.code} {what} and is now version {review.version}.{void}"
    revised = replace(
        review, votes=(), snoozed_until=None, snooze_reason=None, closed_at=None, note=BUMP_UNDER_WAY if bump else None
    )
    if review.status is not Status.ESCALATED:
        revised = replace(revised, status=Status.PENDING, escalated_by=None, escalated_by_name=None, escalated_at=None)
    return Accepted(revised, (Revised(sentence, bump, tuple(v.person for v in review.votes)),), sentence)


def bump_not_made(review: Review, reason: str) -> tuple[Review, tuple[BumpNotMade, ...]] | None:
    """Say why there is no diff, where a diff was announced; None where the review has moved on."""
    if review.note != BUMP_UNDER_WAY:
        return None
    sentence = f"No diff could be made for this version bump: {reason.rstrip('.')}."
    return replace(review, note=sentence), (BumpNotMade(f"{review.code}: {sentence}"),)


def _because(decision: Decision) -> str:
    text = decision.justification.strip() or "no reason was given"
    return f"{decision.category}. {text}" if decision.category else text
