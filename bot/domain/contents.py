"""New content of a review: which statuses accept it, and what happens to votes, escalation and notes."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from bot.domain.apv import Apv, Json, Severity
from bot.domain.events import Event, Kind
from bot.domain.review import AWAITING, Accepted, Hold, Review, Status

DRAFTING_NOTE = "The bot is making the diff of this version bump. It will be shown here as a new version to decide on."

NAMED = 3
"""Files named in a sentence; the rest is counted."""

AUTHORED = (
    "patch_diff", "patch_description", "vulnerable_code_signature", "affected_files", "validation_warnings",
    "wargame_evidence", "wargame_run_url",
)  # fmt: skip
"""The fields of `Apv` that the submitter wrote: the patch and the evidence for it. The rest comes from advisories."""


def claims(apv: Apv) -> dict[str, Json]:
    """The patch and the evidence, without empty ones.

    An author of any of them may not approve content that has it, also when another person submits it again.
    """
    return {name: value for name in AUTHORED if (value := getattr(apv, name))}


def distinct(names: Iterable[str | None]) -> tuple[str, ...]:
    """Each name once, in order, without empty ones."""
    return tuple(dict.fromkeys(name for name in names if name))


def takes_new_content(review: Review) -> bool:
    """Whether changed content goes into this review; after the first push or once it is closed, it opens a new one."""
    if review.status is Status.APPROVED:
        return review.pr_branch is None
    return review.status in AWAITING or review.status is Status.CHANGES_REQUESTED


def drafting(review: Review) -> Review:
    """The review while the bot makes its diff."""
    return replace(review, hold=Hold.DRAFTING, note=DRAFTING_NOTE)


def arrive(review: Review, apv: Apv, *, bump: bool, opens_pulls: bool = False) -> Accepted:
    """A new review arrives; `bump`: the bot will make its diff."""
    version = f" {apv.package_version}" if apv.package_version else ""
    advisory = f" {apv.advisory}" if apv.advisory else ""
    reported = f", reported by {apv.reporter}" if apv.reporter else ""
    sentence = f"{review.code} arrived: {apv.severity.value}{advisory} in {apv.package_name}{version}{reported}."
    alarm = apv.severity is Severity.CRITICAL
    event = Event(Kind.SUBMITTED, sentence, alarm=alarm, reads_base=opens_pulls)
    return Accepted(drafting(review) if bump else review, (event,))


def revise(review: Review, *, bump: bool = False, by_bot: bool = False, opens_pulls: bool = False) -> Accepted:
    """The review already has its new content: votes for the old one are void, and a closed escalation is over.

    `bump`: the bot will make its diff. `by_bot`: that diff is the new content.
    """
    what = "has the diff of its version bump" if by_bot else "changed"
    sentence = f"{review.code} {what} and is now version {review.version}.{_void(review)}"
    event = Event(Kind.REVISED, sentence, tell=_voters(review), reads_base=opens_pulls)
    revised = _asked_again(review)
    return Accepted(drafting(revised) if bump else revised, (event,))


def swapped(review: Review, *, opens_pulls: bool = False) -> Accepted:
    """Report that another program changed the content in the database; the review already is a new version."""
    sentence = (
        f"Another program changed the content of {review.code} in the database. It was not pushed; "
        f"it is now version {review.version} and needs new votes.{_void(review)}"
    )
    event = Event(Kind.SWAPPED, sentence, alarm=True, tell=_voters(review), reads_base=opens_pulls)
    return Accepted(_asked_again(review), (event,))


def base_moved(review: Review, paths: Sequence[str], *, read: bool) -> Accepted:
    """Report that the base moved, so the patch may mean something else at `paths`; the review already is a new version.

    `read`: the bot read the base before the first approval, so these files have changed for certain.
    """
    files = _listed(paths)
    what = (
        f"The base changed: {files} is not as it was shown"
        if read
        else f"The base may have changed: {files} was not read before the first approval"
    )
    note = f"{what}. Nothing was pushed; read the patch against it again."
    sentence = f"{review.code} is now version {review.version}. {note}{_void(review)}"
    again = replace(_asked_again(review), note=note)
    return Accepted(again, (Event(Kind.BASE_MOVED, sentence, tell=_voters(review)),))


def _listed(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
    return ", ".join(paths[:NAMED]) + more


def _voters(review: Review) -> tuple[str, ...]:
    return tuple(vote.person for vote in review.votes)


def _void(review: Review) -> str:
    whose = ", ".join(v.name for v in review.votes)
    return f" Earlier approvals are void; please look again: {whose}." if whose else ""


def _asked_again(review: Review) -> Review:
    """The review awaiting new votes, without what belonged to its former content; an open escalation stays."""
    again = replace(review, votes=(), snoozed_until=None, snooze_reason=None, closed_at=None, hold=None, note=None)
    if review.status is Status.ESCALATED:
        return again
    return replace(
        again, status=Status.PENDING, pr_branch=None, escalated_by=None, escalated_by_name=None, escalated_at=None
    )


def bump_not_made(review: Review, reason: str) -> Accepted | None:
    """Note why the announced diff was not made; None if the review no longer waits for it."""
    if review.hold is not Hold.DRAFTING:
        return None
    sentence = f"No diff could be made for this version bump: {reason.rstrip('.')}."
    held = replace(review, hold=Hold.NO_DRAFT, note=sentence)
    return Accepted(held, (Event(Kind.BUMP_NOT_MADE, f"{review.code}: {sentence}"),))
