"""Checks who clicks or calls, each time, against Slack."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.domain.people import Person, entitle, may_read
from bot.domain.policy import Policy
from bot.domain.refusal import Refused
from bot.domain.review import Vote
from bot.service.gate import Gate


@dataclass(frozen=True, slots=True)
class SlackUser:
    """Who clicked, from the signed payload: only an id and a workspace."""

    id: str
    team_id: str


@dataclass(frozen=True, slots=True)
class ApiCaller:
    """Who calls the API: a token's name, or, without tokens, the name that the client gives."""

    token: str | None
    name: str
    email: str | None = None

    @property
    def id(self) -> str:
        """A stable key: the token, or the e-mail address, or the name."""
        return f"token:{self.token}" if self.token else f"claimed:{(self.email or self.name).casefold()}"


@dataclass(slots=True)
class Again:
    """Earlier voters of a review, asked after again: nobody completes a quorum with people who have left."""

    gate: Gate
    asked: dict[str, Person | Refused] = field(default_factory=dict)

    def voter(self, vote: Vote) -> Person | Refused | None:
        """Who they are now, or why they may no longer decide; None: Slack must be asked first."""
        if ":" in vote.person:
            # No Slack account: a token, or a name that a client claimed.
            return Person(vote.person, vote.name, None, lead=False)
        return self.asked.get(vote.person)

    async def ask(self, voters: Sequence[Vote]) -> None:
        """Ask Slack about them, whatever is cached; raises DirectoryUnavailable."""
        for vote in voters:
            self.gate.directory.forget(vote.person)
            self.gate.directory.expect(vote.person, ())
        for vote in voters:
            self.asked[vote.person] = await judge(self.gate, SlackUser(vote.person, self.gate.team_id()))


async def judge(gate: Gate, who: SlackUser | ApiCaller) -> Person | Refused:
    """Return the person, or a refusal; raises DirectoryUnavailable when Slack does not answer and nothing is cached."""
    policy = gate.policy()
    if isinstance(who, ApiCaller):
        return _caller(who, policy)
    groups = policy.groups
    # `expect` starts the missing requests concurrently; usually all is cached, and then no task is started.
    gate.directory.expect(who.id, groups)
    profile = await gate.directory.profile(who.id)
    members = {group: await gate.directory.group(group) for group in groups}
    return entitle(profile, who.team_id, gate.team_id(), policy, members)


async def reading_refusal(gate: Gate, who: SlackUser) -> Refused | None:
    """Why they may not read reviews and diffs in Slack; None when they may; raises DirectoryUnavailable."""
    policy = gate.policy()
    groups = policy.groups if policy.readers is not None else frozenset[str]()
    gate.directory.expect(who.id, groups)
    profile = await gate.directory.profile(who.id)
    members = {group: await gate.directory.group(group) for group in groups}
    return may_read(profile, who.team_id, gate.team_id(), policy, members)


def _caller(who: ApiCaller, policy: Policy) -> Person:
    """A token with the scope to decide is a reviewer; a claimed name is never a lead."""
    if who.token is None:
        return Person(who.id, who.name, who.email, lead=False, verified=False)
    lead = policy.leads is not None and who.token in policy.leads.tokens
    return Person(who.id, who.token, None, lead=lead, human=False)
