"""The private answers of `/apv`: the queue, one review, the person's claims, the numbers, and the help."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from bot.blocks import alerts, kit, state, words
from bot.blocks.card import card
from bot.blocks.kit import Block, Message
from bot.blocks.limits import fitted
from bot.blocks.text import age, date, mention, mrkdwn, plain
from bot.domain.apv import Severity
from bot.domain.quorum import Tally
from bot.domain.review import AWAITING, Choice, Dossier

LISTED = 20
"""Reviews in one answer; the rest is only counted."""
NONE_CLAIMED = "No open reviews are claimed by you."
_ASKED = {
    "queue [severity]": "list reviews awaiting a decision, most urgent first",
    "show ID": "show one review; ID is its `APV-…` code or its UUID",
    "mine": "list open reviews claimed by you",
    "claim ID": "claim a review",
    "unclaim ID": "release your claim",
    "reassign ID @user": "transfer the claim to another person",
    "snooze ID Nh reason": "snooze for N hours (until the deadline at most); pauses reminders",
    "wake ID": "end the snooze",
    "withdraw ID": "withdraw your approval while the review is open; you can vote again",
    "reopen ID reason": "ask for a new vote on a rejected review; for leads",
    "stats": "count open reviews and decisions",
    "help": "show this list",
}
_DECIDED = {
    Choice.APPROVE: "approved",
    Choice.REJECT: "rejected",
    Choice.MODIFY: "sent back for changes",
    Choice.ESCALATE: "escalated",
}


def queue(dossiers: Sequence[Dossier], total: int, severity: Severity | None, now: datetime) -> Message:
    """Reviews awaiting a decision: `total` counts all of them, `dossiers` are the first ones, most urgent first."""
    which = f"{severity.value} " if severity else ""
    if not dossiers:
        return alerts.reply(f"No {which}review awaits a decision.")
    return _listed(f"{words.counted(total, f'{which}review')} awaiting a decision", dossiers, total, now)


def mine(dossiers: Sequence[Dossier], total: int, now: datetime) -> Message:
    """The open reviews that the person who asks has claimed; `total` and `dossiers` as in `queue`."""
    if not dossiers:
        return alerts.reply(NONE_CLAIMED)
    return _listed(f"{words.counted(total, 'review')} claimed by you", dossiers, total, now)


def show(dossier: Dossier, tally: Tally, *, now: datetime | None = None, web_origin: str | None = None) -> Message:
    """One review as its card, without the decision buttons: nothing updates a private copy."""
    return card(dossier, tally, now=now, web_origin=web_origin, decidable=False)


def stats(
    *, waiting: Mapping[Severity, int], decided: Mapping[Choice, int], today: int, median_seconds: float | None = None
) -> Message:
    """The open reviews by severity, the recorded decisions by choice, and the median time to a decision."""
    facts = numbers(waiting, decided, today)
    text = "; ".join(f"{name} ({value.replace(chr(10), ', ')})" for name, value in facts.items())
    blocks: list[Block] = [kit.fields([f"*{name}*\n{value}" for name, value in facts.items()])]
    if median_seconds is not None:
        blocks.append(kit.context(kit.plain_text(f"Median time to a decision: {_span(median_seconds)}.")))
    return fitted(Message(text, blocks))


def numbers(waiting: Mapping[Severity, int], decided: Mapping[Choice, int], today: int) -> Mapping[str, str]:
    """Open reviews and decisions: each sum -> its parts, one per line."""
    waits = [f"{words.SEVERITY[s][0]} {waiting.get(s, 0):,} {words.SEVERITY[s][1].lower()}" for s in Severity]
    decisions = [f"{decided.get(choice, 0):,} {word}" for choice, word in _DECIDED.items()]
    return {
        f"{sum(waiting.values()):,} awaiting a decision": "\n".join(waits),
        f"{words.counted(sum(decided.values()), 'decision')}, {today:,} today": "\n".join(decisions),
    }


def usage() -> Message:
    """The list of `/apv` commands."""
    told = [f"`/apv {asked}`  {what}" for asked, what in _ASKED.items()]
    terms = kit.plain_text("docs/glossary.md of apv-bot explains the terms, such as APV, wargame and digest.")
    return Message("/apv commands: " + ", ".join(_ASKED), [kit.section("\n".join(told)), kit.context(terms)])


def unknown(text: str) -> Message:
    """The answer to a command that `/apv` does not have."""
    asked = mrkdwn(plain(text, 100).replace("`", "'"), 500)
    said = f"Unknown command{f' `{asked}`' if asked else ''}. Try `/apv queue`."
    return fitted(Message(said, [kit.section(said), *usage().blocks]))


def _listed(headline: str, dossiers: Sequence[Dossier], total: int, now: datetime) -> Message:
    shown = dossiers[:LISTED]
    more = total - len(shown)
    blocks: list[Block] = [kit.header(headline), *(kit.section(entry(d, now)) for d in shown)]
    if more > 0:
        blocks.append(kit.context(kit.plain_text(f"and {more:,} more")))
    codes = ", ".join(mrkdwn(d.review.code, 40) for d in shown)
    return fitted(Message(f"{headline}: {codes}{f' and {more:,} more' if more > 0 else ''}", blocks))


def entry(dossier: Dossier, now: datetime) -> str:
    """One review of a list, in two lines of mrkdwn: what it is about, and its state."""
    apv, review = dossier.apv, dossier.review
    named = (words.advisory(apv), mrkdwn(words.package(apv), 120, one_line=True))
    first = " · ".join(part for part in (words.severity(apv), f"*{mrkdwn(review.code, 40)}*", *named) if part)
    return f"{first}\n{' · '.join(_standing(dossier, now))}"


def _standing(dossier: Dossier, now: datetime) -> list[str]:
    review = dossier.review
    if review.unreadable:
        return [" ".join(state.look(review))]
    parts = [f"waiting {age(review.created_at, now)}"]
    if review.due_at is not None and review.status in AWAITING:
        parts.append(
            f"⚠️ deadline missed {age(review.due_at, now)} ago" if review.due_at <= now else f"due {date(review.due_at)}"
        )
    if review.status not in AWAITING or review.escalated_at is not None:
        emoji, word = state.look(review)
        parts.append(f"{emoji} {word.lower()}")
    if review.votes:
        parts.append(words.counted(len(review.votes), "approval"))
    if review.snoozed_until is not None and review.status in AWAITING:
        parts.append(f"💤 until {date(review.snoozed_until)}")
    if review.claimed_by:
        parts.append(f"claimed by {mention(review.claimed_by, review.claimed_by_name)}")
    return parts


def _span(seconds: float) -> str:
    if seconds < 3600:
        return f"{max(1, round(seconds / 60))} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} d"
