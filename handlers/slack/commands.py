"""The slash command `/apv`: queries, and actions on one review. The answer is ephemeral."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias
from uuid import UUID

from slack_bolt.async_app import AsyncAck, AsyncBoltRequest

from bot.blocks import alerts, commands
from bot.blocks.kit import Message
from bot.domain.apv import Severity
from bot.domain.decisions import tally
from bot.domain.refusal import Refused
from bot.domain.review import Accepted, Outcome, Repeated
from bot.service import claims, decisions, queries, statistics
from bot.service.decisions import Asker
from bot.service.gate import Gate
from bot.service.people import SlackUser, reading_refusal
from handlers.slack.context import Context
from handlers.slack.payloads import Command, asker

MENTION = re.compile(r"<@(?P<id>[UW][A-Z0-9]{1,30})(\|[^>]*)?>")
"""A person in a command whose manifest says `should_escape`: `<@U123|name>`."""

SNOOZE = re.compile(r"(?P<hours>[0-9]{1,4})h\b(?P<reason>.*)", re.ASCII | re.DOTALL)


async def apv(context: Context, ack: AsyncAck, request: AsyncBoltRequest) -> None:
    """`/apv <subcommand> [argument]`; a duplicate request is not answered."""
    command = Command.of(request.body)
    verb, argument = _split(command.text)
    verb = verb.lower()
    async with asyncio.timeout(context.gate.patience):
        if question := QUESTIONS.get(verb):
            refusal = await reading_refusal(context.gate, command.who) if question is not _help else None
            said: Message | None = (
                alerts.reply(refusal.sentence) if refusal else await question(context, command.who, argument)
            )
        elif verb in ACTS or verb in ACTS_WITH_MORE:
            said = await _act(context, asker(command.who, request), verb, argument)
        else:
            said = commands.unknown(command.text)
    if said is None:
        await ack()
    else:
        await ack(text=said.text, blocks=[dict(block) for block in said.blocks], response_type="ephemeral")


def _split(text: str) -> tuple[str, str]:
    first, *rest = text.split(maxsplit=1) or [""]
    return first, "".join(rest).strip()


def _typed(text: str) -> str:
    """Text as it was typed: Slack escapes these three and nothing else ("Formatting message text")."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


@dataclass(frozen=True, slots=True)
class Act:
    """The action of a verb on a review, and the reply; `{code}` stands for the review's code."""

    do: Callable[[Gate, Asker, UUID], Awaitable[Outcome | Repeated]]
    done: str


async def _act(context: Context, asker: Asker, verb: str, argument: str) -> Message | None:
    name, more = _split(argument) if verb in ACTS_WITH_MORE else (argument, "")
    dossier = await queries.find(context.gate, name)
    if dossier is None:
        return _unknown(name)
    act = ACTS_WITH_MORE[verb](context, more) if verb in ACTS_WITH_MORE else ACTS[verb]
    if isinstance(act, Message):
        return act
    match await act.do(context.gate, asker, dossier.review.id):
        case Repeated():
            return None
        case Refused(sentence=sentence):
            return alerts.reply(sentence)
        case Accepted():
            return alerts.reply(act.done.format(code=dossier.review.code))


def _reassign(context: Context, to: str) -> Act | Message:
    named = MENTION.fullmatch(to)
    if named is None:
        return alerts.reply("To whom? Mention them: /apv reassign ID @user.")
    target = SlackUser(named["id"], context.gate.team_id())
    return Act(partial(claims.reassign, to=target), "You have reassigned {code}; its thread mentions the new reviewer.")


def _snooze(_context: Context, more: str) -> Act | Message:
    asked = SNOOZE.fullmatch(more)
    if asked is None:
        return alerts.reply("For how long, and why? For example: /apv snooze ID 4h waiting for the vendor.")
    hours, reason = int(asked["hours"]), _typed(asked["reason"]).strip()
    return Act(partial(claims.snooze, hours=hours, reason=reason), f"You have snoozed {{code}} for {hours} h.")


def _reopen(_context: Context, more: str) -> Act | Message:
    return Act(partial(decisions.reopen, why=_typed(more)), "You have reopened {code}. It needs new votes.")


async def _queue(context: Context, _who: SlackUser, argument: str) -> Message:
    severity = None
    if argument:
        try:
            severity = Severity(argument.lower())
        except ValueError:
            known = ", ".join(s.value for s in Severity)
            return alerts.reply(f"There is no severity “{argument[:40]}”. Severities are {known}.")
    page = await queries.waiting(context.gate, severity, limit=commands.LISTED)
    return commands.queue(page.reviews, page.total, severity, context.gate.now())


async def _show(context: Context, _who: SlackUser, argument: str) -> Message:
    dossier = await queries.find(context.gate, argument)
    if dossier is None:
        return _unknown(argument)
    count = tally(dossier.review, context.gate.policy(), context.gate.now())
    return commands.show(dossier, count, now=context.gate.now(), web_origin=context.web_origin)


async def _stats(context: Context, _who: SlackUser, _argument: str) -> Message:
    now = await statistics.collect(context.gate)
    return commands.stats(
        waiting=now.reviews.waiting(),
        decided=now.decisions.of,
        today=now.decisions.today,
        median_seconds=now.times.median or None,
    )


async def _mine(context: Context, who: SlackUser, _argument: str) -> Message:
    page = await queries.claimed_by(context.gate, who.id, limit=commands.LISTED)
    return commands.mine(page.reviews, page.total, context.gate.now())


async def _help(_context: Context, _who: SlackUser, _argument: str) -> Message:
    return commands.usage()


def _unknown(argument: str) -> Message:
    if not argument:
        return alerts.reply("Which one? Give its code, for example APV-2026-0001.")
    return alerts.reply(f"There is no review “{argument[:60]}”. /apv queue lists those that wait.")


Question: TypeAlias = Callable[[Context, SlackUser, str], Awaitable[Message]]

QUESTIONS: Mapping[str, Question] = {
    "": _help, "help": _help, "mine": _mine, "queue": _queue, "show": _show, "stats": _stats,
}  # fmt: skip
ACTS: Mapping[str, Act] = {
    "claim": Act(claims.claim, "You have claimed {code}."),
    "unclaim": Act(claims.unclaim, "You have released your claim on {code}."),
    "wake": Act(claims.wake, "You have woken {code}."),
    "withdraw": Act(decisions.withdraw, "You have withdrawn your approval of {code}."),
}
ACTS_WITH_MORE: Mapping[str, Callable[[Context, str], Act | Message]] = {
    "reassign": _reassign, "reopen": _reopen, "snooze": _snooze,
}  # fmt: skip
"""Actions with further arguments, which are parsed first; the reply names what is missing."""
SUBCOMMANDS = frozenset({*QUESTIONS, *ACTS, *ACTS_WITH_MORE})
