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


class Effect:
    """What every job has. `lead` ranks it among the jobs of its severity; higher runs sooner."""

    __slots__ = ()
    task: ClassVar[str]
    lead: ClassVar[int]
    unique: ClassVar[tuple[str, ...]]
    """The fields that tell it from the other jobs of its task."""

    @property
    def key(self) -> str:
        """One job per key is queued or running at a time."""
        return ":".join((self.task, *(str(getattr(self, name)) for name in self.unique)))


@dataclass(frozen=True, slots=True)
class SyncCard(Effect):
    """Make the Slack card show the review at `revision` or later: post it once, then update it."""

    task: ClassVar[str] = "slack.card"
    lead: ClassVar[int] = 5
    unique: ClassVar[tuple[str, ...]] = ("review_id", "revision")
    review_id: UUID
    revision: int


@dataclass(frozen=True, slots=True)
class ReplyInThread(Effect):
    """Post an audit entry's sentence to the card's thread."""

    task: ClassVar[str] = "slack.reply"
    lead: ClassVar[int] = 0
    unique: ClassVar[tuple[str, ...]] = ("entry_id",)
    review_id: UUID
    entry_id: UUID


@dataclass(frozen=True, slots=True)
class MoveCard(Effect):
    """Link the review's new card from its cards in former channels."""

    task: ClassVar[str] = "slack.move"
    lead: ClassVar[int] = 0
    unique: ClassVar[tuple[str, ...]] = ("review_id", "version")
    review_id: UUID
    version: int


@dataclass(frozen=True, slots=True)
class AlertIncident(Effect):
    """Post an audit entry's sentence to the incident channel."""

    task: ClassVar[str] = "slack.alert"
    lead: ClassVar[int] = 7
    unique: ClassVar[tuple[str, ...]] = ("entry_id",)
    review_id: UUID | None
    """None: the entry belongs to no review."""
    entry_id: UUID


@dataclass(frozen=True, slots=True)
class OpenPull(Effect):
    """Turn the approved patch into a branch, a commit and a pull request."""

    task: ClassVar[str] = "github.pull"
    lead: ClassVar[int] = 0
    unique: ClassVar[tuple[str, ...]] = ("review_id", "version")
    review_id: UUID
    digest: str
    version: int = 0
    """0: queued by a release that named only the digest."""


@dataclass(frozen=True, slots=True)
class WatchPull(Effect):
    """Read the pull request from GitHub and record its state."""

    task: ClassVar[str] = "github.watch"
    lead: ClassVar[int] = 0
    unique: ClassVar[tuple[str, ...]] = ("review_id", "cause")
    review_id: UUID
    cause: str
    """What caused it: `opened`, `poll`, or the id of a GitHub delivery."""
    asked: datetime | None = None
    """By the database's clock; the job is skipped if a check that began later is recorded. None: never skipped."""


@dataclass(frozen=True, slots=True)
class AnswerPull(Effect):
    """Comment a rejection or a request for changes on the pull requests of this APV's earlier reviews."""

    task: ClassVar[str] = "github.answer"
    lead: ClassVar[int] = 0
    unique: ClassVar[tuple[str, ...]] = ("entry_id",)
    review_id: UUID
    entry_id: UUID


@dataclass(frozen=True, slots=True)
class MakeBump(Effect):
    """Make the diff of a version bump that came without one."""

    task: ClassVar[str] = "github.bump"
    lead: ClassVar[int] = 6
    unique: ClassVar[tuple[str, ...]] = ("review_id", "version")
    """Before the card, so that the card has the diff from the start."""
    review_id: UUID
    digest: str
    version: int = 0
    """As in `OpenPull`."""


@dataclass(frozen=True, slots=True)
class ReadBase(Effect):
    """Keep the files that the patch touches as the base branch has them, before anybody votes."""

    task: ClassVar[str] = "github.base"
    lead: ClassVar[int] = 1
    unique: ClassVar[tuple[str, ...]] = ("review_id", "version")
    review_id: UUID
    version: int


Job: TypeAlias = (
    SyncCard | ReplyInThread | MoveCard | AlertIncident | OpenPull | WatchPull | AnswerPull | MakeBump | ReadBase
)
ADAPTERS: dict[str, TypeAdapter[Job]] = {
    job.task: TypeAdapter(job)
    for job in (SyncCard, ReplyInThread, MoveCard, AlertIncident, OpenPull, WatchPull, AnswerPull, MakeBump, ReadBase)
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
