"""Submits APVs: each is a new review, new content for an open one, or a duplicate. A list is one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain import contents, deadlines
from bot.domain.apv import Apv, Json, Submission, digest, identity
from bot.domain.auto import Origin, judged
from bot.domain.faults import Fault, NotAccepted
from bot.domain.review import Accepted, Dossier, Review
from bot.jobs import MakeBump, OpenPull
from bot.service.adoption import arrival, of_content, origin_of, rule_for, take_in
from bot.service.consequences import Cause, amend_locked
from bot.service.gate import Gate
from bot.service.routes import follow_route
from storage import jobs, messages, origins, reviews, submissions
from storage.record import record
from storage.reviews import Locked


@dataclass(frozen=True, slots=True)
class SubmissionCause(Cause):
    """The cause of a submission, with every name of its submitter."""

    known_as: tuple[str, ...] = ()

    def authors(self, apv: Apv) -> tuple[str, ...]:
        """Who wrote this APV: its reporter and its submitter."""
        return contents.distinct((apv.reporter, *self.known_as))


class _CodeTaken(Exception):
    """The requested code belongs to another APV."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The review of a submitted APV, and whether this submission created it."""

    dossier: Dossier
    created: bool


@dataclass(frozen=True, slots=True)
class Submitter:
    """The person or program that submits: the name that people see, and all its other names."""

    name: str
    known_as: tuple[str, ...] = ()
    source: str = "api"


async def submit(gate: Gate, submitted: Sequence[Submission], by: Submitter) -> list[Receipt]:
    """Store all or none, in the order sent; raises NotAccepted. The submitter is the reporter if an APV names none.

    Neither they nor the reporter may approve what they submit.
    """
    _refuse_foreign(gate, submitted)
    items = [replace(s, apv=replace(s.apv, reporter=s.apv.reporter or by.name)) for s in submitted]
    readings = await gate.read_changes([s.apv.patch_diff for s in items if s.apv.patch_diff])
    items = [replace(s, readings=readings) for s in items]
    cause = SubmissionCause(by.name, by.source, gate.now(), known_as=(by.name, *by.known_as))
    async with gate.database.transaction() as tx:
        names = [identity(s.apv) for s in items] + [s.apv_code for s in items if s.apv_code]
        await submissions.lock_names(tx, names)
        placed, faults = await _new_ones(gate, tx, items, cause), []
        for index, item in enumerate(items):
            try:
                if index not in placed:
                    placed[index] = await _place(gate, tx, item, cause)
            except _CodeTaken as taken:
                faults.append(Fault("apv_code_taken", (index, "apv_code"), str(taken)))
        if faults:
            raise NotAccepted(faults)
        stored = await reviews.get_all(tx, [review_id for review_id, _ in placed.values()])
        return [Receipt(stored[review_id], created) for review_id, created in (placed[i] for i in range(len(items)))]


async def _new_ones(
    gate: Gate, tx: AsyncConnection, items: Sequence[Submission], cause: SubmissionCause
) -> dict[int, tuple[UUID, bool]]:
    """Insert in one batch what is certainly new: the first of each identity that has no review; maps index to result.

    One by one, a thousand would lock the year's counter for seconds. A list with requested codes is inserted one by
    one, because one item's requested code may be the next free code of another.
    """
    if any(item.apv_code for item in items):
        return {}
    keys = [identity(item.apv) for item in items]
    known = await submissions.identities_known(tx, keys)
    first = {key: index for index, key in reversed(list(enumerate(keys))) if key not in known}
    new = {index: items[index] for index in sorted(first.values())}
    made = await _insert(gate, tx, [(item, None, item.metadata) for item in new.values()], cause)
    return {index: (review_id, True) for index, review_id in zip(new, made, strict=True)}


async def _insert(
    gate: Gate,
    tx: AsyncConnection,
    arrivals: Sequence[tuple[Submission, str | None, Mapping[str, Json]]],
    cause: SubmissionCause,
    behind: Sequence[str] = (),
) -> list[UUID]:
    """Create a review for each, with its metadata, and with its requested code if that is free.

    `behind`: who wrote some of it before.
    """
    if not arrivals:
        return []
    policy = gate.policy()
    news = [
        submissions.New(
            item.apv,
            code,
            metadata,
            deadlines.due_at(cause.at, rule_for(policy, item.apv), item.apv, metadata),
            contents.distinct((*behind, *cause.authors(item.apv))),
            item.readings,
        )
        for item, code, metadata in arrivals
    ]
    made = await submissions.insert_new(tx, news, cause.at)
    pairs = [(locked, new.apv) for locked, new in zip(made, news, strict=True)]
    await messages.want_cards(tx, {locked.review.id: policy.channel_for(locked.review) for locked in made})
    came_from = await _origins(gate, tx, [new.apv for new in news], cause)
    await record(tx, [arrival(gate, *pair, cause, origin) for pair, origin in zip(pairs, came_from, strict=True)])
    return [locked.review.id for locked in made]


async def _origins(gate: Gate, tx: AsyncConnection, apvs: Sequence[Apv], cause: Cause) -> list[Origin]:
    """The origin of each, with one query for all."""
    keys = [identity(apv) for apv in apvs]
    objected = await origins.objected(tx, keys) if gate.policy().auto.enabled else set()
    return [Origin(cause.actor, key in objected) for key in keys]


def _refuse_foreign(gate: Gate, submitted: Sequence[Submission]) -> None:
    faults = [
        Fault("repository_not_allowed", (index, "repository"), "is not an allowed repository")
        for index, item in enumerate(submitted)
        if not gate.allows(item.apv.repository)
    ]
    if faults:
        raise NotAccepted(faults)


async def _place(gate: Gate, tx: AsyncConnection, item: Submission, cause: SubmissionCause) -> tuple[UUID, bool]:
    former = await _former(gate, tx, item, cause)
    if former and (former.review.unreadable or await _known(tx, former, item.apv)):
        return former.review.id, False
    if former and contents.takes_new_content(former.review):
        await _revise(gate, tx, former, item, cause)
        return former.review.id, False
    metadata = dict(item.metadata)
    if former:
        metadata["follows"] = former.review.code
    code = item.apv_code if former is None or item.apv_code != former.review.code else None
    behind = await submissions.authors_of(tx, item.apv, former.review.id) if former else ()
    (made,) = await _insert(gate, tx, [(item, code, metadata)], cause, behind)
    return made, True


async def _known(tx: AsyncConnection, former: Locked, apv: Apv) -> bool:
    """Whether this is a duplicate, ignoring a diff that the bot has added since."""
    submitted = digest(apv)
    if former.review.digest == submitted:
        return True
    return apv.wants_bump and await submissions.drafted_from(tx, former.review.id) == submitted


async def _former(gate: Gate, tx: AsyncConnection, item: Submission, cause: SubmissionCause) -> Locked | None:
    """The newest review of this APV, by its identity or, for who submitted that review, by its requested code."""
    if item.apv_code and (row := await submissions.unadopted_by_code(tx, item.apv_code)):
        await take_in(gate, tx, row, item.readings)
    key = identity(item.apv)
    same = await submissions.latest_of(tx, key)
    named = await submissions.by_code(tx, item.apv_code) if item.apv_code else None
    if named is None or named[1] == key:
        return same
    if same is not None:
        raise _CodeTaken(f"{item.apv_code} is the code of another APV; this one is {same.review.code}")
    # Of a row that another program inserted, nobody may be known.
    authors = named[0].review.authors
    if authors and set(cause.known_as).isdisjoint(authors):
        raise _CodeTaken(f"{item.apv_code} is the code of another APV, which somebody else submitted")
    return await submissions.latest_of(tx, named[1])


async def _revise(gate: Gate, tx: AsyncConnection, former: Locked, item: Submission, cause: SubmissionCause) -> None:
    apv = item.apv
    before, policy = former.review, gate.policy()
    rule = rule_for(policy, apv)
    metadata = await submissions.metadata(tx, before.id)
    asked_at = cause.at if deadlines.came_late(before, cause.at) else None
    due_at = (
        deadlines.due_at(asked_at, rule, apv, metadata)
        if asked_at
        else deadlines.kept_due_at(before, policy.rule_for(before), rule, apv, metadata)
    )
    for job in (OpenPull, MakeBump):
        await jobs.drop(tx, job(before.id, before.digest, before.version))
    locked = await submissions.replace_content(
        tx,
        before.id,
        apv,
        item.readings,
        version=before.version + 1,
        due_at=due_at,
        authors=contents.distinct((*await submissions.authors_of(tx, apv, before.id), *cause.authors(apv))),
        asked_at=asked_at,
    )

    def revised(review: Review) -> Accepted:
        bump = gate.opens_pulls and apv.wants_bump
        outcome = contents.revise(review, bump=bump, opens_pulls=gate.opens_pulls)
        return judged(outcome, apv, policy, origin, opens_pulls=gate.opens_pulls, now=cause.at)

    origin = await origin_of(gate, tx, cause.actor, apv, [before.id])
    await follow_route(gate, tx, before, locked.review)
    await amend_locked(tx, locked, revised, of_content(cause, locked.review))
