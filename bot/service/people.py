"""Checks who clicks or calls, each time, against Slack."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.domain.people import DirectoryUnavailable, Person, SlackProfile, entitle, may_read
from bot.domain.policy import Policy
from bot.domain.refusal import Reason, Refused
from bot.domain.review import Vote
from bot.domain.spelling import uncased
from bot.service.gate import Gate


@dataclass(frozen=True, slots=True)
class SlackUser:
    """Who clicked, from the signed payload: only an id and a workspace."""

    id: str
    team_id: str


@dataclass(frozen=True, slots=True)
class TokenOwner:
    """A person who calls the API with their own token; `owner` is their Slack user id or e-mail address."""

    token: str
    owner: str

    @property
    def id(self) -> str:
        """Their Slack id if the setting names it, otherwise the token: only Slack knows whose address it is."""
        return f"token:{self.token}" if "@" in self.owner else self.owner


@dataclass(frozen=True, slots=True)
class ApiCaller:
    """Any other caller of the API: a machine, by its token's name; without tokens, the name that the client gives."""

    token: str | None
    name: str
    email: str | None = None

    @property
    def id(self) -> str:
        """A stable key: the token, or the e-mail address or name in ASCII lower case."""
        return f"token:{self.token}" if self.token else f"claimed:{uncased(self.email or self.name)}"


@dataclass(slots=True)
class EarlierVoters:
    """The earlier voters of a review, checked in Slack again before a vote meets the quorum."""

    gate: Gate
    asked: dict[str, Person | Refused] = field(default_factory=dict)

    def voter(self, vote: Vote) -> Person | Refused | None:
        """Who they are now, or why they may no longer decide; None: Slack must be asked first."""
        kind, named, name = vote.person.partition(":")
        if not named:
            return self.asked.get(vote.person)
        if kind == "token" and name not in self.gate.policy().machines_at(self.gate.now()):
            return Refused(Reason.UNKNOWN_PERSON, "This token may no longer decide.")
        return Person(vote.person, vote.name, None, lead=False, human=kind != "token")

    async def ask(self, voters: Sequence[Vote]) -> None:
        """Ask Slack about them without the cache; raises DirectoryUnavailable."""
        for vote in voters:
            self.gate.directory.forget(vote.person)
            self.gate.directory.expect(vote.person, ())
        for vote in voters:
            self.asked[vote.person] = await judge(self.gate, SlackUser(vote.person, self.gate.team_id()))


async def judge(gate: Gate, who: SlackUser | TokenOwner | ApiCaller) -> Person | Refused:
    """Return the person, or a refusal; raises DirectoryUnavailable when Slack does not answer and nothing is cached."""
    policy = gate.policy()
    if isinstance(who, ApiCaller):
        return _caller(who, policy)
    groups = policy.groups
    # `expect` starts the missing requests concurrently; usually all is cached, and then no task is started.
    gate.directory.expect(who.owner if isinstance(who, TokenOwner) else who.id, groups)
    profile = await _profile(gate, who)
    members = {group: await gate.directory.group(group) for group in groups}
    return entitle(profile, _workspace(gate, who), gate.team_id(), policy, members)


async def _profile(gate: Gate, who: SlackUser | TokenOwner) -> SlackProfile | None:
    if isinstance(who, TokenOwner) and "@" in who.owner:
        return await gate.directory.by_email(who.owner)
    return await gate.directory.profile(who.owner if isinstance(who, TokenOwner) else who.id)


def _workspace(gate: Gate, who: SlackUser | TokenOwner) -> str:
    """The workspace of a click, or ours for a token; raises DirectoryUnavailable until Slack has named ours."""
    if isinstance(who, SlackUser):
        return who.team_id
    if not gate.team_id():
        raise DirectoryUnavailable("Slack has not said yet which workspace this is")
    return gate.team_id()


async def reading_refusal(gate: Gate, who: SlackUser) -> Refused | None:
    """Why they may not read reviews and diffs in Slack; None when they may; raises DirectoryUnavailable."""
    policy = gate.policy()
    groups = policy.groups if policy.readers is not None else frozenset[str]()
    gate.directory.expect(who.id, groups)
    profile = await gate.directory.profile(who.id)
    members = {group: await gate.directory.group(group) for group in groups}
    return may_read(profile, who.team_id, gate.team_id(), policy, members)


def _caller(who: ApiCaller, policy: Policy) -> Person:
    """A machine may be a lead by its token's name; a claimed name never is."""
    if who.token is None:
        return Person(who.id, who.name, who.email, lead=False, verified=False)
    lead = policy.leads is not None and who.token in policy.leads.tokens
    return Person(who.id, who.token, None, lead=lead, human=False)
