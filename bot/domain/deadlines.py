"""Deadlines, reminders and escalation steps of a review: pure arithmetic on the times passed in."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.domain.apv import Apv, Json
from bot.domain.bod_26_04 import assess
from bot.domain.events import Event, Kind
from bot.domain.policy import EscalationStep, Preset, Rule
from bot.domain.review import AWAITING, Accepted, Review, Status


def due_at(since: datetime, rule: Rule, apv: Apv, metadata: Mapping[str, Json]) -> datetime | None:
    """The deadline of a review that has waited since `since`; None if the directive says "next upgrade"."""
    if rule.deadline is Preset.FIXED:
        return since + timedelta(minutes=rule.minutes)
    days = assess(apv, metadata).row.days
    return None if days is None else since + timedelta(days=days)


def why_due(rule: Rule, apv: Apv, metadata: Mapping[str, Json]) -> str | None:
    """The row of the directive's table behind the deadline, and why; None for a fixed number of minutes."""
    return assess(apv, metadata).reason if rule.deadline is Preset.BOD_26_04 else None


def came_late(review: Review, now: datetime) -> bool:
    """Whether new content arrives on a closed review after its deadline, so that it gets a new one."""
    return review.status not in AWAITING and review.due_at is not None and review.due_at <= now


def kept_due_at(before: Review, was: Rule, rule: Rule, apv: Apv, metadata: Mapping[str, Json]) -> datetime | None:
    """The deadline of a review that gets new content in time: unchanged, unless its inputs have changed.

    `was` is the rule for the former content, `rule` the rule for the new one.
    """
    kept = before.due_at is not None and was is rule and rule.deadline is Preset.FIXED
    return before.due_at if kept else due_at(before.waiting_since, rule, apv, metadata)


@dataclass(frozen=True, slots=True)
class Said:
    """How many reminders and escalation steps have been posted so far."""

    reminders: int = 0
    steps: int = 0


@dataclass(frozen=True, slots=True)
class Due:
    """What to post now, the counts after that, and when to look again (None: never)."""

    remind: bool
    wake: bool
    """Its snooze is over."""
    steps: tuple[EscalationStep, ...]
    expire: bool
    said: Said
    next_at: datetime | None

    @property
    def tell(self) -> tuple[str, ...]:
        """Keys of the people and user groups named in the steps."""
        return tuple(sorted({key for step in self.steps for key in (*step.to.users, *step.to.groups)}))


def due(review: Review, rule: Rule, said: Said, now: datetime) -> Due:
    """What is due for a review that awaits a decision. Missed reminders are posted as one."""
    reminders = _reminders(review, rule)
    steps = [(review.due_at - timedelta(minutes=s.before), s) for s in rule.escalation] if review.due_at else []
    ends = review.due_at + timedelta(minutes=rule.expires) if review.due_at and rule.expires is not None else None
    if ends is not None and now >= ends:
        return Due(remind=False, wake=False, steps=(), expire=True, said=said, next_at=None)
    wakes = min((m for m in (review.snoozed_until, review.due_at) if m), default=None) if review.snoozed_until else None
    passed = sum(moment <= now for moment in reminders)
    reached = tuple(step for moment, step in steps[said.steps :] if moment <= now)
    ahead = (*reminders, *(moment for moment, _ in steps), *((ends,) if ends else ()), *((wakes,) if wakes else ()))
    later = [moment for moment in ahead if moment > now]
    return Due(
        # Reminders that a snooze suppressed are not posted after it either.
        remind=passed > said.reminders and wakes is None,
        wake=wakes is not None and wakes <= now,
        steps=reached,
        expire=False,
        said=replace(said, reminders=max(passed, said.reminders), steps=said.steps + len(reached)),
        next_at=min(later, default=None),
    )


def say(review: Review, due: Due, now: datetime) -> Accepted | None:
    """The review and its events once what is due is posted; None when there is nothing to post."""
    if due.expire:
        expired = Event(Kind.EXPIRED, f"{review.code} expired: nobody decided in time.")
        return Accepted(replace(review, status=Status.EXPIRED, closed_at=now), (expired,))
    events: list[Event] = []
    when = f" It is due {review.due_at:%Y-%m-%d %H:%M} UTC." if review.due_at else ""
    if due.wake:
        review = replace(review, snoozed_until=None, snooze_reason=None)
        events.append(Event(Kind.WOKEN, f"The snooze of {review.code} is over."))
    if due.remind:
        whose = f"{review.claimed_by_name} has claimed it." if review.claimed_by_name else "Nobody has claimed it."
        waited = _span((now - review.waiting_since).total_seconds())
        events.append(Event(Kind.REMINDED, f"{review.code} has waited {waited} for a decision. {whose}{when}"))
    for step in due.steps:
        sentence = f"{review.code} is still undecided; {', '.join(step.names)}: please look at it.{when}"
        events.append(Event(Kind.DEADLINE_NEAR, sentence, alarm=True, tell=due.tell))
    return Accepted(review, tuple(events)) if events else None


def missed(review: Review) -> Accepted:
    """The deadline has passed without a decision."""
    sentence = f"{review.code} missed its deadline: nobody has decided."
    return Accepted(review, (Event(Kind.DEADLINE_MISSED, sentence, alarm=True),))


def _reminders(review: Review, rule: Rule) -> list[datetime]:
    """The times of the reminders, all before the deadline; at the deadline the breach is announced instead."""
    if rule.reminders is None:
        return []
    moments, moment, wait = [], review.waiting_since, float(rule.reminders.after)
    for _ in range(rule.reminders.at_most):
        moment += timedelta(minutes=wait)
        wait *= rule.reminders.backoff
        if review.due_at is not None and moment >= review.due_at:
            break
        moments.append(moment)
    return moments


def _span(seconds: float) -> str:
    minutes = int(seconds // 60)
    for size, name in ((1440, "day"), (60, "hour"), (1, "minute")):
        if minutes >= size:
            count = minutes // size
            return f"{count} {name}{'s' if count != 1 else ''}"
    return "less than a minute"
