"""Clicks on a card's buttons. A listener commits, replies, and only then acks: an acked click is recorded."""

import asyncio
from collections.abc import Callable, Mapping

from slack_bolt.async_app import AsyncAck, AsyncBoltRequest

from bot.blocks import ids, modals, pages
from bot.blocks.kit import View
from bot.domain.decisions import Decision
from bot.domain.refusal import Refused
from bot.domain.review import Accepted, Choice, Dossier, Outcome, Repeated
from bot.service import claims, decisions, queries
from bot.service.people import reading_refusal
from handlers.slack.context import Context
from handlers.slack.errors import NotShown
from handlers.slack.payloads import Click, asker


async def approve(context: Context, ack: AsyncAck, request: AsyncBoltRequest) -> None:
    """Approve: recorded at once, or, if the policy requires a justification, after a modal."""
    click = Click.model_validate(request.body)
    shown = ids.decode(click.value)
    if context.gate.policy().asks_why and await _must_say_why(context, click):
        await _ask(context, request, Choice.APPROVE)
    else:
        decision = Decision(choice=Choice.APPROVE, digest=shown.digest, version=shown.version)
        outcome = await decisions.decide(context.gate, asker(click.who, request), shown.review_id, decision)
        await _explain(context, click, outcome)
    await ack()


async def reject(context: Context, ack: AsyncAck, request: AsyncBoltRequest) -> None:
    """Reject: opens a modal for the reason; nothing is recorded before it is submitted."""
    await _ask(context, request, Choice.REJECT)
    await ack()


async def escalate(context: Context, ack: AsyncAck, request: AsyncBoltRequest) -> None:
    """Escalate: opens a modal for the reason; nothing is recorded before it is submitted."""
    await _ask(context, request, Choice.ESCALATE)
    await ack()


async def claim(context: Context, ack: AsyncAck, request: AsyncBoltRequest) -> None:
    """Claim: recorded at once."""
    click = Click.model_validate(request.body)
    shown = ids.decode(click.value)
    await _explain(context, click, await claims.claim(context.gate, asker(click.who, request), shown.review_id))
    await ack()


async def view_diff(context: Context, ack: AsyncAck, request: AsyncBoltRequest) -> None:
    """View diff: the whole patch, page by page."""
    await _read(context, request, pages.diff_view)
    await ack()


async def details(context: Context, ack: AsyncAck, request: AsyncBoltRequest) -> None:
    """Details: everything else that the digest covers."""
    await _read(context, request, pages.details_view)
    await ack()


async def turn(context: Context, ack: AsyncAck, request: AsyncBoltRequest) -> None:
    """Previous and Next in either modal. If Slack does not show the page, the click fails, and Slack says so there."""
    click = Click.model_validate(request.body)
    value, page = ids.decode_page(click.value)
    shown = ids.decode(value)
    if click.view is None or (draw := pages.VIEWS.get(click.view.callback_id)) is None:
        raise ids.NotOurs("not in a modal with pages")
    async with asyncio.timeout(context.gate.patience):
        dossier = await _readable(context, click, value)
        if dossier is not None:
            drawn = draw(dossier, page, seen=shown.digest)
            if not await context.views.update_view(click.view.id, click.view.hash, drawn):
                raise NotShown
    await ack()


async def _read(context: Context, request: AsyncBoltRequest, draw: Callable[..., View]) -> None:
    click = Click.model_validate(request.body)
    shown = ids.decode(click.value)
    async with asyncio.timeout(context.gate.patience):
        if dossier := await _readable(context, click, click.value):
            await _open(context, click, draw(dossier, seen=shown.digest))


FORMS: Mapping[Choice, Callable[[Dossier], View]] = {
    Choice.APPROVE: modals.approve_why,
    Choice.REJECT: modals.reject,
    Choice.ESCALATE: modals.escalate,
}


async def _must_say_why(context: Context, click: Click) -> bool:
    async with asyncio.timeout(context.gate.patience):
        dossier = await queries.get(context.gate, ids.decode(click.value).review_id)
    return dossier is not None and context.gate.policy().needs(dossier.review).justification


async def _ask(context: Context, request: AsyncBoltRequest, choice: Choice) -> None:
    """Open the modal of this choice for a person who may make it."""
    click = Click.model_validate(request.body)
    shown = ids.decode(click.value)
    decision = Decision(choice=choice, digest=shown.digest, version=shown.version)
    # Reading, judging and opening together must fit into the three seconds that Slack waits.
    async with asyncio.timeout(context.gate.patience):
        if dossier := await _shown(context, click, click.value):
            outcome = await decisions.consider(context.gate, asker(click.who, request), shown.review_id, decision)
            await _explain(context, click, outcome)
            if isinstance(outcome, Accepted):
                await _open(context, click, FORMS[choice](dossier))


async def _shown(context: Context, click: Click, value: str) -> Dossier | None:
    """The review that `value` names, for the person who clicked; where there is none, they are told."""
    dossier = await queries.get(context.gate, ids.decode(value).review_id)
    if dossier is None:
        await context.tell(click, decisions.UNKNOWN.sentence)
    return dossier


async def _readable(context: Context, click: Click, value: str) -> Dossier | None:
    """As `_shown`, for a person who may read; others are told why they may not."""
    if refusal := await reading_refusal(context.gate, click.who):
        await context.tell(click, refusal.sentence)
        return None
    return await _shown(context, click, value)


async def _open(context: Context, click: Click, view: View) -> None:
    if not await context.views.open_view(click.trigger_id, view):
        await context.tell(click, "Slack did not open the dialog, so nothing was recorded. Please click again.")


async def _explain(context: Context, click: Click, outcome: Outcome | Repeated) -> None:
    if isinstance(outcome, Refused):
        await context.tell(click, outcome.sentence)
