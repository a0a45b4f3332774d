"""Who a person is at the moment they ask: what Slack knows of them, and whether the policy lets them decide."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from bot.domain.policy import REVIEWERS, Policy, Principals
from bot.domain.refusal import Reason, Refused


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
    """Neither Slack nor a fresh answer can say who this is: the caller must record nothing."""


class Directory(Protocol):
    """Who people are and which user groups they belong to, believed for at most 60 s."""

    async def profile(self, user_id: str) -> SlackProfile | None:
        """The person, or None when Slack knows no such user; raises DirectoryUnavailable."""
        ...

    async def group(self, group_id: str) -> frozenset[str]:
        """The user ids in a user group, empty when it is unknown or disabled; raises DirectoryUnavailable."""
        ...

    def expect(self, user_id: str, groups: Iterable[str]) -> None:
        """Ask Slack at once, side by side, for what is not fresh: these are needed next."""
        ...

    def forget(self, changed_id: str) -> None:
        """This user or group changed: ask Slack again next time."""
        ...


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may decide. `key` is the same for one person whatever names they use."""

    key: str
    """A Slack user id, `token:<name>`, or `claimed:<e-mail or name>` when the API asks for no token."""
    name: str
    email: str | None
    lead: bool
    """Named as a lead by the policy."""
    verified: bool = True
    """The name came from Slack or a token, not from the client."""
    member_of: frozenset[str] = frozenset()
    """Ids of the user groups they are in, among those that the policy names."""

    def among(self, principals: Principals) -> bool:
        """Whether they are one of these."""
        return principals.hold(self.key, self.email, self.member_of)

    def may_be_among(self, principals: Principals) -> bool:
        """Whether they are one of these or only claim to be: enough to keep somebody out, never to let them in."""
        claimed = {(self.email or "").casefold(), self.key.partition(":")[2].casefold()}
        names = principals.emails | {user.casefold() for user in principals.users}
        return self.among(principals) or not claimed.isdisjoint(names)

    def reported(self, reporter: str | None) -> bool:
        """Whether they are the reporter, by Slack id, e-mail or token name, without case."""
        if not reporter:
            return False
        own = {self.key, self.key.partition(":")[2] or self.key, self.email or self.key}
        return reporter.casefold() in {name.casefold() for name in own}


def groups_of(person: Person, policy: Policy) -> tuple[str, ...]:
    """Names of the groups that they stand for, among those that some quorum asks for."""
    return tuple(
        name
        for name in policy.asked_for
        # Anyone who got this far is a reviewer, even a token, which no list names.
        if name == REVIEWERS or person.among(policy.members(name))
    )


def entitle(
    profile: SlackProfile | None,
    clicked_in: str,
    team_id: str,
    policy: Policy,
    members: Mapping[str, frozenset[str]],
) -> Person | Refused:
    """Judge a Slack user who clicked in workspace `clicked_in`; ours is `team_id`.

    `members` maps each of `policy.groups` to the user ids in it.
    """
    if profile is None:
        return Refused(Reason.UNKNOWN_PERSON, "Slack does not know this account, so it cannot decide.")
    if refusal := _account_refusal(profile, clicked_in, team_id):
        return refusal
    member_of = frozenset(group for group, ids in members.items() if profile.user_id in ids)
    if not policy.deciders.hold(profile.user_id, profile.email, member_of):
        return Refused(
            Reason.NOT_A_REVIEWER,
            "You are not on the list of reviewers, so nothing was recorded as a decision.",
        )
    lead = policy.leads is not None and policy.leads.hold(profile.user_id, profile.email, member_of)
    return Person(profile.user_id, profile.name, profile.email, lead=lead, member_of=member_of)


def _account_refusal(profile: SlackProfile, clicked_in: str, team_id: str) -> Refused | None:
    if profile.deleted:
        return Refused(Reason.DEACTIVATED, "This account is deactivated, so it cannot decide.")
    if profile.is_bot:
        return Refused(Reason.BOT, "Bots cannot decide.")
    if profile.is_stranger or not (profile.team_id == clicked_in == team_id):
        return Refused(
            Reason.OTHER_WORKSPACE,
            "Only members of this workspace can decide; your account belongs to another.",
        )
    if profile.is_guest:
        return Refused(Reason.GUEST, "Guest accounts cannot decide.")
    return None
