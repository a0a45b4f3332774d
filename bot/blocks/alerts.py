"""Messages beside the card: replies in its thread, private answers, and alerts for the incident channel.

A sentence may contain untrusted parts, so the whole sentence is made inert here.
"""

import re
from collections.abc import Mapping, Sequence

from bot.blocks import kit, links, words
from bot.blocks.kit import Block, Message
from bot.blocks.limits import fitted
from bot.blocks.text import mrkdwn, mrkdwn_parts
from bot.domain.events import Kind
from bot.domain.review import Dossier

HEADLINES: Mapping[str, tuple[str, str]] = {
    Kind.SUBMITTED: ("🚨", "New critical APV"),
    Kind.ESCALATED: ("⚠️", "Escalated: a lead is needed"),
    Kind.DEADLINE_MISSED: ("⏰", "Deadline missed"),
    Kind.DEADLINE_NEAR: ("⏳", "Deadline approaching"),
    Kind.PULL_FAILED: ("❌", "Pull request failed"),
    Kind.CHECKS_REPORTED: ("❌", "Pull request checks failed"),
    Kind.CONFLICT_REPORTED: ("⚔️", "Pull request has conflicts"),
    Kind.PUSHED_OVER: ("⚠️", "New commits after approval"),
    Kind.PULL_MERGED: ("⚠️", "Merged with unapproved changes"),
    Kind.PULL_LOST: ("❓", "Pull request not found on GitHub"),
    Kind.MERGE_REFUSED: ("❌", "Pull request not merged"),
    Kind.JOB_HELD: ("🛑", "A job ran out of retries"),
    Kind.SWAPPED: ("🧨", "Content changed outside the bot"),
    Kind.VOTES_VOIDED: ("🗳️", "Votes voided"),
    "pushes.paused": ("⏸️", "Pushes paused"),
    "pushes.resumed": ("▶️", "Pushes resumed"),
    "policy.broken": ("📜", "The policy file is broken"),
}
"""The kind of an event -> the emoji and headline of its alert."""

_PRINCIPAL = re.compile(r"[USW][A-Z0-9]{1,31}")


def reply(sentence: str, tell: Sequence[str] = ()) -> Message:
    """A sentence as a message: a reply in the card's thread, a refusal, the answer to a command.

    `tell`: ids of Slack users and user groups. They are mentioned below the sentence, so that Slack notifies them.
    """
    # A justification may be as long as a section, and escaping makes it longer. The rest goes into the next section.
    parts = mrkdwn_parts(sentence, 2900) or ["…"]
    sections = [kit.section(part) for part in parts[:4]]
    return fitted(Message(mrkdwn(sentence, 3500) or "…", [*sections, *_mentions(tell)]))


def _mentions(tell: Sequence[str]) -> list[Block]:
    known = [key for key in tell[:50] if _PRINCIPAL.fullmatch(key)]
    mentioned = " ".join(f"<!subteam^{key}>" if key.startswith("S") else f"<@{key}>" for key in known)
    return [kit.section(mentioned)] if mentioned else []


def alert(kind: str, sentence: str, *, dossier: Dossier | None = None, channel: str = "") -> Message:
    """An alert about the event `kind` (a key of HEADLINES), with the review and the channel of its card if known.

    It is a message of its own, without buttons: the card has them.
    """
    emoji, headline = HEADLINES.get(kind, ("⚠️", "Needs attention"))
    code = f" · {mrkdwn(dossier.review.code, 40)}" if dossier else ""
    told = [f"{emoji} *{headline}*{code}", mrkdwn(sentence, 2000) or headline]
    blocks: list[Block] = [kit.section("\n".join(told))]
    text = f"{headline}{code}: {told[1]}"
    if dossier:
        blocks.append(kit.context(kit.markup(_about(dossier, channel))))
        text = f"{text} ({words.severity(dossier.apv)})"
    return fitted(Message(text, blocks))


def _about(dossier: Dossier, channel: str) -> str:
    apv = dossier.apv
    about = [words.severity(apv), words.advisory(apv), mrkdwn(words.package(apv), 300, one_line=True)]
    if mention := links.channel(channel):
        about.append(f"card in {mention}")
    return " · ".join(part for part in about if part)
