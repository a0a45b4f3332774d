"""Judging who asks, at the moment they ask, from what Slack says now."""

from dataclasses import dataclass

from bot.domain.access import Person, entitle
from bot.domain.outcome import Refused
from bot.service.gate import Gate


@dataclass(frozen=True, slots=True)
class SlackUser:
    """Who clicked, from the signed payload: an id and a workspace, and no claim beyond that."""

    id: str
    team_id: str


async def judge(gate: Gate, who: SlackUser) -> Person | Refused:
    """Entitled or refused; raises DirectoryUnavailable when Slack cannot be asked and nothing fresh is known."""
    policy = gate.policy()
    groups = policy.groups
    # Asked side by side, answered one after another: what is known costs no task, and nearly always all of it is.
    gate.directory.expect(who.id, groups)
    profile = await gate.directory.profile(who.id)
    members = {group: await gate.directory.group(group) for group in groups}
    return entitle(profile, who.team_id, gate.team_id(), policy, members)
