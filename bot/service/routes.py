"""Moves a review's card to another channel when new content changes its route."""

from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.apv import Json, Severity
from bot.domain.review import Review
from bot.jobs import MoveCard
from bot.scores import band
from bot.service.gate import Gate
from storage import jobs, messages


async def follow_route(gate: Gate, tx: AsyncConnection, before: Review, after: Review) -> None:
    """Move the card if the content of `after` has another channel than that of `before`, by the policy of today.

    A new policy alone moves no card. A card in the fallback channel stays there while its content keeps its route.
    Call it before the change is recorded, so that the jobs of the change go to the new channel.
    """
    policy = gate.policy()
    channel = policy.channel_for(after)
    if channel != policy.channel_for(before) and await messages.place_card(tx, after.id, channel):
        await jobs.enqueue(tx, [(MoveCard(after.id, after.version), after.severity)])


def as_shown(review: Review, shown: Mapping[str, Json] | None) -> Review:
    """The review with the fields that decide its route taken from `shown`; unchanged if that is None."""
    if shown is None:
        return review
    vector = shown["cvss_vector"]
    return replace(
        review,
        severity=Severity(str(shown["severity"])),
        cvss_severity=band(vector if isinstance(vector, str) else None),
        kev=shown.get("kev", review.kev) is True,
        package_name=str(shown["package_name"]),
        package_ecosystem=str(shown["package_ecosystem"]),
        repository=str(shown["repository"]),
    )
