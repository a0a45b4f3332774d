"""When a review must be decided, and what is said of it until then: pure arithmetic on moments that are passed in."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.domain.apv import Apv, Json
from bot.domain.bod_26_04 import assess
from bot.domain.policy import EscalationStep, Preset, Rule
from bot.domain.review import Review


def due_at(created_at: datetime, rule: Rule, apv: Apv, metadata: Mapping[str, Json]) -> datetime | None:
    """The deadline, counted from arrival; None where the directive says "next upgrade"."""
    if rule.deadline is Preset.FIXED:
        return created_at + timedelta(minutes=rule.minutes)
    days = assess(apv, metadata).row.days
    return None if days is None else created_at + timedelta(days=days)


def why_due(rule: Rule, apv: Apv, metadata: Mapping[str, Json]) -> str | None:
    """Which row of the directive's table the deadline is from, and why; None where it is a fixed number of minutes."""
    return assess(apv, metadata).reason if rule.deadline is Preset.BOD_26_04 else None


@dataclass(frozen=True, slots=True)
class Told:
    """What has been said of a review so far: how many reminders, and how many steps of the escalation chain."""

    reminders: int = 0
    steps: int = 0


@dataclass(frozen=True, slots=True)
class Turn:
    """What is to be said now, what will have been said then, and when to look again (None: no more)."""

    remind: bool
    wake: bool
    """Its snooze has come to its end."""
    steps: tuple[EscalationStep, ...]
    expire: bool
    told: Told
    next_at: datetime | None


def turn(review: Review, rule: Rule, told: Told, now: datetime) -> Turn:
    """What time brings to a review that awaits a decision. What was missed while nobody looked is said once."""
    reminders = _reminders(review, rule)
    steps = [(review.due_at - timedelta(minutes=s.before), s) for s in rule.escalation] if review.due_at else []
    ends = review.due_at + timedelta(minutes=rule.expires) if review.due_at and rule.expires is not None else None
    if ends is not None and now >= ends:
        return Turn(remind=False, wake=False, steps=(), expire=True, told=told, next_at=None)
    wakes = min((m for m in (review.snoozed_until, review.due_at) if m), default=None) if review.snoozed_until else None
    passed = sum(moment <= now for moment in reminders)
    reached = tuple(step for moment, step in steps[told.steps :] if moment <= now)
    ahead = (*reminders, *(moment for moment, _ in steps), *((ends,) if ends else ()), *((wakes,) if wakes else ()))
    later = [moment for moment in ahead if moment > now]
    return Turn(
        # What would have been said during a snooze is not said after it either.
        remind=passed > told.reminders and wakes is None,
        wake=wakes is not None and wakes <= now,
        steps=reached,
        expire=False,
        told=replace(told, reminders=max(passed, told.reminders), steps=told.steps + len(reached)),
        next_at=min(later, default=None),
    )


def _reminders(review: Review, rule: Rule) -> list[datetime]:
    """The moments to remind the thread; none at or after the deadline, where the breach is told instead."""
    if rule.reminders is None:
        return []
    moments, moment, wait = [], review.created_at, float(rule.reminders.after)
    for _ in range(rule.reminders.at_most):
        moment += timedelta(minutes=wait)
        wait *= rule.reminders.backoff
        if review.due_at is not None and moment >= review.due_at:
            break
        moments.append(moment)
    return moments
