"""Compares a pull request with its last known state and derives what happened.

It does not depend on which webhook came: late, repeated and reordered ones give the same result.
"""

from collections.abc import Iterator
from dataclasses import replace

from bot.domain.events import Event, Kind
from bot.domain.pull import Checks, MergeMode, Merging, Pull, PullState, Seen, Step
from bot.domain.review import Accepted, Action, Hold, Review, Status

OPENED = frozenset({Status.PR_OPEN, Status.PR_CLOSED, Status.MERGED})
"""The statuses of a review that has a pull request."""
STATUS = {"open": Status.PR_OPEN, "closed": Status.PR_CLOSED, "merged": Status.MERGED}
ACTION = {Status.PR_OPEN: Action.PR_OPENED, Status.PR_CLOSED: Action.PR_CLOSED, Status.MERGED: Action.PR_MERGED}
NAMED = 5
"""Failing checks named in a sentence; the rest is counted."""


def opened(review: Review, pull: Pull) -> Accepted | None:
    """The pull request exists, new or found; idempotent."""
    if review.status is not Status.APPROVED:
        return None
    stands = replace(
        review,
        status=STATUS[pull.state],
        pr_number=pull.number,
        pr_url=pull.url,
        pr_branch=pull.branch,
        # The first check reads its head; until then we assume what was pushed.
        pull=PullState(approved_head=pull.approved_head, head=pull.approved_head, base=pull.base),
        hold=None,
        note=None,
    )
    words = {"merged": "is already merged", "closed": "was closed and stays closed"}.get(pull.state, "is open")
    notes = "".join(f" {note}." for note in pull.notes)
    sentence = f"Pull request #{pull.number} {words}: {pull.branch} ({pull.diffstat}).{notes}"
    return Accepted(stands, (Event(Kind.PULL_OPENED, sentence),))


def failed(review: Review, reason: str, *, pushed: bool) -> Accepted | None:
    """No pull request could be opened, and a person must help: the review stays approved and says why.

    `pushed`: whether a branch may exist; if not, changed content may still come into this review.
    """
    if review.status is not Status.APPROVED:
        return None
    held = replace(review, pr_branch=review.pr_branch if pushed else None, hold=Hold.PULL_FAILED, note=reason)
    sentence = f"No pull request could be opened for {review.code}: {reason}"
    return Accepted(held, (Event(Kind.PULL_FAILED, sentence, alarm=True),))


def observe(review: Review, seen: Seen) -> Accepted:
    """The review with the current state on GitHub, and the events since the last check."""
    if review.status not in OPENED:
        return Accepted(review)
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
    # A merge is final: GitHub never reopens a merged pull request.
    status = Status.MERGED if review.status is Status.MERGED else STATUS[seen.state]
    if review.status is Status.PR_CLOSED and status is Status.PR_OPEN:
        now = replace(now, closing=None)  # the next close has a reason of its own
    name = f"Pull request #{review.pr_number}"
    events = (*_course(review, status, now, seen, name), *_details(before, now, status, name))
    if status is review.status:
        return Accepted(replace(review, pull=now), events)
    note = now.closing if status is Status.PR_CLOSED else None
    return Accepted(replace(review, status=status, pull=now, note=note), events)


def visible(review: Review) -> Review:
    """The review without the parts of its pull request that the card does not show."""
    pull = review.pull
    return replace(review, pull=replace(pull, ready=False, closing=None, base=None)) if pull else review


def _course(review: Review, status: Status, now: PullState, seen: Seen, name: str) -> Iterator[Event]:
    """The event for a change between open, merged and closed."""
    if status is review.status:
        return
    if status is Status.MERGED:
        by = f" by {seen.by}" if seen.by else ""
        foreign = " with unapproved changes" if now.pushed_over else ""
        sentence = f"{name} was merged into {seen.base}{by}{foreign}."
        yield Event(Kind.PULL_MERGED, sentence, alarm=now.pushed_over)
    elif status is Status.PR_CLOSED:
        why = f": {now.closing}" if now.closing else " without merging; the bot will not reopen it."
        yield Event(Kind.PULL_CLOSED, f"{name} was closed{why}")
    else:
        yield Event(Kind.PULL_REOPENED, f"{name} was reopened on GitHub.")


def _details(before: PullState, now: PullState, status: Status, name: str) -> Iterator[Event]:
    """The events for everything else that readers of the card should know, each once."""
    if now.branch_gone and not before.branch_gone:
        yield Event(Kind.BRANCH_DELETED, f"The branch of {name[0].lower()}{name[1:]} was deleted.")
    if status is not Status.PR_OPEN:
        return
    if now.pushed_over and now.head != before.head:
        yield Event(
            Kind.PUSHED_OVER,
            f"New commits on the branch of {name[0].lower()}{name[1:]} after approval ({_short(now.head)}, approved"
            f" {_short(now.approved_head)}). The approval no longer covers this pull request, and the bot does not"
            " merge it.",
            alarm=True,
        )
    if now.reviewers and not set(now.reviewers) <= set(before.reviewers):
        yield Event(Kind.REVIEW_REQUESTED, f"{name} waits for reviews from {', '.join(now.reviewers)}.")
    if now.conflict and not before.conflict:
        sentence = f"{name} conflicts with {now.base}: it cannot be merged as it is."
        yield Event(Kind.CONFLICT_REPORTED, sentence, alarm=True)
    elif before.conflict and now.conflict is False:
        yield Event(Kind.CONFLICT_REPORTED, f"{name} no longer conflicts with {now.base}.")
    if now.checks is not None and (now.checks, now.failing) != (before.checks, before.failing):
        yield Event(Kind.CHECKS_REPORTED, f"{name}: {checks_sentence(now)}.", alarm=now.checks is Checks.FAILED)


def checks_sentence(pull: PullState) -> str:
    """The result of the checks, without a full stop."""
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


def closing(review: Review, because: str) -> Accepted | None:
    """Store why the bot is about to close it; announced when GitHub shows it closed."""
    if review.status is not Status.PR_OPEN:
        return None
    return Accepted(replace(review, pull=replace(review.pull or PullState(), closing=because)))


def lost(review: Review, reason: str) -> Accepted | None:
    """GitHub no longer shows the pull request; announced once, until GitHub shows it again."""
    before = review.pull or PullState()
    if review.status not in OPENED or before.unseen is not None:
        return None
    sentence = f"GitHub no longer shows pull request #{review.pr_number}: {reason}."
    return Accepted(
        replace(review, pull=replace(before, unseen=reason)), (Event(Kind.PULL_LOST, sentence, alarm=True),)
    )


def next_step(review: Review, seen: Seen, mode: MergeMode) -> Step | None:
    """What the policy lets the bot do now; it never merges a head that was not approved."""
    pull = review.pull
    if pull is None or review.status is not Status.PR_OPEN:
        return None
    if pull.pushed_over or pull.approved_head is None:
        # Whoever armed it, GitHub would now merge an unapproved commit.
        return Step.DISARM if seen.auto_merge and mode is MergeMode.AUTO else None
    if pull.merging is Merging.REFUSED or seen.conflict:
        return None
    if mode is MergeMode.AUTO and seen.waits and pull.merging is None:
        return Step.ARM
    # GitHub does not arm what it could merge at once. Before the first check has reported, "ready" proves nothing.
    mergeable = seen.ready and not seen.auto_merge and seen.checks is Checks.PASSED
    return Step.MERGE if mode is not MergeMode.NEVER and mergeable else None


def stepped(review: Review, step: Step, refusal: str | None) -> Accepted | None:
    """The bot tried a step; `refusal` is GitHub's reason if it refused."""
    pull, name = review.pull, f"Pull request #{review.pr_number}"
    if pull is None or review.status is not Status.PR_OPEN:
        return None
    if refusal is not None:
        sentence = f"{name} was approved and could not be merged: {refusal}."
        refused = replace(review, pull=replace(pull, merging=Merging.REFUSED))
        return Accepted(refused, (Event(Kind.MERGE_REFUSED, sentence, alarm=True),))
    match step:
        case Step.ARM:
            sentence = f"GitHub will merge pull request #{review.pr_number} automatically once its rules are met."
            armed = replace(review, pull=replace(pull, merging=Merging.ARMED))
            return Accepted(armed, (Event(Kind.MERGE_ARMED, sentence),))
        case Step.DISARM:
            sentence = f"{name} is no longer merged automatically: its head is not the commit that was approved."
            disarmed = replace(review, pull=replace(pull, merging=None))
            return Accepted(disarmed, (Event(Kind.MERGE_REFUSED, sentence, alarm=True),))
        case Step.MERGE:
            return None


def _short(sha: str | None) -> str:
    return (sha or "")[:7]
