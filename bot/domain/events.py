"""What happened to a review. Each event knows its name in the audit log and the sentence that tells it."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Submitted:
    """A new review exists."""

    kind: ClassVar[str] = "review.submitted"
    sentence: str
    critical: bool
    bump: bool = False
    """The diff of a version bump is to be made."""


@dataclass(frozen=True, slots=True)
class Revised:
    """Changed content came for an undecided review: version + 1, votes void."""

    kind: ClassVar[str] = "review.revised"
    sentence: str
    bump: bool = False
    """As in `Submitted`."""
    tell: tuple[str, ...] = ()
    """The keys of those whose approvals are void, to be notified."""


@dataclass(frozen=True, slots=True)
class BumpNotMade:
    """The diff of a version bump cannot be made, and why."""

    kind: ClassVar[str] = "bump.not_made"
    sentence: str


@dataclass(frozen=True, slots=True)
class ApprovalRecorded:
    """One person approved; more are needed."""

    kind: ClassVar[str] = "decision.approve"
    sentence: str


@dataclass(frozen=True, slots=True)
class VoteWithdrawn:
    """One person took their approval back."""

    kind: ClassVar[str] = "decision.withdrawn"
    sentence: str


@dataclass(frozen=True, slots=True)
class Approved:
    """The approval that met the quorum."""

    kind: ClassVar[str] = "review.approved"
    sentence: str
    opens_pull: bool


@dataclass(frozen=True, slots=True)
class Rejected:
    """One person rejected, which closes the review."""

    kind: ClassVar[str] = "review.rejected"
    sentence: str


@dataclass(frozen=True, slots=True)
class ChangesRequested:
    """The vote is closed until changed content comes."""

    kind: ClassVar[str] = "review.changes_requested"
    sentence: str


@dataclass(frozen=True, slots=True)
class Escalated:
    """Only leads vote from now on."""

    kind: ClassVar[str] = "review.escalated"
    sentence: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """Somebody says that they are reading it."""

    kind: ClassVar[str] = "review.claimed"
    sentence: str


@dataclass(frozen=True, slots=True)
class Unclaimed:
    """Whoever had claimed it reads it no more."""

    kind: ClassVar[str] = "review.unclaimed"
    sentence: str


@dataclass(frozen=True, slots=True)
class Reassigned:
    """The claim was given to somebody."""

    kind: ClassVar[str] = "review.reassigned"
    sentence: str
    tell: tuple[str, ...]
    """The key of that person, to be notified."""


@dataclass(frozen=True, slots=True)
class Snoozed:
    """It is put off until a moment, for a reason."""

    kind: ClassVar[str] = "review.snoozed"
    sentence: str


@dataclass(frozen=True, slots=True)
class Woken:
    """It is put off no more: by a person, or because its time has come."""

    kind: ClassVar[str] = "review.woken"
    sentence: str


@dataclass(frozen=True, slots=True)
class PullOpened:
    """The pull request exists."""

    kind: ClassVar[str] = "pull.opened"
    sentence: str


@dataclass(frozen=True, slots=True)
class PullFailed:
    """No pull request can be opened, and why."""

    kind: ClassVar[str] = "pull.failed"
    sentence: str


@dataclass(frozen=True, slots=True)
class ChecksReported:
    """The checks of the pull request run, passed or failed."""

    kind: ClassVar[str] = "pull.checks"
    sentence: str
    failed: bool


@dataclass(frozen=True, slots=True)
class ReviewRequested:
    """Somebody is asked on GitHub to review it."""

    kind: ClassVar[str] = "pull.review_requested"
    sentence: str


@dataclass(frozen=True, slots=True)
class ConflictReported:
    """It cannot be merged into its base as that is now, or can again."""

    kind: ClassVar[str] = "pull.conflict"
    sentence: str
    conflict: bool


@dataclass(frozen=True, slots=True)
class PushedOver:
    """Its head is a commit that nobody approved here."""

    kind: ClassVar[str] = "pull.pushed_over"
    sentence: str


@dataclass(frozen=True, slots=True)
class BranchDeleted:
    """Its branch is gone."""

    kind: ClassVar[str] = "pull.branch_deleted"
    sentence: str


@dataclass(frozen=True, slots=True)
class PullMerged:
    """It is merged; `approved`: what was merged is what was approved."""

    kind: ClassVar[str] = "pull.merged"
    sentence: str
    approved: bool


@dataclass(frozen=True, slots=True)
class PullClosed:
    """It was closed without being merged."""

    kind: ClassVar[str] = "pull.closed"
    sentence: str


@dataclass(frozen=True, slots=True)
class PullReopened:
    """A person opened it again."""

    kind: ClassVar[str] = "pull.reopened"
    sentence: str


@dataclass(frozen=True, slots=True)
class PullLost:
    """GitHub does not show it any more."""

    kind: ClassVar[str] = "pull.lost"
    sentence: str


@dataclass(frozen=True, slots=True)
class MergeArmed:
    """GitHub is asked to merge it once its rules are met."""

    kind: ClassVar[str] = "pull.merge_armed"
    sentence: str


@dataclass(frozen=True, slots=True)
class MergeRefused:
    """The policy wants it merged, and it is not."""

    kind: ClassVar[str] = "pull.merge_refused"
    sentence: str


@dataclass(frozen=True, slots=True)
class Reminded:
    """It has waited so long that the thread is reminded."""

    kind: ClassVar[str] = "deadline.reminder"
    sentence: str


@dataclass(frozen=True, slots=True)
class DeadlineNear:
    """A step of the escalation chain, before the deadline."""

    kind: ClassVar[str] = "deadline.near"
    sentence: str


@dataclass(frozen=True, slots=True)
class Expired:
    """Nobody decided for so long after the deadline that the policy closes it."""

    kind: ClassVar[str] = "review.expired"
    sentence: str


@dataclass(frozen=True, slots=True)
class DeadlineMissed:
    """`due_at` passed without a decision."""

    kind: ClassVar[str] = "deadline.missed"
    sentence: str


@dataclass(frozen=True, slots=True)
class JobHeld:
    """An effect ran out of retries, or no retry can help it."""

    kind: ClassVar[str] = "job.held"
    sentence: str
    task: str


Event = (
    Submitted
    | Revised
    | BumpNotMade
    | ApprovalRecorded
    | VoteWithdrawn
    | Approved
    | Rejected
    | ChangesRequested
    | Escalated
    | Claimed
    | Unclaimed
    | Reassigned
    | Snoozed
    | Woken
    | PullOpened
    | PullFailed
    | ChecksReported
    | ReviewRequested
    | ConflictReported
    | PushedOver
    | BranchDeleted
    | PullMerged
    | PullClosed
    | PullReopened
    | PullLost
    | MergeArmed
    | MergeRefused
    | Reminded
    | DeadlineNear
    | Expired
    | DeadlineMissed
    | JobHeld
)
