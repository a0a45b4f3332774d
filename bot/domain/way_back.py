"""What follows from how a pull request looks now, compared with how it looked last.

Pure, and blind to what brought the news: late, repeated and reordered messages of GitHub come to the same.
"""

from collections.abc import Iterator
from dataclasses import replace

from bot.domain.events import (
    BranchDeleted,
    ChecksReported,
    ConflictReported,
    Event,
    MergeArmed,
    MergeRefused,
    PullClosed,
    PullLost,
    PullMerged,
    PullReopened,
    PushedOver,
    ReviewRequested,
)
from bot.domain.pull import Checks, MergeMode, Merging, PullState, Seen, Step
from bot.domain.review import Action, Review, Status

OPENED = frozenset({Status.PR_OPEN, Status.PR_CLOSED, Status.MERGED})
"""The statuses of a review that has a pull request."""
STATUS = {"open": Status.PR_OPEN, "closed": Status.PR_CLOSED, "merged": Status.MERGED}
ACTION = {Status.PR_OPEN: Action.PR_OPENED, Status.PR_CLOSED: Action.PR_CLOSED, Status.MERGED: Action.PR_MERGED}
NAMED = 5
"""Failing checks named in a sentence; the rest is counted."""


def observe(review: Review, seen: Seen) -> tuple[Review, tuple[Event, ...]]:
    """The review with what GitHub shows now, and what happened since."""
    if review.status not in OPENED:
        return review, ()
    before = review.pull or PullState()
    now = replace(
        before,
        head=seen.head,
        base=seen.base,
        checks=seen.checks,
        failing=seen.failing,
        conflict=seen.conflict if seen.state == "open" else False,
        branch_gone=seen.branch_gone,
        reviewers=seen.reviewers,
        ready=seen.ready,
        unseen=None,
    )
    now = replace(now, merging=_merging(before, now, seen))
    # Merged is for ever: GitHub reopens no merged pull request.
    status = Status.MERGED if review.status is Status.MERGED else STATUS[seen.state]
    if review.status is Status.PR_CLOSED and status is Status.PR_OPEN:
        now = replace(now, closing=None)  # whoever closes it the next time has reasons of their own
    name = f"Pull request #{review.pr_number}"
    events = (*_course(review, status, now, seen, name), *_details(before, now, status, name))
    if status is review.status:
        return replace(review, pull=now), events
    return replace(review, status=status, pull=now, note=now.closing if status is Status.PR_CLOSED else None), events


def _course(review: Review, status: Status, now: PullState, seen: Seen, name: str) -> Iterator[Event]:
    """Open, merged, closed: told when it changes."""
    if status is review.status:
        return
    if status is Status.MERGED:
        by = f" by {seen.by}" if seen.by else ""
        foreign = ", with commits that nobody approved here" if now.pushed_over else ""
        yield PullMerged(f"{name} was merged into {seen.base}{by}{foreign}.", approved=not now.pushed_over)
    elif status is Status.PR_CLOSED:
        why = f": {now.closing}" if now.closing else " without merging and is not opened again."
        yield PullClosed(f"{name} was closed{why}")
    else:
        yield PullReopened(f"{name} was opened again by somebody on GitHub.")


def _details(before: PullState, now: PullState, status: Status, name: str) -> Iterator[Event]:
    """Everything else that a reader of the card should know, each told once."""
    if now.branch_gone and not before.branch_gone:
        yield BranchDeleted(f"The branch of {name[0].lower()}{name[1:]} was deleted.")
    if status is not Status.PR_OPEN:
        return
    if now.pushed_over and now.head != before.head:
        yield PushedOver(
            f"Somebody pushed to the branch of {name[0].lower()}{name[1:]}: its head {_short(now.head)} is not the"
            f" commit {_short(now.approved_head)} that was approved. The approval does not cover it, and the bot does"
            " not merge it."
        )
    if now.reviewers and not set(now.reviewers) <= set(before.reviewers):
        yield ReviewRequested(f"{name} awaits reviews of {', '.join(now.reviewers)}.")
    if now.conflict and not before.conflict:
        yield ConflictReported(f"{name} conflicts with {now.base}: it cannot be merged as it is.", conflict=True)
    elif before.conflict and now.conflict is False:
        yield ConflictReported(f"{name} no longer conflicts with {now.base}.", conflict=False)
    if now.checks is not None and (now.checks, now.failing) != (before.checks, before.failing):
        yield ChecksReported(f"{name}: {checks_sentence(now)}.", failed=now.checks is Checks.FAILED)


def checks_sentence(pull: PullState) -> str:
    """What the checks come to, without a full stop."""
    match pull.checks:
        case Checks.FAILED:
            more = f" and {len(pull.failing) - NAMED} more" if len(pull.failing) > NAMED else ""
            return f"checks failed ({', '.join(pull.failing[:NAMED])}{more})"
        case Checks.PASSED:
            return "all checks passed"
        case Checks.RUNNING:
            return "checks are running"
        case None:
            return "no checks"


def _merging(before: PullState, now: PullState, seen: Seen) -> Merging | None:
    if seen.auto_merge:
        return Merging.ARMED
    was = (before.head, before.checks, before.conflict, before.ready)
    if was != (now.head, now.checks, now.conflict, now.ready):
        return None
    return Merging.OFF if before.merging is Merging.ARMED else before.merging


def closing(review: Review, because: str) -> tuple[Review, tuple[Event, ...]]:
    """The bot is about to close it; told when GitHub shows it closed."""
    if review.status is not Status.PR_OPEN:
        return review, ()
    return replace(review, pull=replace(review.pull or PullState(), closing=because)), ()


def lost(review: Review, reason: str) -> tuple[Review, tuple[Event, ...]]:
    """GitHub does not show the pull request; told once."""
    before = review.pull or PullState()
    if review.status not in OPENED or before.unseen == reason:
        return review, ()
    sentence = f"GitHub does not show pull request #{review.pr_number} any more: {reason}."
    return replace(review, pull=replace(before, unseen=reason)), (PullLost(sentence),)


def next_step(review: Review, seen: Seen, mode: MergeMode) -> Step | None:
    """What the policy lets the bot do with it now; never anything with a head that was not approved."""
    pull = review.pull
    if pull is None or review.status is not Status.PR_OPEN:
        return None
    if pull.pushed_over or pull.approved_head is None:
        # Whoever armed it: what GitHub would merge is no longer what was approved.
        return Step.DISARM if seen.auto_merge and mode is MergeMode.AUTO else None
    if pull.merging is Merging.REFUSED or seen.conflict:
        return None
    if mode is MergeMode.AUTO and seen.waits and pull.merging is None:
        return Step.ARM
    # GitHub arms nothing that it could merge at once; before the first check has reported, green means nothing.
    mergeable = seen.ready and not seen.auto_merge and seen.checks is Checks.PASSED
    return Step.MERGE if mode is not MergeMode.NEVER and mergeable else None


def stepped(review: Review, step: Step, refusal: str | None) -> tuple[Review, tuple[Event, ...]]:
    """The bot tried a step; `refusal` is why GitHub said no."""
    pull, name = review.pull, f"Pull request #{review.pr_number}"
    if pull is None or review.status is not Status.PR_OPEN:
        return review, ()
    if refusal is not None:
        refused = replace(review, pull=replace(pull, merging=Merging.REFUSED))
        return refused, (MergeRefused(f"{name} was approved and could not be merged: {refusal}."),)
    match step:
        case Step.ARM:
            sentence = f"GitHub merges pull request #{review.pr_number} by itself once its rules are met."
            return replace(review, pull=replace(pull, merging=Merging.ARMED)), (MergeArmed(sentence),)
        case Step.DISARM:
            sentence = f"{name} is no longer merged automatically: its head is not the commit that was approved."
            return replace(review, pull=replace(pull, merging=None)), (MergeRefused(sentence),)
        case Step.MERGE:
            return review, ()


def _short(sha: str | None) -> str:
    return (sha or "")[:7]
