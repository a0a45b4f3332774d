"""What is known of a person at the moment of a click, and where that knowledge comes from."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SlackProfile:
    """A Slack user as `users.info` describes them, reduced to what a decision needs."""

    user_id: str
    team_id: str
    name: str
    email: str | None
    deleted: bool = False
    is_bot: bool = False
    is_guest: bool = False
    """`is_restricted` or `is_ultra_restricted`."""
    is_stranger: bool = False
    """Known only through a shared channel."""


class DirectoryUnavailable(Exception):
    """Neither a fresh answer nor Slack itself can say who this is: the caller must record nothing."""


class Directory(Protocol):
    """Who people are and which user groups they belong to, believed for at most 60 s."""

    async def profile(self, user_id: str) -> SlackProfile | None:
        """The person, or None when Slack knows no such user; raises DirectoryUnavailable."""
        ...

    async def group(self, group_id: str) -> frozenset[str]:
        """The user ids in a user group, empty when it is unknown or disabled; raises DirectoryUnavailable."""
        ...

    def expect(self, user_id: str, groups: Iterable[str]) -> None:
        """These are about to be asked for: whatever is not believed now is asked of Slack at once, side by side."""
        ...

    def forget(self, changed_id: str) -> None:
        """Slack says that this user or group changed: ask again the next time."""
        ...
