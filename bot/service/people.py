"""Judging who asks, at the moment they ask, from what Slack says now."""

import asyncio
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
    groups = sorted(policy.groups)
    profile, members = await asyncio.gather(
        gate.directory.profile(who.id), asyncio.gather(*map(gate.directory.group, groups))
    )
    return entitle(profile, who.team_id, gate.team_id(), policy, dict(zip(groups, members, strict=True)))
