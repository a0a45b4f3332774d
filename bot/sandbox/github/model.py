"""What the stand-in stores beside git: accounts, issues, pull requests, labels, statuses and check runs."""

import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime


def now() -> datetime:
    """Return the current time in UTC, in whole seconds as GitHub shows it."""
    return datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True)
class Account:
    """A user, machine account or organisation; the id is computed from the login."""

    login: str
    kind: str = "User"

    @property
    def id(self) -> int:
        """A number that is the same in every run."""
        return zlib.crc32(self.login.lower().encode())


@dataclass
class Label:
    """A label of a repository; names are unique in any case of letters."""

    id: int
    name: str
    color: str = "ededed"
    description: str | None = None


@dataclass
class Comment:
    """A comment on an issue or pull request."""

    id: int
    author: Account
    body: str
    created_at: datetime = field(default_factory=now)


@dataclass(kw_only=True)
class Issue:
    """An issue; a pull request is one too and takes its number from the same sequence."""

    id: int
    number: int
    author: Account
    title: str
    body: str | None
    state: str = "open"
    created_at: datetime = field(default_factory=now)
    updated_at: datetime = field(default_factory=now)
    closed_at: datetime | None = None
    closed_by: Account | None = None
    labels: list[Label] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)


@dataclass(frozen=True)
class PullReview:
    """A review of one head; `state` is `APPROVED`, `CHANGES_REQUESTED` or `COMMENTED`."""

    id: int
    author: Account
    state: str
    body: str
    commit_id: str
    submitted_at: datetime = field(default_factory=now)


@dataclass(kw_only=True)
class Pull(Issue):
    """A pull request between two branches of one repository.

    `head_sha` follows the head branch while the pull request is open, and is fixed once it is closed.
    """

    head_ref: str
    head_sha: str
    base_ref: str
    base_sha: str
    draft: bool = False
    maintainer_can_modify: bool = False
    reviewers: list[Account] = field(default_factory=list)
    teams: list[str] = field(default_factory=list)
    reviews: list[PullReview] = field(default_factory=list)
    auto_merge: str | None = None
    auto_merge_by: Account | None = None
    merged_at: datetime | None = None
    merged_by: Account | None = None
    merge_commit_sha: str | None = None

    @property
    def merged(self) -> bool:
        """Whether it was merged."""
        return self.merged_at is not None


@dataclass(frozen=True)
class CommitStatus:
    """A commit status; the newest one of each context counts."""

    id: int
    author: Account
    state: str
    context: str
    target_url: str | None
    description: str | None
    created_at: datetime = field(default_factory=now)


@dataclass
class CheckRun:
    """A check run of an App on one commit; completed exactly when it has a conclusion."""

    id: int
    name: str
    head_sha: str
    status: str
    conclusion: str | None
    details_url: str | None
    external_id: str | None
    output: dict[str, str | None]
    started_at: datetime
    completed_at: datetime | None


@dataclass
class Records:
    """Everything about a repository that git does not store; `labels` by name in lower case, `statuses` by commit."""

    issues: dict[int, Pull | Issue] = field(default_factory=dict)
    labels: dict[str, Label] = field(default_factory=dict)
    statuses: dict[str, list[CommitStatus]] = field(default_factory=dict)
    check_runs: dict[int, CheckRun] = field(default_factory=dict)
