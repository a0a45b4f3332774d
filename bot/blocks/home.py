"""A person's Home tab: the numbers, what they claimed, and what is most urgent."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from bot.blocks import commands, kit
from bot.blocks.kit import Block, Home
from bot.blocks.limits import fitted
from bot.blocks.text import date
from bot.domain.apv import Severity
from bot.domain.review import Choice, Dossier

LISTED = 15
"""Reviews in each of the two lists: all of it stays well below the hundred blocks that Slack shows."""


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
    """`mine` and `urgent` are the heads of their lists, most urgent first; `waiting` counts what `urgent` begins."""
    facts = commands.numbers(waiting, decided, today)
    blocks: list[Block] = [
        kit.fields([f"*{name}*\n{value}" for name, value in facts.items()]),
        kit.divider(),
        *_listed("Claimed by you", mine, mine_total, "You have claimed nothing that still awaits a decision.", now),
        kit.divider(),
        *_listed("Most urgent", urgent, sum(waiting.values()), "No review awaits a decision.", now),
        kit.context(kit.markup(f"As of {date(now)}. Opening this tab again brings it up to date.")),
    ]
    return fitted({"type": "home", "blocks": blocks})


def _listed(title: str, dossiers: Sequence[Dossier], total: int, otherwise: str, now: datetime) -> list[Block]:
    shown = dossiers[:LISTED]
    blocks: list[Block] = [kit.header(title), *(kit.section(commands.entry(each, now)) for each in shown)]
    if not shown:
        blocks.append(kit.section(otherwise))
    if total > len(shown):
        blocks.append(kit.context(kit.plain_text(f"and {total - len(shown):,} more")))
    return blocks
