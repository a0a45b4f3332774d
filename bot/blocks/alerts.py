"""Messages beside the card: replies in its thread, private answers, and alerts for the incident channel.

Each is built from a sentence that may hold untrusted parts, so the whole sentence is made inert here.
"""

import re
from collections.abc import Mapping, Sequence

from bot.blocks import kit, words
from bot.blocks.kit import Block, Message
from bot.blocks.limits import fitted
from bot.blocks.text import mrkdwn, mrkdwn_parts
from bot.domain.events import Kind
from bot.domain.review import Dossier

HEADLINES: Mapping[str, tuple[str, str]] = {
    Kind.SUBMITTED: ("🚨", "New critical APV"),
    Kind.ESCALATED: ("⚠️", "Escalated: a lead is needed"),
    Kind.DEADLINE_MISSED: ("⏰", "Deadline missed"),
    Kind.DEADLINE_NEAR: ("⏳", "A deadline is near"),
    Kind.PULL_FAILED: ("❌", "Pull request failed"),
    Kind.CHECKS_REPORTED: ("❌", "Checks of a pull request failed"),
    Kind.CONFLICT_REPORTED: ("⚔️", "A pull request conflicts with its base"),
    Kind.PUSHED_OVER: ("⚠️", "Somebody pushed to an approved branch"),
    Kind.PULL_MERGED: ("⚠️", "Merged with what nobody approved here"),
    Kind.PULL_LOST: ("❓", "GitHub does not show a pull request"),
    Kind.MERGE_REFUSED: ("❌", "A pull request was not merged"),
    Kind.JOB_HELD: ("🛑", "A job ran out of retries"),
    "policy.broken": ("📜", "The policy file is broken"),
}
"""The kind of an event -> the headline of its alert."""

_PRINCIPAL = re.compile(r"[USW][A-Z0-9]{1,31}")
_CHANNEL = re.compile(r"[CGD][A-Z0-9]{1,31}")


def reply(sentence: str, tell: Sequence[str] = ()) -> Message:
    """A sentence as a message: a reply in the card's thread, a refusal, the answer to a command.

    `tell`: ids of Slack users and user groups that are mentioned below it, so that Slack notifies them.
    """
    # A justification may be as long as a section, and escaping makes it longer: it goes on in the next one.
    parts = mrkdwn_parts(sentence, 2900) or ["…"]
    sections = [kit.section(part) for part in parts[:4]]
    return fitted(Message(mrkdwn(sentence, 3500) or "…", [*sections, *_mentions(tell)]))


def _mentions(tell: Sequence[str]) -> list[Block]:
    known = [key for key in tell[:50] if _PRINCIPAL.fullmatch(key)]
    mentioned = " ".join(f"<!subteam^{key}>" if key.startswith("S") else f"<@{key}>" for key in known)
    return [kit.section(mentioned)] if mentioned else []


def alert(kind: str, sentence: str, *, dossier: Dossier | None = None, channel: str = "") -> Message:
    """An alert about the event `kind` (of HEADLINES); `dossier` and the `channel` of its card where there are any.

    A message of its own, without buttons: who reads it finds the card in its channel.
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
    if _CHANNEL.fullmatch(channel):
        about.append(f"its card is in <#{channel}>")
    return " · ".join(part for part in about if part)
