"""Judging who asks, at the moment they ask, from what Slack says now."""

from dataclasses import dataclass

from bot.domain.people import Person, entitle
from bot.domain.policy import Policy
from bot.domain.refusal import Refused
from bot.service.gate import Gate


@dataclass(frozen=True, slots=True)
class SlackUser:
    """Who clicked, from the signed payload: an id and a workspace, and no claim beyond that."""

    id: str
    team_id: str


@dataclass(frozen=True, slots=True)
class ApiCaller:
    """Who calls the API: a token's name, or without tokens what the client says of itself."""

    token: str | None
    name: str
    email: str | None = None

    @property
    def id(self) -> str:
        """The same for one person however many names they send."""
        return f"token:{self.token}" if self.token else f"claimed:{(self.email or self.name).casefold()}"


async def judge(gate: Gate, who: SlackUser | ApiCaller) -> Person | Refused:
    """Entitled or refused; raises DirectoryUnavailable when Slack cannot be asked and nothing fresh is known."""
    policy = gate.policy()
    if isinstance(who, ApiCaller):
        return _caller(who, policy)
    groups = policy.groups
    # Asked side by side, answered one after another: what is known costs no task, and nearly always all of it is.
    gate.directory.expect(who.id, groups)
    profile = await gate.directory.profile(who.id)
    members = {group: await gate.directory.group(group) for group in groups}
    return entitle(profile, who.team_id, gate.team_id(), policy, members)


def _caller(who: ApiCaller, policy: Policy) -> Person:
    """A token that may decide is a reviewer by itself; nobody becomes a lead by saying so."""
    if who.token is None:
        return Person(who.id, who.name, who.email, lead=False, verified=False)
    lead = policy.leads is not None and who.token in policy.leads.tokens
    return Person(who.id, who.token, None, lead=lead)
