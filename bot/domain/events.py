"""What happened to a review. Each event knows its name in the audit log and the sentence that tells it."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Submitted:
    """A new review exists."""

    kind: ClassVar[str] = "review.submitted"
    sentence: str
    critical: bool


@dataclass(frozen=True, slots=True)
class Revised:
    """Changed content came for an undecided review: version + 1, votes void."""

    kind: ClassVar[str] = "review.revised"
    sentence: str


@dataclass(frozen=True, slots=True)
class ApprovalRecorded:
    """One person approved; more are needed."""

    kind: ClassVar[str] = "decision.approve"
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
    | ApprovalRecorded
    | Approved
    | Rejected
    | ChangesRequested
    | Escalated
    | Claimed
    | PullOpened
    | PullFailed
    | DeadlineMissed
    | JobHeld
)
