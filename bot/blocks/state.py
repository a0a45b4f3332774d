"""The state of a review in words: one headline, who did what, and what happens next."""

from collections.abc import Mapping

from bot.blocks import links
from bot.blocks.text import date, mention, mrkdwn
from bot.domain.pull import Checks, Merging
from bot.domain.quorum import Tally
from bot.domain.review import AWAITING, Hold, Review, Status, Vote
from bot.domain.way_back import checks_sentence

LOOKS: Mapping[Status, tuple[str, str]] = {
    Status.PENDING: ("⏳", "Awaiting a decision"),
    Status.ESCALATED: ("⚠️", "Escalated"),
    Status.APPROVED: ("✅", "Approved"),
    Status.PR_OPEN: ("🔀", "Pull request open"),
    Status.MERGED: ("🟣", "Merged"),
    Status.PR_CLOSED: ("⚫", "Pull request closed"),
    Status.REJECTED: ("⛔", "Rejected"),
    Status.CHANGES_REQUESTED: ("✏️", "Changes requested"),
    Status.WITHDRAWN: ("↩️", "Withdrawn"),
    Status.EXPIRED: ("⌛", "Expired"),
}
_MET = frozenset({Status.APPROVED, Status.PR_OPEN, Status.MERGED, Status.PR_CLOSED})
_ASKED = 3
"""The number of rules shown on a card; `apv-bot policy explain` shows them all."""
_NAMED = 10
"""People named in one line; the rest is only counted."""


def look(review: Review) -> tuple[str, str]:
    """The state's emoji and words."""
    if review.unreadable:
        return "❓", f"Unreadable by this release ({', '.join(review.unreadable)})"
    return ("❌", "Approved, but the pull request failed") if failed(review) else LOOKS[review.status]


def spoken(review: Review, tally: Tally) -> str:
    """The state as part of a plain sentence, for screen readers and notifications."""
    _, word = look(review)
    return f"{word}: {tally.sentence}" if review.status in AWAITING and not review.unreadable else word


def failed(review: Review) -> bool:
    """Whether it is approved and no pull request could be opened."""
    return review.status is Status.APPROVED and review.hold is Hold.PULL_FAILED


def lines(review: Review, tally: Tally, web_origin: str | None) -> list[str]:
    """The state as lines of finished mrkdwn, the headline first."""
    emoji, word = look(review)
    told = [f"{emoji} *{word}*{_after(review, tally, web_origin)}"]
    if review.status is Status.ESCALATED:
        told.append("Only leads vote now. The reason is in the thread.")
    told += _votes(review, tally)
    if review.status in AWAITING:
        told += [f"📋 {mrkdwn(sentence, 300)}" for sentence in tally.because[:_ASKED]]
        told += [f"📋 And {rest} more rules ask for more"] if (rest := len(tally.because) - _ASKED) > 0 else []
        told += [f"📈 {mrkdwn(tally.stricter, 200)}"] if tally.stricter else []
    if review.status in AWAITING and tally.frozen:
        told.append(f"❄️ {mrkdwn(tally.frozen, 200)}")
    if review.status in AWAITING and review.claimed_by:
        told.append(f"Claimed by {mention(review.claimed_by, review.claimed_by_name)}")
    if review.status in AWAITING and review.snoozed_until:
        told.append(f"💤 Snoozed until {date(review.snoozed_until)}: {mrkdwn(review.snooze_reason or '', 400)}")
    told += _pull_state(review)
    if follows := _follows(review):
        told.append(follows)
    return told


def _after(review: Review, tally: Tally, web_origin: str | None) -> str:
    """The text after the bold words of the headline."""
    match review.status:
        case Status.PENDING:
            return f" · {tally.sentence}"
        case Status.ESCALATED:
            by = mention(review.escalated_by, review.escalated_by_name) if review.escalated_by else "somebody"
            return f" by {by} · {tally.sentence}"
        case Status.PR_OPEN | Status.MERGED | Status.PR_CLOSED:
            return _pull(review, web_origin)
        case _:
            return ""


def _pull(review: Review, web_origin: str | None) -> str:
    number = f"#{review.pr_number}" if review.pr_number is not None else "pull request"
    address = links.pull(review.pr_url, web_origin)
    name = f"<{address}|{number}>" if address else number
    branch = f" on {mrkdwn(review.pr_branch, 200, one_line=True)}" if review.pr_branch else ""
    return f" · {name}{branch}"


CHECKS: Mapping[Checks, str] = {Checks.RUNNING: "🟡", Checks.PASSED: "🟢", Checks.FAILED: "🔴"}


def _pull_state(review: Review) -> list[str]:
    """The checks of an open pull request, and what keeps it from being merged."""
    pull = review.pull
    if pull is None or review.status is not Status.PR_OPEN:
        return []
    told = [f"{CHECKS[pull.checks]} {mrkdwn(_sentence(checks_sentence(pull)), 600)}"] if pull.checks else []
    if pull.conflict:
        told.append(f"⚔️ It conflicts with {mrkdwn(pull.base or 'its base', 200, one_line=True)}.")
    if pull.pushed_over:
        commits = f"{_short(pull.head)}, approved {_short(pull.approved_head)}"
        told.append(f"⚠️ New commits after approval ({commits}). The approval no longer covers this pull request.")
    if pull.merging is Merging.ARMED:
        told.append("GitHub merges it automatically once its rules are met.")
    if pull.merging is Merging.REFUSED:
        told.append("⚠️ GitHub refused to merge it. The reason is in the thread.")
    if pull.reviewers:
        told.append(f"Waiting for reviews from {mrkdwn(', '.join(pull.reviewers), 300, one_line=True)}.")
    if pull.unseen:
        told.append(f"❓ {mrkdwn(_sentence(pull.unseen), 300)}")
    return told


def _short(sha: str | None) -> str:
    return mrkdwn((sha or "")[:7], 40)


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def _follows(review: Review) -> str | None:
    note = mrkdwn(review.note, 600) if review.note else ""
    match review.status:
        case Status.APPROVED:
            return note or "The pull request is being opened."
        case Status.PR_CLOSED:
            return note or "Closed without merging; the bot won't reopen it."
        case Status.REJECTED:
            return note or "One rejection closes a review. The thread says who rejected it and why."
        case Status.CHANGES_REQUESTED:
            return note or "Voting reopens when changed content arrives. The thread says who asked for changes and why."
        case Status.EXPIRED:
            return note or "Nobody decided in time."
        case _:
            return note or None


def _votes(review: Review, tally: Tally) -> list[str]:
    void = [v for v in review.votes if _void(v, review)]
    told = []
    if counted := [v for v in review.votes if v not in void]:
        total = f" ({tally.sentence})" if review.status in _MET else ""
        told.append(f"Approved by {_people(counted)}{total}")
    if void:
        told.append(f"{_people(void)}'s approval no longer counts (they escalated).")
    return told


def _void(vote: Vote, review: Review) -> bool:
    """Whether the person escalated after giving this approval (see `tally`)."""
    escalated = review.escalated_at is not None
    return escalated and vote.person == review.escalated_by and not vote.lead_after_escalation


def _people(votes: list[Vote]) -> str:
    named = ", ".join(mention(v.person, v.name) for v in votes[:_NAMED])
    return f"{named} and {len(votes) - _NAMED} more" if len(votes) > _NAMED else named
