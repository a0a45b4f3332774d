"""A pull request as GitHub has it: what was seen of it last, and what is kept of that. Values only."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Checks(StrEnum):
    """What the checks of a commit come to; the values of `pr_checks`."""

    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"


class Merging(StrEnum):
    """How far the bot's own merging has come."""

    ARMED = "armed"
    """GitHub merges by itself once its rules are met."""
    OFF = "off"
    """Armed, and switched off by somebody; armed again when something about the pull request changes."""
    REFUSED = "refused"
    """GitHub said no; tried again when something about the pull request changes."""


class MergeMode(StrEnum):
    """Whether the policy lets the bot merge; always only the commit that was approved."""

    NEVER = "never"
    WHEN_GREEN = "when-green"
    AUTO = "auto"


class Step(StrEnum):
    """What the bot itself does next with a pull request."""

    MERGE = "merge"
    ARM = "arm"
    DISARM = "disarm"


@dataclass(frozen=True, slots=True)
class Pull:
    """The pull request of a review, made now or found."""

    number: int
    url: str
    branch: str
    base: str
    """The branch to merge into."""
    approved_head: str
    """The bot's commit, which is what was approved."""
    head_sha: str
    """The newest commit: people may have added theirs."""
    files: int
    insertions: int
    deletions: int
    state: Literal["open", "closed", "merged"]
    notes: tuple[str, ...] = ()
    """What could not be added to the pull request, one sentence each. It is complete without them."""

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
    """None while GitHub has not worked it out."""
    branch_gone: bool = False
    reviewers: tuple[str, ...] = ()
    """Logins and team names of whom a review is asked and not given yet."""
    ready: bool = False
    """GitHub would merge it now: no draft, no conflict, every rule of the branch met."""
    waits: bool = False
    """A rule of the branch is not met yet, which is what GitHub's automatic merge waits for."""
    auto_merge: bool = False
    by: str | None = None
    """The login of who merged it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullState:
    """What is kept of a review's pull request between two looks."""

    approved_head: str | None = None
    """The commit that was approved and pushed; the bot merges no other."""
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
    """Why the bot closes it, kept before it does: GitHub's own word of it may be here first."""
    unseen: str | None = None
    """Why GitHub does not show it any more, a sentence."""

    @property
    def pushed_over(self) -> bool:
        """Whether its head is another commit than the one that was approved."""
        return None not in (self.approved_head, self.head) and self.head != self.approved_head


def branch_name(code: str, digest: str) -> str:
    """The branch of an approved content: the same however often its job runs (contract, section 9)."""
    return f"apv/{code}-{digest[:8]}"
