"""A person's Home tab: the numbers, the reviews they claimed, and the most urgent reviews."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from bot.blocks import commands, kit
from bot.blocks.kit import Block, Home
from bot.blocks.limits import fitted
from bot.blocks.text import date, mrkdwn
from bot.domain.apv import Severity
from bot.domain.review import Choice, Dossier

LISTED = 15
"""Reviews in each of the two lists. The tab stays well below Slack's limit of 100 blocks."""


def home(
    *,
    mine: Sequence[Dossier],
    mine_total: int,
    urgent: Sequence[Dossier],
    waiting: Mapping[Severity, int],
    decided: Mapping[Choice, int],
    today: int,
    now: datetime,
) -> Home:
    """`mine` and `urgent` are the first of their lists, most urgent first; `waiting` counts all open reviews."""
    facts = commands.numbers(waiting, decided, today)
    blocks: list[Block] = [
        kit.fields([f"*{name}*\n{value}" for name, value in facts.items()]),
        kit.divider(),
        *_listed("Claimed by you", mine, mine_total, commands.NONE_CLAIMED, now),
        kit.divider(),
        *_listed("Most urgent", urgent, sum(waiting.values()), "No review awaits a decision.", now),
        kit.context(kit.markup(f"As of {date(now)}. Reopen this tab to refresh it.")),
    ]
    return fitted({"type": "home", "blocks": blocks})


def closed(sentence: str) -> Home:
    """The Home tab of a person who may not read reviews: only the reason."""
    return fitted({"type": "home", "blocks": [kit.section(mrkdwn(sentence, 1000))]})


def _listed(title: str, dossiers: Sequence[Dossier], total: int, if_empty: str, now: datetime) -> list[Block]:
    shown = dossiers[:LISTED]
    blocks: list[Block] = [kit.header(title), *(kit.section(commands.entry(each, now)) for each in shown)]
    if not shown:
        blocks.append(kit.section(if_empty))
    if total > len(shown):
        blocks.append(kit.context(kit.plain_text(f"and {total - len(shown):,} more")))
    return blocks
