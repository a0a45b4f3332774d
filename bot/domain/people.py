"""Who a person is when they click or call: their Slack account, and whether the policy lets them decide."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from bot.domain.policy import REVIEWERS, Policy, Principals
from bot.domain.refusal import Reason, Refused
from bot.domain.spelling import same, uncased


@dataclass(frozen=True, slots=True)
class SlackProfile:
    """The fields of a Slack user (`users.info`) that a decision needs."""

    user_id: str
    team_id: str
    name: str
    email: str | None
    handle: str = ""
    """The name in `@name`."""
    deleted: bool = False
    is_bot: bool = False
    is_guest: bool = False
    """`is_restricted` or `is_ultra_restricted`."""
    is_stranger: bool = False
    """From another workspace, through a shared channel."""


class DirectoryUnavailable(Exception):
    """Slack does not answer and there is no fresh cached answer: the caller must record nothing."""


class Directory(Protocol):
    """Looks up people and user groups in Slack; answers are cached for at most 60 s."""

    async def profile(self, user_id: str) -> SlackProfile | None:
        """The person, or None when Slack knows no such user; raises DirectoryUnavailable."""
        ...

    async def by_email(self, address: str) -> SlackProfile | None:
        """The person with this address (lower case), or None when Slack knows none; raises DirectoryUnavailable."""
        ...

    async def group(self, group_id: str) -> frozenset[str]:
        """The user ids in a user group, empty when it is unknown or disabled; raises DirectoryUnavailable."""
        ...

    def expect(self, person: str, groups: Iterable[str]) -> None:
        """Start the requests for what is not cached, concurrently: the caller needs the answers next.

        `person` is a user id or an e-mail address.
        """
        ...

    def forget(self, changed_id: str) -> None:
        """Drop this user or group from the cache: it has changed."""
        ...


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may decide. `key` identifies the person under any name."""

    key: str
    """A Slack user id, `token:<name>`, or `claimed:<e-mail or name>` when the API asks for no token."""
    name: str
    email: str | None
    lead: bool
    """The policy names them as a lead."""
    verified: bool = True
    """The name came from Slack or a token, not from the client."""
    member_of: frozenset[str] = frozenset()
    """Ids of those of the policy's user groups that they belong to."""
    handle: str = ""
    """Their `@name` in Slack, without the @."""
    human: bool = True
    """False for a machine: an API token without an owner."""
    tokens: frozenset[str] = frozenset()
    """Names of the API tokens that they own."""

    def among(self, principals: Principals) -> bool:
        """Whether they are one of these."""
        return principals.hold(self.key, self.email, self.member_of)

    def may_be_among(self, principals: Principals) -> bool:
        """Whether they are one of these or claim to be. Use it to refuse a person, never to allow one."""
        claimed = {uncased(self.email or ""), uncased(self.key.partition(":")[2])}
        names = principals.emails | {uncased(user) for user in principals.users}
        return self.among(principals) or not (claimed.isdisjoint(names) and self.tokens.isdisjoint(principals.tokens))

    def wrote(self, authors: Iterable[str]) -> bool:
        """Whether they, or a token of theirs, are one of these authors, in any spelling."""
        tokens = (f"token:{name}" for name in self.tokens)
        handle = f"@{self.handle}" if self.handle else None
        return same((self.key, self.key.partition(":")[2], self.email, handle, *tokens), authors)


def groups_of(person: Person, policy: Policy) -> tuple[str, ...]:
    """Those of the groups required by a quorum that the person belongs to."""
    return tuple(
        name
        for name in policy.asked_for
        # Every `Person` may decide and so is a reviewer, even a token that no list names.
        if name == REVIEWERS or person.among(policy.members(name))
    )


def entitle(
    profile: SlackProfile | None, clicked_in: str, team_id: str, policy: Policy, members: Mapping[str, frozenset[str]]
) -> Person | Refused:
    """Check a Slack user who clicked in workspace `clicked_in`; ours is `team_id`.

    `members` maps each of `policy.groups` to the user ids in it.
    """
    if profile is None:
        return Refused(Reason.UNKNOWN_PERSON, "Slack does not know this account, so it cannot decide.")
    if refusal := _account_refusal(profile, clicked_in, team_id):
        return refusal
    member_of = frozenset(group for group, ids in members.items() if profile.user_id in ids)
    if not policy.deciders.hold(profile.user_id, profile.email, member_of):
        return Refused(Reason.NOT_A_REVIEWER, "You are not on the list of reviewers, so no decision was recorded.")
    lead = policy.leads is not None and policy.leads.hold(profile.user_id, profile.email, member_of)
    tokens = policy.tokens_of(profile.user_id, profile.email)
    return Person(
        profile.user_id,
        profile.name,
        profile.email,
        lead=lead,
        member_of=member_of,
        handle=profile.handle,
        tokens=tokens,
    )


def may_read(
    profile: SlackProfile | None, asked_in: str, team_id: str, policy: Policy, members: Mapping[str, frozenset[str]]
) -> Refused | None:
    """Why a Slack user may not read reviews and diffs; None when they may. The arguments are as in `entitle`.

    If the policy names readers, only they and the people who may decide may read; otherwise every full member may.
    """
    if profile is None:
        return Refused(Reason.UNKNOWN_PERSON, "Slack does not know this account, so it cannot read reviews.")
    if refusal := _account_refusal(profile, asked_in, team_id, act="read reviews"):
        return refusal
    member_of = frozenset(group for group, ids in members.items() if profile.user_id in ids)
    readers = policy.readers
    if readers is None or (readers | policy.deciders).hold(profile.user_id, profile.email, member_of):
        return None
    return Refused(Reason.NOT_A_READER, "You are not on the list of readers, so reviews are not shown to you.")


def _account_refusal(profile: SlackProfile, clicked_in: str, team_id: str, *, act: str = "decide") -> Refused | None:
    if profile.deleted:
        return Refused(Reason.DEACTIVATED, f"This account is deactivated, so it cannot {act}.")
    if profile.is_bot:
        return Refused(Reason.BOT, f"Bots cannot {act}.")
    if profile.is_stranger or not (profile.team_id == clicked_in == team_id):
        return Refused(
            Reason.OTHER_WORKSPACE, f"Only members of this workspace can {act}; your account belongs to another."
        )
    if profile.is_guest:
        return Refused(Reason.GUEST, f"Guest accounts cannot {act}.")
    return None
