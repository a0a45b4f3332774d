"""Events of a review: a kind, which the audit log stores, and a sentence for people."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Every kind of event; the value is what the audit log holds."""

    SUBMITTED = "review.submitted"
    REVISED = "review.revised"
    """Changed content came: version + 1, votes void."""
    SWAPPED = "review.swapped"
    """Another program changed the content in the database: version + 1, votes void."""
    BASE_MOVED = "review.base_moved"
    """The base moved between the approval and the push: version + 1, votes void, nothing pushed."""
    BUMP_NOT_MADE = "bump.not_made"
    """The bot cannot make the diff of a version bump."""

    APPROVAL_RECORDED = "decision.approve"
    """One person approved; more are needed."""
    VOTE_WITHDRAWN = "decision.withdrawn"
    VOTES_VOIDED = "decision.voided"
    """Approvals no longer count: their voters may no longer decide, or an operator voided them."""
    APPROVED = "review.approved"
    """The quorum is met, or the policy approved it."""
    REJECTED = "review.rejected"
    CHANGES_REQUESTED = "review.changes_requested"
    ESCALATED = "review.escalated"
    REOPENED = "review.reopened"
    """A lead asked for a new vote on a rejected review."""

    CLAIMED = "review.claimed"
    UNCLAIMED = "review.unclaimed"
    REASSIGNED = "review.reassigned"
    SNOOZED = "review.snoozed"
    WOKEN = "review.woken"

    REMINDED = "deadline.reminder"
    DEADLINE_NEAR = "deadline.near"
    """A step of the escalation chain."""
    DEADLINE_MISSED = "deadline.missed"
    EXPIRED = "review.expired"
    """Nobody decided, and the policy closes it some time after the deadline."""

    PULL_OPENED = "pull.opened"
    PULL_FAILED = "pull.failed"
    CHECKS_REPORTED = "pull.checks"
    REVIEW_REQUESTED = "pull.review_requested"
    CONFLICT_REPORTED = "pull.conflict"
    PUSHED_OVER = "pull.pushed_over"
    """The head of the pull request is a commit that nobody approved here."""
    BRANCH_DELETED = "pull.branch_deleted"
    PULL_MERGED = "pull.merged"
    PULL_CLOSED = "pull.closed"
    PULL_REOPENED = "pull.reopened"
    PULL_LOST = "pull.lost"
    """GitHub no longer shows it."""
    MERGE_ARMED = "pull.merge_armed"
    """GitHub will merge it once its rules are met."""
    MERGE_REFUSED = "pull.merge_refused"

    JOB_HELD = "job.held"
    """A job ran out of retries, or no retry can help it."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event, and who is notified besides the card and its thread."""

    kind: Kind
    sentence: str
    alarm: bool = False
    """Also posted to the incident channel."""
    tell: tuple[str, ...] = ()
    """Keys of the people to mention in the thread."""
    thread: bool = True
    """Posted to the card's thread; False if posting to the thread is what failed."""
    reads_base: bool = False
    """New content is shown: keep the files of the base that its patch touches."""
