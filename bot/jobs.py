"""The jobs: every side effect as a frozen value. A job holds ids; its task reads the state."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, TypeAlias
from uuid import UUID

from pydantic import TypeAdapter

from bot.domain.apv import Severity
from bot.domain.review import Review

URGENCY = {Severity.CRITICAL: 40, Severity.HIGH: 30, Severity.MEDIUM: 20, Severity.LOW: 10}
"""A job's priority by its review's severity; higher runs sooner."""


@dataclass(frozen=True, slots=True)
class SyncCard:
    """Make the Slack card show the review at `revision` or later: post it once, then update it."""

    task: ClassVar[str] = "slack.card"
    lead: ClassVar[int] = 5
    review_id: UUID
    revision: int

    @property
    def key(self) -> str:
        """Deduplicates queued and running jobs; with the revision, a change during a run is not lost."""
        return f"{self.task}:{self.review_id}:{self.revision}"


@dataclass(frozen=True, slots=True)
class ReplyInThread:
    """Post an audit entry's sentence to the card's thread."""

    task: ClassVar[str] = "slack.reply"
    lead: ClassVar[int] = 0
    review_id: UUID
    entry_id: UUID

    @property
    def key(self) -> str:
        """One reply for one audit entry."""
        return f"{self.task}:{self.entry_id}"


@dataclass(frozen=True, slots=True)
class AlertIncident:
    """Post an audit entry's sentence to the incident channel."""

    task: ClassVar[str] = "slack.alert"
    lead: ClassVar[int] = 7
    review_id: UUID | None
    """None: the entry belongs to no review."""
    entry_id: UUID

    @property
    def key(self) -> str:
        """One alert for one audit entry."""
        return f"{self.task}:{self.entry_id}"


@dataclass(frozen=True, slots=True)
class OpenPull:
    """Turn the approved patch into a branch, a commit and a pull request."""

    task: ClassVar[str] = "github.pull"
    lead: ClassVar[int] = 0
    review_id: UUID
    digest: str
    version: int = 0
    """0: queued by a release that named only the digest."""

    @property
    def key(self) -> str:
        """One pull request per version."""
        return f"{self.task}:{self.review_id}:{self.version}"


@dataclass(frozen=True, slots=True)
class WatchPull:
    """Read the pull request from GitHub and record its state."""

    task: ClassVar[str] = "github.watch"
    lead: ClassVar[int] = 0
    review_id: UUID
    cause: str
    """What caused it: `opened`, `poll`, or the id of a GitHub delivery."""
    asked: datetime | None = None
    """By the database's clock; the job is skipped if a check that began later is recorded. None: never skipped."""

    @property
    def key(self) -> str:
        """One check per cause."""
        return f"{self.task}:{self.review_id}:{self.cause}"


@dataclass(frozen=True, slots=True)
class AnswerPull:
    """Comment a rejection or a request for changes on the pull requests of this APV's earlier reviews."""

    task: ClassVar[str] = "github.answer"
    lead: ClassVar[int] = 0
    review_id: UUID
    entry_id: UUID

    @property
    def key(self) -> str:
        """One comment per audit entry."""
        return f"{self.task}:{self.entry_id}"


@dataclass(frozen=True, slots=True)
class MakeBump:
    """Make the diff of a version bump that came without one."""

    task: ClassVar[str] = "github.bump"
    lead: ClassVar[int] = 6
    """Before the card, so that the card has the diff from the start."""
    review_id: UUID
    digest: str
    version: int = 0
    """As in `OpenPull`."""

    @property
    def key(self) -> str:
        """One diff per version."""
        return f"{self.task}:{self.review_id}:{self.version}"


Job: TypeAlias = SyncCard | ReplyInThread | AlertIncident | OpenPull | WatchPull | AnswerPull | MakeBump
ADAPTERS: dict[str, TypeAdapter[Job]] = {
    job.task: TypeAdapter(job)
    for job in (SyncCard, ReplyInThread, AlertIncident, OpenPull, WatchPull, AnswerPull, MakeBump)
}


def is_for(job: OpenPull | MakeBump, review: Review) -> bool:
    """Whether a job is for the version of the content that the review has now."""
    return job.version == review.version or (job.version == 0 and job.digest == review.digest)


def priority(job: Job, severity: Severity) -> int:
    """The job's priority: by severity, then by kind."""
    return URGENCY[severity] + job.lead


def payload(job: Job) -> bytes:
    """The job as JSON, for the queue."""
    return ADAPTERS[job.task].dump_json(job)


def parse(task: str, raw: bytes | None) -> Job:
    """The inverse of `payload`; raises KeyError or pydantic's ValidationError for anything else."""
    return ADAPTERS[task].validate_json(raw or b"{}")
