"""What a person does to a review. One function: read, decide, record in one go; then it is true or it is not.

Slack is asked who they are before the row is read, and nothing outside is called from then on.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID, uuid4

from bot import metrics
from bot.domain import review as rules
from bot.domain.access import Person
from bot.domain.apv import Json
from bot.domain.events import Approved, Event, VoteWithdrawn
from bot.domain.refusal import Accepted, Outcome, Reason, Refused, Repeated
from bot.domain.review import Action, Choice, Decision, Review, Status
from bot.service.consequences import follow
from bot.service.gate import Gate
from bot.service.group_commit import Written
from bot.service.people import ApiCaller, SlackUser, judge
from storage.audit import Entry
from storage.record import WITHDRAWN, Change, DecisionRow, Settlement
from storage.reviews import Locked

UNKNOWN = Refused(Reason.UNKNOWN_REVIEW, "This review does not exist in the database.")


@dataclass(frozen=True, slots=True)
class Particulars:
    """What a program adds to a decision: kept with it, and no part of any rule. `confidence` is 0-1."""

    id: UUID = field(default_factory=uuid4)
    confidence: float | None = None
    modifications: Json = None
    metadata: Mapping[str, Json] = field(default_factory=dict)


async def decide(
    gate: Gate,
    who: SlackUser | ApiCaller,
    review_id: UUID,
    decision: Decision,
    *,
    source: str,
    delivery: bytes | None = None,
    particulars: Particulars | None = None,
) -> Outcome | Repeated:
    """Record one person's decision, or their refusal with its reason.

    Raises TimeoutError after `gate.patience`, DirectoryUnavailable, or the database's error: then nothing is recorded;
    CommitUnknown: then it may be. The same `delivery` again changes nothing.
    """
    began = time.perf_counter()
    now = gate.now()

    def rule(review: Review, person: Person) -> Outcome:
        return rules.decide(review, person, decision, gate.policy(), opens_pulls=gate.opens_pulls, now=now)

    outcome = await apply(
        gate,
        who,
        review_id,
        rule,
        decision,
        asked=decision.choice.value,
        now=now,
        source=source,
        delivery=delivery,
        particulars=particulars,
    )
    metrics.DECISION_SECONDS.observe(time.perf_counter() - began)
    if isinstance(outcome, Accepted):
        review = outcome.review
        metrics.DECISIONS.labels(decision.choice, review.severity, source).inc()
        if review.closed_at is not None:
            metrics.REVIEW_WAIT_SECONDS.labels(review.severity).observe((now - review.created_at).total_seconds())
    return outcome


async def claim(
    gate: Gate, who: SlackUser, review_id: UUID, *, source: str, delivery: bytes | None = None
) -> Outcome | Repeated:
    """Say that somebody is reading it; refused and raised as in `decide`."""
    return await apply(
        gate, who, review_id, rules.claim, None, asked="claim", now=gate.now(), source=source, delivery=delivery
    )


async def withdraw(
    gate: Gate, who: SlackUser, review_id: UUID, *, source: str, delivery: bytes | None = None
) -> Outcome | Repeated:
    """Take one's own approval back; refused and raised as in `decide`. Its record stays, and says so."""

    def rule(review: Review, person: Person) -> Outcome:
        return rules.withdraw(review, person, gate.policy())

    return await apply(
        gate, who, review_id, rule, None, asked="withdraw", now=gate.now(), source=source, delivery=delivery
    )


async def consider(
    gate: Gate, who: SlackUser, review_id: UUID, decision: Decision, *, source: str, delivery: bytes | None = None
) -> Outcome | Repeated:
    """Whether to ask somebody for their justification at all; a refusal is recorded, and what counts is asked again."""
    now = gate.now()

    def rule(review: Review, person: Person) -> Outcome:
        return rules.consider(review, person, decision, gate.policy(), now=now)

    asked = decision.choice.value
    return await apply(gate, who, review_id, rule, decision, asked=asked, now=now, source=source, delivery=delivery)


async def apply(
    gate: Gate,
    who: SlackUser | ApiCaller,
    review_id: UUID,
    rule: Callable[[Review, Person], Outcome],
    decision: Decision | None,
    *,
    asked: str,
    now: datetime,
    source: str,
    delivery: bytes | None,
    particulars: Particulars | None = None,
) -> Outcome | Repeated:
    """Judge who asks, read the review, let `rule` say what comes of it, and write that down; raises as `decide`.

    `asked` names in the audit log what was refused.
    """
    outcome: Outcome = UNKNOWN

    def change(locked: Locked) -> Change:
        nonlocal outcome
        outcome = person if isinstance(person, Refused) else rule(locked.review, person)
        if isinstance(outcome, Refused):
            return _refused(locked, outcome, who, asked, now=now, source=source, delivery=delivery)
        assert isinstance(person, Person), "a refused person is refused"
        row = (
            _decision_row(outcome, person, decision, particulars or Particulars(), source)
            if decision and outcome.events
            else None
        )
        by = gate.policy().digest
        return _accepted(locked, outcome, person, decision, row, policy=by, now=now, source=source, delivery=delivery)

    async with asyncio.timeout(gate.patience):
        person = await judge(gate, who)
        written = await gate.commits.write(review_id, change)
    return Repeated() if written is Written.REPEATED else outcome


def _refused(
    locked: Locked,
    outcome: Refused,
    who: SlackUser | ApiCaller,
    asked: str,
    *,
    now: datetime,
    source: str,
    delivery: bytes | None,
) -> Change:
    detail: dict[str, Json] = {"reason": outcome.reason.value, "asked": asked}
    entry = Entry("decision.refused", who.id, source, outcome.sentence, now, detail)
    return Change(review=locked.review, head=locked.head, entries=[entry], now=now, touched=False, delivery=delivery)


def _accepted(
    locked: Locked,
    outcome: Accepted,
    person: Person,
    decision: Decision | None,
    row: DecisionRow | None,
    *,
    policy: str,
    now: datetime,
    source: str,
    delivery: bytes | None,
) -> Change:
    if not outcome.events:
        # Somebody was let in to say why; only the request itself is written down.
        return Change(review=locked.review, head=locked.head, entries=(), now=now, touched=False, delivery=delivery)
    review = replace(outcome.review, revision=locked.review.revision + 1)
    detail = _detail(review, decision, row, policy)
    entries, jobs = follow(review, outcome.events, actor=person.key, source=source, now=now, detail=detail)
    return Change(
        review=review,
        head=locked.head,
        entries=entries,
        now=now,
        touched=True,
        decision=row,
        settlement=_settlement(outcome, person, row),
        jobs=jobs,
        delivery=delivery,
    )


def _detail(review: Review, decision: Decision | None, row: DecisionRow | None, policy: str) -> Mapping[str, Json]:
    if decision is None or row is None:
        return {"version": review.version}
    claimed: dict[str, Json] = {} if row.reviewer_verified else {"reviewer_verified": False}
    return claimed | {
        "version": review.version,
        "digest": review.digest,
        "decision_id": str(row.id),
        "decision": decision.choice.value,
        "category": decision.category,
        "justification": row.comments,
        # By which file it was judged; the table `policies` has its text.
        **({"policy": policy} if policy else {}),
    }


def _decision_row(
    outcome: Accepted, person: Person, decision: Decision, particulars: Particulars, source: str
) -> DecisionRow:
    category: dict[str, Json] = {"category": decision.category} if decision.category else {}
    return DecisionRow(
        id=particulars.id,
        choice=decision.choice,
        reviewer_key=person.key,
        reviewer_name=person.name,
        reviewer_email=person.email,
        reviewer_verified=person.verified,
        source=source,
        comments=decision.justification.strip(),
        confidence=particulars.confidence,
        action_taken=_action(outcome.review, decision.choice, outcome.events),
        modifications=particulars.modifications,
        metadata=category | dict(particulars.metadata),
    )


def _action(review: Review, choice: Choice, events: tuple[Event, ...]) -> Action | None:
    match choice:
        case Choice.REJECT:
            return Action.RECORDED
        case Choice.MODIFY:
            return Action.CHANGES_REQUESTED
        case Choice.ESCALATE:
            return Action.ESCALATED
        case Choice.APPROVE:
            nothing_follows = review.status is Status.APPROVED and not any(
                isinstance(e, Approved) and e.opens_pull for e in events
            )
            return Action.RECORDED if nothing_follows else None


def _settlement(outcome: Accepted, person: Person, row: DecisionRow | None) -> Settlement | None:
    """Approvals are no longer under way once withdrawn, or the review is closed with nothing more to follow."""
    if any(isinstance(event, VoteWithdrawn) for event in outcome.events):
        return replace(WITHDRAWN, of=person.key)
    if row is None or row.action_taken is None or row.choice is Choice.ESCALATE:
        return None
    notes = (
        None
        if row.choice is Choice.APPROVE
        else f"The review was closed: {outcome.review.status.value.replace('_', ' ')}."
    )
    return Settlement(Action.RECORDED, notes)
