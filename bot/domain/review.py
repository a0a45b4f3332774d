"""A review as a value: its state, and the outcomes of trying to change it.

Pure, like all rules: they take the review as it was read or locked and return an Outcome; no clock, no database.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from bot.domain.apv import Apv, Json, PatchStrategy, Severity, strictest
from bot.domain.events import Event
from bot.domain.patch import FileChange
from bot.domain.pull import PullState
from bot.domain.refusal import Reason, Refused

UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""Characters that Slack's JSON can hold and PostgreSQL's text cannot."""


class Status(StrEnum):
    """The status of a review."""

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
"""The statuses that await a decision."""


class Choice(StrEnum):
    """What a person may decide."""

    APPROVE = "approve"
    REJECT = "reject"
    MODIFY = "modify"
    ESCALATE = "escalate"


class Hold(StrEnum):
    """Why a review is on hold; `Review.note` says it in words."""

    DRAFTING = "drafting"
    """The bot is making the diff of a version bump."""
    NO_DRAFT = "no_draft"
    """The bot could not make one."""
    NOTHING_TO_OPEN = "nothing_to_open"
    """Approved, without a patch or without GitHub."""
    PULL_FAILED = "pull_failed"
    """Approved, and no pull request could be opened."""


class Action(StrEnum):
    """The outcome of a decision; the values of `action_taken`."""

    PR_OPENED = "pr_opened"
    PR_MERGED = "pr_merged"
    PR_CLOSED = "pr_closed"
    CHANGES_REQUESTED = "changes_requested"
    ESCALATED = "escalated"
    RECORDED = "recorded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Vote:
    """One valid approval of the current version."""

    person: str
    name: str
    at: datetime
    lead_after_escalation: bool = False
    """Cast by a lead while the review was escalated."""
    groups: tuple[str, ...] = ()
    """The policy's groups that the person belonged to when voting."""
    human: bool = True
    """False: a machine's vote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A review's state. `digest` is that of the current content, 64 hex digits; `version` counts contents from 1."""

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
    package_version: str | None = None
    fixed_version: str | None = None
    cvss_severity: Severity | None = None
    """The band of the CVSS vector; None without a valid one."""
    kev: bool = False
    """Known to be exploited."""
    patch_strategy: PatchStrategy = PatchStrategy.MANUAL
    repository: str = ""
    reporter: str | None = None
    authors: tuple[str, ...] = ()
    """Everybody who reported or submitted some of the content in force, as named there; tokens as `token:<name>`."""
    due_at: datetime | None = None
    asked_at: datetime | None = None
    """When content arrived that got a new deadline; None: the review has waited since `created_at`."""
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
    """The pull request as GitHub showed it last."""
    follows: bool = False
    """An earlier review of the same APV exists, and may have a pull request."""
    hold: Hold | None = None
    note: str | None = None
    """A sentence for people: why it is on hold, or why the bot closed its pull request."""
    files: tuple[FileChange, ...] | None = ()
    """What the patch does to which files, as git reads it; None: git cannot read it, or has not yet."""
    unreadable: tuple[str, ...] = ()
    """Columns that this release cannot read. The review is shown, but nobody can decide on it or change it."""

    @property
    def written_by(self) -> tuple[str, ...]:
        """The authors and the reporter. They, and the owners of a token or machine account here, may not approve."""
        return (*self.authors, self.reporter) if self.reporter else self.authors

    @property
    def strictest(self) -> Severity:
        """The highest of the stated severity, the CVSS vector's and KEV's."""
        return strictest(self.severity, self.cvss_severity, kev=self.kev)

    @property
    def waiting_since(self) -> datetime:
        """When the review began to await a decision."""
        return self.asked_at or self.created_at


@dataclass(frozen=True, slots=True)
class Dossier:
    """A review with its reported APV and metadata."""

    apv: Apv
    review: Review
    priority: int = 0
    updated_at: datetime | None = None
    metadata: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The new state of the review and the events that led to it."""

    review: Review
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Repeated:
    """A duplicate request: it had its effect before, and nothing is done or said again."""

    stands: bool = False
    """Another request recorded the same decision on this version, and it still holds."""


@dataclass(frozen=True, slots=True)
class AskFirst:
    """Nothing is decided yet: the service must first ask Slack about these earlier voters."""

    voters: tuple[Vote, ...]


Outcome = Accepted | Refused

CLOSED_WORDS = {
    Status.APPROVED: "already approved",
    Status.PR_OPEN: "already approved, and its pull request is open",
    Status.MERGED: "already merged",
    Status.PR_CLOSED: "closed, as its pull request was",
    Status.REJECTED: "already rejected",
    Status.CHANGES_REQUESTED: "waiting for changed content",
    Status.WITHDRAWN: "withdrawn",
    Status.EXPIRED: "expired",
}


def closed_refusal(review: Review) -> Refused | None:
    """Why nothing can be decided on this review; None while it awaits a decision."""
    if review.status in AWAITING:
        return None
    return Refused(Reason.CLOSED, f"{review.code} is {CLOSED_WORDS[review.status]}: no decision is needed.")


def unreadable_refusal(review: Review) -> Refused:
    """Why nobody can decide on a review that this release cannot read."""
    columns = ", ".join(review.unreadable)
    return Refused(
        Reason.UNREADABLE, f"{review.code} cannot be read by this release ({columns}), so nothing was recorded."
    )
