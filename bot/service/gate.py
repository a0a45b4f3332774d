"""The dependencies of every service function, assembled once at start-up."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime

from bot.domain.patch import Readings
from bot.domain.people import Directory
from bot.domain.policy import Policy
from bot.service.group_commit import GroupCommit
from storage.database import Database


@dataclass(frozen=True, slots=True)
class Gate:
    """The database, the directory of people, the policy in force, and the clock."""

    database: Database
    directory: Directory
    policy: Callable[[], Policy]
    team_id: Callable[[], str]
    """Our workspace's id; empty until Slack has returned it, and until then nobody is a member."""
    opens_pulls: bool
    default_repository: str
    """`owner/name`, empty without GitHub."""
    repositories: frozenset[str]
    """`owner/name`, case-folded, of every repository that an APV may name; empty (without GitHub): any."""
    now: Callable[[], datetime]
    read_changes: Callable[[Collection[str]], Awaitable[Readings]]
    """Lets git read diffs; called outside of any transaction."""
    patience: float = 2.0
    """Seconds until a click is refused; Slack waits three."""
    commits: GroupCommit = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "commits", GroupCommit(self.database, self.patience))

    def allows(self, repository: str) -> bool:
        """Whether an APV may name this repository (`owner/name`)."""
        return not self.repositories or repository.casefold() in self.repositories
