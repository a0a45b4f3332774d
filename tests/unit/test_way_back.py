"""What follows when a pull request differs from the last look at it."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest

from bot.domain.apv import Severity
from bot.domain.events import Kind
from bot.domain.pull import Checks, MergeMode, Merging, PullState, Seen, Step
from bot.domain.review import Accepted, Review, Status
from bot.domain.way_back import closing, lost, next_step, observe, stepped

APPROVED, OTHER = "a" * 40, "b" * 40
PULL = PullState(approved_head=APPROVED, head=APPROVED, base="main")
REVIEW = Review(
    id=UUID(int=1),
    code="APV-2026-0001",
    status=Status.PR_OPEN,
    version=1,
    revision=5,
    digest="d" * 64,
    severity=Severity.HIGH,
    has_patch=True,
    created_at=datetime(2026, 11, 22, tzinfo=UTC),
    pr_number=3,
    pull=PULL,
)


def happened(accepted: Accepted | None) -> Accepted:
    assert accepted is not None
    return accepted


def seen(**changes: Any) -> Seen:
    """An open pull request at the approved commit, unless changed."""
    values: dict[str, Any] = {"state": "open", "head": APPROVED, "base": "main", "conflict": False, **changes}
    return Seen(**values)


@pytest.mark.parametrize(
    ("before", "now", "kinds", "words"),
    [
        (PULL, seen(), [], ""),
        (PULL, seen(checks=Checks.RUNNING), ["pull.checks"], "checks are running"),
        (PULL, seen(checks=Checks.PASSED), ["pull.checks"], "all checks passed"),
        (PULL, seen(checks=Checks.FAILED, failing=("ci", "lint")), ["pull.checks"], "checks failed (ci, lint)"),
        (PULL, seen(checks=Checks.FAILED, failing=tuple("abcdefg")), ["pull.checks"], "(a, b, c, d, e and 2 more)"),
        (replace(PULL, checks=Checks.PASSED), seen(checks=Checks.PASSED), [], ""),
        (PULL, seen(reviewers=("mia", "appsec")), ["pull.review_requested"], "mia, appsec"),
        (replace(PULL, reviewers=("mia", "appsec")), seen(reviewers=("mia",)), [], ""),
        (PULL, seen(conflict=True), ["pull.conflict"], "conflicts with main"),
        (replace(PULL, conflict=True), seen(conflict=False), ["pull.conflict"], "no longer conflicts"),
        (replace(PULL, conflict=True), seen(conflict=None), [], ""),
        (PULL, seen(head=OTHER), ["pull.pushed_over"], "after approval (bbbbbbb, approved aaaaaaa)"),
        (replace(PULL, head=OTHER), seen(head=OTHER), [], ""),
        (PULL, seen(state="merged", by="mia"), ["pull.merged"], "was merged into main by mia."),
        (PULL, seen(state="merged", head=OTHER), ["pull.merged"], "with unapproved changes"),
        (PULL, seen(state="closed"), ["pull.closed"], "will not reopen it"),
        (PULL, seen(state="closed", branch_gone=True), ["pull.closed", "pull.branch_deleted"], "closed"),
    ],
)
def test_each_change_is_told_once(before: PullState, now: Seen, kinds: list[str], words: str) -> None:
    """A difference is reported in one sentence; a second look reports nothing."""
    found = observe(replace(REVIEW, pull=before), now)
    assert [event.kind for event in found.events] == kinds
    assert not kinds or words in found.events[0].sentence
    assert observe(found.review, now).events == ()


@pytest.mark.parametrize("order", list(permutations(["open", "closed", "merged"])))
def test_merged_is_for_ever(order: tuple[str, ...]) -> None:
    """A merged review stays merged whatever is seen later, and is reported as merged once."""
    review, told = REVIEW, []
    for state in order:
        found = observe(review, seen(state=state))
        review = found.review
        told += [event.kind for event in found.events]
    assert review.status is Status.MERGED
    assert told.count(Kind.PULL_MERGED) == 1


def test_a_person_may_open_it_again() -> None:
    """Somebody reopens it on GitHub: the card follows, and nothing is recorded as done by the bot."""
    closed = observe(REVIEW, seen(state="closed")).review
    again = observe(closed, seen())
    assert (again.review.status, [e.kind for e in again.events]) == (Status.PR_OPEN, ["pull.reopened"])


def test_a_reason_of_ours_stays_with_the_closed_review() -> None:
    """The card says why the bot closed it, also after another look."""
    about_to = happened(closing(REVIEW, "Bob rejected APV-2026-0002: no"))
    closed = observe(about_to.review, seen(state="closed"))
    assert about_to.events == ()
    assert "Bob rejected" in closed.events[0].sentence
    assert observe(closed.review, seen(state="closed")).review.note == "Bob rejected APV-2026-0002: no"
    again = observe(closed.review, seen()).review
    assert observe(again, seen(state="closed")).review.note is None


@pytest.mark.parametrize("status", [s for s in Status if s not in {Status.PR_OPEN, Status.PR_CLOSED, Status.MERGED}])
def test_a_review_without_a_pull_request_is_left_alone(status: Status) -> None:
    """Nothing that GitHub shows can decide a review."""
    review = replace(REVIEW, status=status, pull=None)
    assert observe(review, seen(state="merged")) == Accepted(review)
    assert lost(review, "gone") is None


def test_what_is_not_shown_is_told_once() -> None:
    """The report ends once GitHub shows it again."""
    gone = happened(lost(REVIEW, "GitHub is blind"))
    assert [e.kind for e in gone.events] == ["pull.lost"]
    assert lost(gone.review, "GitHub is still blind") is None
    back = observe(gone.review, seen()).review
    assert back.pull is not None
    assert back.pull.unseen is None


GREEN = seen(checks=Checks.PASSED, ready=True)


@pytest.mark.parametrize(
    ("mode", "now", "step"),
    [
        (MergeMode.NEVER, GREEN, None),
        (MergeMode.WHEN_GREEN, GREEN, Step.MERGE),
        (MergeMode.WHEN_GREEN, replace(GREEN, head=OTHER), None),
        (MergeMode.WHEN_GREEN, replace(GREEN, ready=False), None),
        (MergeMode.WHEN_GREEN, replace(GREEN, conflict=True), None),
        (MergeMode.WHEN_GREEN, replace(GREEN, checks=None), None),
        (MergeMode.WHEN_GREEN, replace(GREEN, checks=Checks.RUNNING), None),
        (MergeMode.WHEN_GREEN, replace(GREEN, checks=Checks.FAILED), None),
        (MergeMode.WHEN_GREEN, replace(GREEN, state="closed"), None),
        (MergeMode.AUTO, seen(checks=Checks.RUNNING, waits=True), Step.ARM),
        (MergeMode.AUTO, seen(checks=Checks.RUNNING), None),
        (MergeMode.AUTO, seen(auto_merge=True, waits=True), None),
        (MergeMode.AUTO, GREEN, Step.MERGE),
        (MergeMode.AUTO, seen(head=OTHER, waits=True), None),
        (MergeMode.AUTO, seen(head=OTHER), None),
        (MergeMode.AUTO, seen(head=OTHER, auto_merge=True), Step.DISARM),
    ],
)
def test_the_bot_merges_what_was_approved_and_nothing_else(mode: MergeMode, now: Seen, step: Step | None) -> None:
    """The policy asks for it, the head is the approved commit, and nothing speaks against it."""
    review = observe(REVIEW, now).review
    assert next_step(review, now, mode) is step


def test_a_refused_merge_is_tried_again_when_something_has_changed() -> None:
    """Not before, so nobody hears of it twice."""
    review = observe(REVIEW, GREEN).review
    refused = happened(stepped(review, Step.MERGE, "GitHub refused to merge the pull request"))
    assert [e.kind for e in refused.events] == ["pull.merge_refused"]
    same = observe(refused.review, GREEN).review
    assert next_step(same, GREEN, MergeMode.WHEN_GREEN) is None
    running = observe(same, replace(GREEN, checks=Checks.RUNNING)).review
    green = observe(running, GREEN).review
    assert next_step(green, GREEN, MergeMode.WHEN_GREEN) is Step.MERGE


def test_an_armed_merge_is_known_as_long_as_github_shows_it() -> None:
    """Somebody may switch it off on GitHub; then the card no longer says so, and it is not armed against them."""
    armed = happened(stepped(REVIEW, Step.ARM, None))
    assert [e.kind for e in armed.events] == ["pull.merge_armed"]
    on = observe(armed.review, seen(auto_merge=True)).review
    off = observe(on, seen()).review
    assert on.pull is not None
    assert off.pull is not None
    assert (on.pull.merging, off.pull.merging) == (Merging.ARMED, Merging.OFF)
    assert next_step(off, seen(), MergeMode.AUTO) is None
