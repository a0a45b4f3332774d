"""A person's decisions on a review. Each function reads, judges and records atomically.

The person is looked up in Slack before the row is read; after that, only the database is called.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias
from uuid import UUID, uuid4

from bot import metrics
from bot.domain import deadlines, repeats
from bot.domain import decisions as rules
from bot.domain.apv import Json
from bot.domain.decisions import Decision
from bot.domain.people import Person
from bot.domain.refusal import Reason, Refused
from bot.domain.review import (
    AWAITING,
    Accepted,
    Action,
    AskFirst,
    Choice,
    Outcome,
    Repeated,
    Review,
    Status,
    unreadable_refusal,
)
from bot.service import queries, swaps
from bot.service.consequences import Cause, change
from bot.service.gate import Gate
from bot.service.group_commit import Written
from bot.service.people import ApiCaller, EarlierVoters, SlackUser, TokenOwner, judge
from storage.audit import Entry
from storage.record import Change, DecisionRow
from storage.reviews import Whole

Judgement: TypeAlias = Callable[[Review, Person], Outcome | AskFirst | Repeated]
"""A rule that judges one person's action on a review."""

UNKNOWN = Refused(Reason.UNKNOWN_REVIEW, "This review is gone: the database was replaced since this card was posted.")


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks and from where; `delivery` identifies the request, and a duplicate changes nothing."""

    who: SlackUser | TokenOwner | ApiCaller
    source: str
    delivery: bytes | None = None
    request: Mapping[str, Json] = field(default_factory=dict)
    """The hashes that recognise a repeated API request, and the token's name; stored with the decision or refusal."""


@dataclass(frozen=True, slots=True)
class Particulars:
    """What a program adds to a decision: stored with it, ignored by the rules. `confidence` is 0-1."""

    id: UUID = field(default_factory=uuid4)
    confidence: float | None = None
    modifications: Json = None
    metadata: Mapping[str, Json] = field(default_factory=dict)


async def decide(
    gate: Gate,
    asker: Asker,
    review_id: UUID,
    decision: Decision,
    particulars: Particulars | None = None,
    *,
    repeatable: bool = False,
) -> Outcome | Repeated:
    """Record one person's decision, or their refusal with its reason.

    `repeatable`: if they are refused because they decided the same before, and that still holds, it returns Repeated
    and records nothing.
    Nothing is recorded if it raises TimeoutError (after `gate.patience`), DirectoryUnavailable or the database's error.
    On CommitUnknown, the decision may be recorded.
    """
    began = time.perf_counter()
    now, earlier = gate.now(), EarlierVoters(gate)

    def rule(review: Review, person: Person) -> Outcome | AskFirst | Repeated:
        policy, opens_pulls = gate.policy(), gate.opens_pulls
        outcome = rules.decide(review, person, decision, policy, opens_pulls=opens_pulls, now=now, voters=earlier.voter)
        if repeatable and isinstance(outcome, Refused) and repeats.stands(review, person, decision, outcome):
            return Repeated(stands=True)
        return outcome

    made = (decision, particulars or Particulars())
    outcome = await apply(gate, asker, review_id, rule, now, asked=decision.choice.value, made=made, earlier=earlier)
    metrics.DECISION_SECONDS.observe(time.perf_counter() - began)
    if isinstance(outcome, Accepted):
        review = outcome.review
        metrics.DECISIONS.labels(decision.choice, review.severity, asker.source).inc()
        if review.closed_at is not None:
            metrics.REVIEW_WAIT_SECONDS.labels(review.severity).observe((now - review.created_at).total_seconds())
    return outcome


async def withdraw(gate: Gate, asker: Asker, review_id: UUID) -> Outcome | Repeated:
    """Withdraw one's own approval; refuses and raises as `decide` does. Its record stays, marked as withdrawn."""

    def rule(review: Review, person: Person) -> Outcome:
        return rules.withdraw(review, person, gate.policy())

    return await apply(gate, asker, review_id, rule, gate.now(), asked="withdraw")


async def consider(gate: Gate, asker: Asker, review_id: UUID, decision: Decision) -> Outcome | Repeated:
    """Check whether to ask for a justification at all; records a refusal. `decide` checks again."""
    now = gate.now()

    def rule(review: Review, person: Person) -> Outcome:
        refusal = rules.consider(review, person, decision, gate.policy(), now=now)
        return refusal or Accepted(review)

    return await apply(gate, asker, review_id, rule, now, asked=decision.choice.value)


async def reopen(gate: Gate, asker: Asker, review_id: UUID, why: str) -> Outcome | Repeated:
    """Open a rejected review for new votes, at a lead's request; refuses and raises as `decide` does."""
    now = gate.now()
    async with asyncio.timeout(gate.patience):
        dossier, later = await queries.get(gate, review_id), await queries.later(gate, review_id)

    def rule(review: Review, person: Person) -> Outcome:
        if later is not None:
            return Refused(Reason.CLOSED, f"{later} follows {review.code}; decide on that one.")
        policy = gate.policy()
        due_at = deadlines.due_at(now, policy.rule_for(review), dossier.apv, dossier.metadata) if dossier else None
        return rules.reopen(review, person, why, policy, now=now, due_at=due_at)

    return await apply(gate, asker, review_id, rule, now, asked="reopen")


async def apply(
    gate: Gate,
    asker: Asker,
    review_id: UUID,
    rule: Judgement,
    now: datetime,
    *,
    asked: str,
    made: tuple[Decision, Particulars] | None = None,
    earlier: EarlierVoters | None = None,
) -> Outcome | Repeated:
    """Check the person, read the review, apply the rule and record its outcome; raises as `decide` does.

    `asked` names the refused action in the audit log. If another program changed the content, the action is refused
    and the review becomes a new version.
    """
    outcome: Outcome | AskFirst | Repeated = UNKNOWN
    swapped = False

    def amend(whole: Whole) -> Change | None:
        nonlocal outcome, swapped
        if whole.review.unreadable:
            outcome = unreadable_refusal(whole.review)
            return None
        swapped = not whole.intact
        outcome = _judged(whole, person, rule)
        if isinstance(outcome, AskFirst | Repeated):
            return None
        if isinstance(outcome, Refused):
            actor = person.key if isinstance(person, Person) else asker.who.id
            return _refusal(whole, outcome, Cause(actor, asker.source, now), asker, asked)
        assert isinstance(person, Person), "a refused person is refused"
        row = _decision_row(outcome, person, *made, asker) if made else None
        detail: dict[str, Json] = {"version": outcome.review.version} | (
            _detail(outcome.review, made[0], row, gate) if made and row else {}
        )
        cause = Cause(person.key, asker.source, now, detail)
        return change(whole, outcome, cause, decision=row, delivery=asker.delivery)

    async with asyncio.timeout(gate.patience):
        person = await judge(gate, asker.who)
        written = await gate.commits.write(review_id, amend)
        while isinstance(outcome, AskFirst) and earlier:
            await earlier.ask(outcome.voters)
            written = await gate.commits.write(review_id, amend)
    if swapped:
        await swaps.show_again(gate, review_id)
    assert not isinstance(outcome, AskFirst), "only a decision asks, and waits for the answer"
    return Repeated() if written is Written.REPEATED else outcome


def _judged(whole: Whole, person: Person | Refused, rule: Judgement) -> Outcome | AskFirst | Repeated:
    if isinstance(person, Refused):
        return person
    return rule(whole.review, person) if whole.intact else rules.swapped_refusal(whole.review)


def _refusal(whole: Whole, refused: Refused, cause: Cause, asker: Asker, asked: str) -> Change:
    """The change that only adds a refusal to the audit log."""
    detail: dict[str, Json] = {"reason": refused.reason.value, "asked": asked, **asker.request}
    entry = Entry("decision.refused", cause.actor, cause.source, refused.sentence, cause.at, detail)
    return Change(
        review=whole.review, head=whole.head, entries=[entry], now=cause.at, touched=False, delivery=asker.delivery
    )


def _detail(review: Review, decision: Decision, row: DecisionRow, gate: Gate) -> dict[str, Json]:
    claimed: dict[str, Json] = {} if row.reviewer_verified else {"reviewer_verified": False}
    token: dict[str, Json] = {"token": name} if (name := (row.metadata or {}).get("token")) else {}
    # The policy that judged it; the table `policies` has its text.
    policy: dict[str, Json] = {"policy": digest} if (digest := gate.policy().digest) else {}
    return claimed | token | policy | {
        "digest": review.digest,
        "decision_id": str(row.id),
        "decision": row.choice.value,
        "category": decision.category,
        "justification": row.comments,
    }  # fmt: skip


def _decision_row(
    outcome: Accepted, person: Person, decision: Decision, particulars: Particulars, asker: Asker
) -> DecisionRow:
    category: dict[str, Json] = {"category": decision.category} if decision.category else {}
    return DecisionRow(
        id=particulars.id,
        choice=decision.choice,
        reviewer_key=person.key,
        reviewer_name=person.name,
        reviewer_email=person.email,
        reviewer_verified=person.verified,
        source=asker.source,
        comments=decision.justification.strip(),
        confidence=particulars.confidence,
        action_taken=_action(outcome.review, decision.choice),
        closing=outcome.review.status not in AWAITING,
        modifications=particulars.modifications,
        metadata=category | {**particulars.metadata, **asker.request},
    )


def _action(review: Review, choice: Choice) -> Action | None:
    match choice:
        case Choice.REJECT:
            return Action.RECORDED
        case Choice.MODIFY:
            return Action.CHANGES_REQUESTED
        case Choice.ESCALATE:
            return Action.ESCALATED
        case Choice.APPROVE:
            return Action.RECORDED if review.status is Status.APPROVED and review.hold else None
