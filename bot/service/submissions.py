"""Taking APVs in: each is a new review, new content for one that waits, or known already. A list is one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain import deadlines as sla
from bot.domain import review as rules
from bot.domain.apv import Apv, Json, Submission, digest, identity
from bot.domain.events import Event, Submitted
from bot.domain.policy import Preset
from bot.domain.review import Action
from bot.jobs import MakeBump, OpenPull
from bot.service.automatic import judged
from bot.service.consequences import change, write
from bot.service.errors import database_is_away
from bot.service.gate import Gate
from storage import jobs, messages, reviews, submissions
from storage.record import Settlement, record
from storage.reviews import Locked, Stored

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why one of the submitted APVs cannot be taken: `loc` is its place in the list and the field."""

    type: str
    loc: tuple[int | str, ...]
    msg: str


class _CodeTaken(Exception):
    """The code asked for belongs to another APV."""


class NotAccepted(Exception):
    """Nothing of the list was stored; every fault is named."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(fault.msg for fault in faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Receipt:
    """A submitted APV's review as it is now, and whether this submission made it."""

    stored: Stored
    created: bool


async def submit(gate: Gate, submitted: Sequence[Submission], *, principal: str, source: str) -> list[Receipt]:
    """Store all or none, in the order sent; raises NotAccepted. `principal` is the reporter where none is named."""
    _refuse_foreign(gate, submitted)
    items = [replace(s, apv=replace(s.apv, reporter=s.apv.reporter or principal)) for s in submitted]
    async with gate.database.transaction() as tx:
        names = [identity(s.apv) for s in items] + [s.apv_code for s in items if s.apv_code]
        await submissions.lock_names(tx, names)
        placed, faults = await _new_ones(gate, tx, items, principal=principal, source=source), []
        for index, item in enumerate(items):
            try:
                if index not in placed:
                    placed[index] = await _place(gate, tx, item, principal=principal, source=source)
            except _CodeTaken as taken:
                faults.append(Fault("apv_code_taken", (index, "apv_code"), str(taken)))
        if faults:
            raise NotAccepted(faults)
        stored = await reviews.get_all(tx, [review_id for review_id, _ in placed.values()])
        return [Receipt(stored[review_id], created) for review_id, created in (placed[i] for i in range(len(items)))]


async def _new_ones(
    gate: Gate, tx: AsyncConnection, items: Sequence[Submission], *, principal: str, source: str
) -> dict[int, tuple[UUID, bool]]:
    """Take in at once what can be nothing but new: an identity that has no review, where it occurs first.

    By its index what became of it. One by one, a thousand would keep the year's counter from everybody for seconds.
    A list that names codes is taken one by one: each may be the code that another would be given.
    """
    if any(item.apv_code for item in items):
        return {}
    keys = [identity(item.apv) for item in items]
    known = await submissions.identities_known(tx, keys)
    first = {key: index for index, key in reversed(list(enumerate(keys))) if key not in known}
    new = {index: items[index] for index in sorted(first.values())}
    made = await _take(gate, tx, [(item, None, item.metadata) for item in new.values()], principal, source)
    return {index: (review_id, True) for index, review_id in zip(new, made, strict=True)}


async def _take(
    gate: Gate,
    tx: AsyncConnection,
    arrivals: Sequence[tuple[Submission, str | None, Mapping[str, Json]]],
    principal: str,
    source: str,
) -> list[UUID]:
    """Make a review of each, with the code that it is to have if that is free, and its metadata."""
    if not arrivals:
        return []
    now, policy = gate.now(), gate.policy()
    news = [
        submissions.New(item.apv, code, metadata, sla.due_at(now, policy.rules[item.apv.severity], item.apv, metadata))
        for item, code, metadata in arrivals
    ]
    made = await submissions.insert_new(tx, news, now)
    pairs = [(locked, new.apv) for locked, new in zip(made, news, strict=True)]
    await messages.want_cards(tx, {locked.review.id: policy.channel_for(apv) for locked, apv in pairs})
    changes = []
    for locked, apv in pairs:
        review, events = _arrived(gate, locked.review, apv)
        detail = _detail(review)
        changes.append(change(locked, review, events, actor=principal, source=source, now=now, detail=detail))
    await record(tx, changes)
    return [locked.review.id for locked in made]


def _refuse_foreign(gate: Gate, submitted: Sequence[Submission]) -> None:
    if not gate.repositories:
        return
    faults = [
        Fault("repository_not_allowed", (index, "repository"), "is not a repository that APVs may name here")
        for index, item in enumerate(submitted)
        if item.apv.repository.casefold() not in gate.repositories
    ]
    if faults:
        raise NotAccepted(faults)


async def _place(
    gate: Gate, tx: AsyncConnection, item: Submission, *, principal: str, source: str
) -> tuple[UUID, bool]:
    former = await _former(gate, tx, item)
    if former and await _known(tx, former, item.apv):
        return former.review.id, False
    now = gate.now()
    if former and rules.takes_new_content(former.review):
        await _revise(gate, tx, former, item.apv, principal=principal, source=source, now=now)
        return former.review.id, False
    metadata = dict(item.metadata)
    if former:
        metadata["follows"] = former.review.code
    code = item.apv_code if former is None or item.apv_code != former.review.code else None
    (made,) = await _take(gate, tx, [(item, code, metadata)], principal, source)
    return made, True


async def _known(tx: AsyncConnection, former: Locked, apv: Apv) -> bool:
    """Whether this is what was submitted before, the diff that the bot has made of it since left aside."""
    submitted = digest(apv)
    if former.review.digest == submitted:
        return True
    return apv.wants_bump and await submissions.drafted_from(tx, former.review.id) == submitted


def _arrived(gate: Gate, review: rules.Review, apv: Apv) -> tuple[rules.Review, list[Event]]:
    bump = gate.opens_pulls and apv.wants_bump
    event = Submitted(arrival(review, apv), critical=apv.severity.value == "critical", bump=bump)
    return judged(gate, replace(review, note=rules.BUMP_UNDER_WAY if bump else None), [event], apv)


async def _former(gate: Gate, tx: AsyncConnection, item: Submission) -> Locked | None:
    """The newest review of this APV: by its identity, or by the code it gives."""
    if item.apv_code and (row := await submissions.unadopted_by_code(tx, item.apv_code)):
        await _take_in(gate, tx, row)
    key = identity(item.apv)
    same = await submissions.latest_of(tx, key)
    named = await submissions.by_code(tx, item.apv_code) if item.apv_code else None
    if named is None or named[1] == key:
        return same
    if same is not None:
        raise _CodeTaken(f"{item.apv_code} is the code of another APV; this one is {same.review.code}")
    return await submissions.latest_of(tx, named[1])


VOID = Settlement(Action.RECORDED, "Void: the content changed before this took effect.")
"""What becomes of approvals of a content that is no longer there."""


async def _revise(
    gate: Gate, tx: AsyncConnection, former: Locked, apv: Apv, *, principal: str, source: str, now: datetime
) -> None:
    rule = gate.policy().rules[apv.severity]
    due_at = former.review.due_at
    if due_at is None or apv.severity is not former.review.severity or rule.deadline is not Preset.FIXED:
        due_at = sla.due_at(former.review.created_at, rule, apv, await submissions.metadata(tx, former.review.id))
    version = former.review.version + 1
    for job in (OpenPull, MakeBump):
        await jobs.drop(tx, job(former.review.id, former.review.digest))
    locked = await submissions.replace_content(tx, former.review.id, apv, version=version, due_at=due_at)
    outcome = rules.revise(locked.review, bump=gate.opens_pulls and apv.wants_bump)
    stands = judged(gate, outcome.review, outcome.events, apv)
    await _write(tx, locked, *stands, principal=principal, source=source, now=now, settlement=VOID)


async def _write(
    tx: AsyncConnection,
    locked: Locked,
    review: rules.Review,
    events: Sequence[Event],
    *,
    principal: str,
    source: str,
    now: datetime,
    settlement: Settlement | None = None,
) -> None:
    detail = _detail(review)
    await write(
        tx, locked, review, events, actor=principal, source=source, now=now, detail=detail, settlement=settlement
    )


def _detail(review: rules.Review) -> dict[str, Json]:
    return {"version": review.version, "digest": review.digest}


def arrival(review: rules.Review, apv: Apv) -> str:
    """The sentence that tells of a new review."""
    version = f" {apv.package_version}" if apv.package_version else ""
    advisory = f" {apv.advisory}" if apv.advisory else ""
    reported = f", reported by {apv.reporter}" if apv.reporter else ""
    return f"{review.code} arrived: {apv.severity.value}{advisory} in {apv.package_name}{version}{reported}."


ADOPTED_AT_ONCE = 200


async def adopt(gate: Gate) -> int:
    """Take in rows that another program inserted: fill in what derives from them, and post them like any other.

    A row that cannot be taken in is logged and left, and stops no other.
    """
    adopted = 0
    while True:
        async with gate.database.transaction() as tx:
            waiting = await submissions.unadopted(tx, ADOPTED_AT_ONCE)
        taken = 0
        for review_id in waiting:
            try:
                taken += await _adopt(gate, review_id)
            except Exception as error:
                if database_is_away(error):
                    raise
                log.warning("review.not_adopted", review_id=str(review_id), error=type(error).__name__)
        adopted += taken
        if not taken or len(waiting) < ADOPTED_AT_ONCE:
            return adopted


async def _adopt(gate: Gate, review_id: UUID) -> bool:
    async with gate.database.transaction() as tx:
        row = await submissions.lock_unadopted(tx, review_id)
        if row is not None:
            await _take_in(gate, tx, row)
        return row is not None


async def _take_in(gate: Gate, tx: AsyncConnection, row: submissions.Unadopted) -> None:
    apv = row.apv if row.apv.repository else replace(row.apv, repository=gate.default_repository)
    metadata = await submissions.metadata(tx, row.id)
    due_at = row.due_at or sla.due_at(row.created_at, gate.policy().rules[apv.severity], apv, metadata)
    locked = await submissions.replace_content(tx, row.id, apv, version=1, due_at=due_at)
    actor = apv.reporter or "database"
    await messages.want_cards(tx, {locked.review.id: gate.policy().channel_for(apv)})
    await _write(tx, locked, *_arrived(gate, locked.review, apv), principal=actor, source="database", now=gate.now())
