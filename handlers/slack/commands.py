"""The slash command `/apv`. Every answer is seen only by the person who typed it."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping

from slack_bolt.async_app import AsyncAck, AsyncBoltRequest

from bot.blocks import alerts, commands
from bot.blocks.kit import Message
from bot.domain.apv import Severity
from bot.domain.refusal import Accepted, Outcome, Refused, Repeated
from bot.domain.review import tally
from bot.service import claims as turns
from bot.service import queries as queue
from bot.service import reviews, statistics
from bot.service.people import SlackUser
from handlers.slack.desk import Desk
from handlers.slack.payloads import Command, delivery

MENTION = re.compile(r"<@(?P<id>[UW][A-Z0-9]{1,30})(\|[^>]*)?>")
"""A person in a command whose manifest says `should_escape`: `<@U123|name>`."""

SNOOZE = re.compile(r"(?P<hours>[0-9]{1,4})h\b(?P<reason>.*)", re.ASCII | re.DOTALL)


async def apv(desk: Desk, ack: AsyncAck, request: AsyncBoltRequest) -> None:
    """`/apv <subcommand> [argument]`; the very same request again is not answered again."""
    command = Command.of(request.body)
    verb, *rest = command.text.split(maxsplit=1) or [""]
    answer = SUBCOMMANDS.get(verb.lower())
    if answer is None:
        said: Message | None = commands.unknown(command.text)
    else:
        async with asyncio.timeout(desk.gate.patience):
            said = await answer(desk, command.who, "".join(rest).strip(), delivery(request))
    if said is None:
        await ack()
    else:
        await ack(text=said.text, blocks=[dict(block) for block in said.blocks], response_type="ephemeral")


async def _queue(desk: Desk, _who: SlackUser, argument: str, _delivery: bytes) -> Message:
    severity = None
    if argument:
        try:
            severity = Severity(argument.lower())
        except ValueError:
            known = ", ".join(s.value for s in Severity)
            return alerts.reply(f"There is no severity “{argument[:40]}”. Severities are {known}.")
    page = await queue.waiting(desk.gate, severity, limit=commands.LISTED)
    return commands.queue([s.dossier for s in page.reviews], page.total, severity, desk.gate.now())


async def _show(desk: Desk, _who: SlackUser, argument: str, _delivery: bytes) -> Message:
    stored = await queue.find(desk.gate, argument)
    if stored is None:
        return _unknown(argument)
    count = tally(stored.dossier.review, desk.gate.policy(), desk.gate.now())
    return commands.show(stored.dossier, count, now=desk.gate.now(), web_origin=desk.web_origin)


async def _stats(desk: Desk, _who: SlackUser, _argument: str, _delivery: bytes) -> Message:
    now = await statistics.collect(desk.gate)
    return commands.stats(waiting=now.reviews.waiting(), decided=now.decisions.of, today=now.decisions.today)


async def _mine(desk: Desk, who: SlackUser, _argument: str, _delivery: bytes) -> Message:
    page = await queue.claimed_by(desk.gate, who.id, limit=commands.LISTED)
    return commands.mine([s.dossier for s in page.reviews], page.total, desk.gate.now())


async def _claim(desk: Desk, who: SlackUser, argument: str, delivered: bytes) -> Message | None:
    stored = await queue.find(desk.gate, argument)
    if stored is None:
        return _unknown(argument)
    review = stored.dossier.review
    outcome = await reviews.claim(desk.gate, who, review.id, source="slack", delivery=delivered)
    return _said(outcome, f"You have claimed {review.code}.")


async def _unclaim(desk: Desk, who: SlackUser, argument: str, delivered: bytes) -> Message | None:
    stored = await queue.find(desk.gate, argument)
    if stored is None:
        return _unknown(argument)
    review = stored.dossier.review
    outcome = await turns.unclaim(desk.gate, who, review.id, source="slack", delivery=delivered)
    return _said(outcome, f"You no longer claim {review.code}.")


async def _reassign(desk: Desk, who: SlackUser, argument: str, delivered: bytes) -> Message | None:
    name, _, to = argument.partition(" ")
    stored = await queue.find(desk.gate, name)
    if stored is None:
        return _unknown(name)
    named = MENTION.fullmatch(to.strip())
    if named is None:
        return alerts.reply("To whom? Mention them: /apv reassign ID @user.")
    review, target = stored.dossier.review, SlackUser(named["id"], desk.gate.team_id())
    outcome = await turns.reassign(desk.gate, who, review.id, target, source="slack", delivery=delivered)
    return _said(outcome, f"You have given {review.code} away; its thread says to whom.")


async def _snooze(desk: Desk, who: SlackUser, argument: str, delivered: bytes) -> Message | None:
    name, _, rest = argument.partition(" ")
    stored = await queue.find(desk.gate, name)
    if stored is None:
        return _unknown(name)
    asked = SNOOZE.fullmatch(rest.strip())
    if asked is None:
        return alerts.reply("For how long, and why? For example: /apv snooze ID 4h waiting for the vendor.")
    review, hours, reason = stored.dossier.review, int(asked["hours"]), asked["reason"].strip()
    outcome = await turns.snooze(desk.gate, who, review.id, hours, reason, source="slack", delivery=delivered)
    return _said(outcome, f"You have snoozed {review.code} for {hours} h.")


async def _wake(desk: Desk, who: SlackUser, argument: str, delivered: bytes) -> Message | None:
    stored = await queue.find(desk.gate, argument)
    if stored is None:
        return _unknown(argument)
    review = stored.dossier.review
    outcome = await turns.wake(desk.gate, who, review.id, source="slack", delivery=delivered)
    return _said(outcome, f"You have woken {review.code}.")


async def _withdraw(desk: Desk, who: SlackUser, argument: str, delivered: bytes) -> Message | None:
    stored = await queue.find(desk.gate, argument)
    if stored is None:
        return _unknown(argument)
    review = stored.dossier.review
    outcome = await reviews.withdraw(desk.gate, who, review.id, source="slack", delivery=delivered)
    return _said(outcome, f"You have withdrawn your approval of {review.code}.")


def _said(outcome: Outcome | Repeated, done: str) -> Message | None:
    match outcome:
        case Repeated():
            return None
        case Refused():
            return alerts.reply(outcome.sentence)
        case Accepted():
            return alerts.reply(done)


async def _help(_desk: Desk, _who: SlackUser, _argument: str, _delivery: bytes) -> Message:
    return commands.usage()


def _unknown(argument: str) -> Message:
    if not argument:
        return alerts.reply("Which one? Give its code, for example APV-2026-0001.")
    return alerts.reply(f"There is no review “{argument[:60]}”. /apv queue lists those that wait.")


SUBCOMMANDS: Mapping[str, Callable[[Desk, SlackUser, str, bytes], Awaitable[Message | None]]] = {
    "": _help,
    "claim": _claim,
    "help": _help,
    "mine": _mine,
    "queue": _queue,
    "reassign": _reassign,
    "show": _show,
    "snooze": _snooze,
    "stats": _stats,
    "unclaim": _unclaim,
    "wake": _wake,
    "withdraw": _withdraw,
}
