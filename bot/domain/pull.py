"""A pull request on GitHub: what GitHub shows of it, and what the review keeps of that. Values only."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Checks(StrEnum):
    """The combined result of a commit's checks; the values of `pr_checks`."""

    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"


class Merging(StrEnum):
    """The state of the bot's own merge."""

    ARMED = "armed"
    """GitHub merges automatically once its rules are met."""
    OFF = "off"
    """Somebody disabled the automatic merge; the bot arms it again when the pull request changes."""
    REFUSED = "refused"
    """GitHub refused to merge; the bot tries again when the pull request changes."""


class MergeMode(StrEnum):
    """When the policy lets the bot merge; it only ever merges the approved commit."""

    NEVER = "never"
    WHEN_GREEN = "when-green"
    AUTO = "auto"


class Step(StrEnum):
    """The bot's next action on a pull request."""

    MERGE = "merge"
    ARM = "arm"
    DISARM = "disarm"


@dataclass(frozen=True, slots=True)
class Pull:
    """A review's pull request, new or already there."""

    number: int
    url: str
    branch: str
    base: str
    """The branch to merge into."""
    approved_head: str
    """The bot's commit: the approved content."""
    head_sha: str
    """The newest commit; people may have added more."""
    files: int
    insertions: int
    deletions: int
    state: Literal["open", "closed", "merged"]
    notes: tuple[str, ...] = ()
    """What could not be added to the pull request (optional extras), one sentence each."""

    @property
    def diffstat(self) -> str:
        """For example `1 file, +1 -1`."""
        return f"{self.files} file{'s' if self.files != 1 else ''}, +{self.insertions} -{self.deletions}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What GitHub shows now. `state` is `open`, `closed` or `merged`; `head` is a commit's sha."""

    state: str
    head: str
    base: str
    """The branch to merge into."""
    checks: Checks | None = None
    """None: the commit has none."""
    failing: tuple[str, ...] = ()
    conflict: bool | None = None
    """None while GitHub has not computed it."""
    branch_gone: bool = False
    reviewers: tuple[str, ...] = ()
    """Logins and team names of requested reviewers who have not reviewed yet."""
    ready: bool = False
    """GitHub would merge it now: not a draft, no conflict, all branch rules met."""
    waits: bool = False
    """A branch rule is not met yet; GitHub's auto-merge can only be armed then."""
    auto_merge: bool = False
    by: str | None = None
    """The login of the person who merged it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullState:
    """What a review stores about its pull request between two checks."""

    approved_head: str | None = None
    """The approved commit; the bot merges no other."""
    head: str | None = None
    base: str | None = None
    checks: Checks | None = None
    failing: tuple[str, ...] = ()
    conflict: bool | None = None
    branch_gone: bool = False
    reviewers: tuple[str, ...] = ()
    ready: bool = False
    merging: Merging | None = None
    closing: str | None = None
    """Why the bot closes it; stored before closing, because GitHub's webhook may arrive first."""
    unseen: str | None = None
    """Why GitHub no longer shows it, as a sentence."""

    @property
    def pushed_over(self) -> bool:
        """Whether its head is not the approved commit."""
        return None not in (self.approved_head, self.head) and self.head != self.approved_head


def branch_name(code: str, digest: str) -> str:
    """The branch of an approved content; deterministic, so a retry uses the same one (contract, section 9)."""
    return f"apv/{code}-{digest[:8]}"
