"""Approval by the policy alone, in the transaction in which an APV arrives or changes."""

from collections.abc import Sequence

from bot.domain.apv import Apv
from bot.domain.auto import approved_by_policy
from bot.domain.events import Event
from bot.domain.review import Review
from bot.service.gate import Gate


def judged(gate: Gate, review: Review, events: Sequence[Event], apv: Apv) -> tuple[Review, list[Event]]:
    """The review as it came and what happened to it; approved on top of that where the policy says so."""
    outcome = approved_by_policy(review, apv, gate.policy(), opens_pulls=gate.opens_pulls, now=gate.now())
    return (outcome.review, [*events, *outcome.events]) if outcome else (review, list(events))
