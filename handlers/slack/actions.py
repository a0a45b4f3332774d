"""Clicks on the buttons of a card. A listener commits, answers, and only then acks: what is acked is recorded."""

import asyncio
from collections.abc import Callable, Mapping

from slack_bolt.async_app import AsyncAck, AsyncBoltRequest

from bot.blocks import alerts, ids, modals
from bot.blocks.kit import View
from bot.domain.refusal import Accepted, Outcome, Refused, Repeated
from bot.domain.review import Choice, Decision, Dossier
from bot.service import queries as queue
from bot.service import reviews
from handlers.slack.desk import Desk
from handlers.slack.payloads import Click, delivery


async def approve(desk: Desk, ack: AsyncAck, request: AsyncBoltRequest) -> None:
    """Approve: recorded at once, or, where the policy wants a justification, asked for in a modal."""
    if desk.gate.policy().asks_why and await _ask(desk, request, Choice.APPROVE):
        await ack()
        return
    click = Click.model_validate(request.body)
    review_id, digest = ids.decode(click.value)
    decision = Decision(choice=Choice.APPROVE, digest=digest)
    outcome = await reviews.decide(
        desk.gate, click.who, review_id, decision, source="slack", delivery=delivery(request)
    )
    await _explain(desk, click, outcome)
    await ack()


async def reject(desk: Desk, ack: AsyncAck, request: AsyncBoltRequest) -> None:
    """Reject: asks for the reason; nothing is recorded before it is given."""
    await _ask(desk, request, Choice.REJECT)
    await ack()


async def escalate(desk: Desk, ack: AsyncAck, request: AsyncBoltRequest) -> None:
    """Escalate: asks for the reason; nothing is recorded before it is given."""
    await _ask(desk, request, Choice.ESCALATE)
    await ack()


async def claim(desk: Desk, ack: AsyncAck, request: AsyncBoltRequest) -> None:
    """Claim: recorded at once."""
    click = Click.model_validate(request.body)
    review_id, _ = ids.decode(click.value)
    outcome = await reviews.claim(desk.gate, click.who, review_id, source="slack", delivery=delivery(request))
    await _explain(desk, click, outcome)
    await ack()


async def view_diff(desk: Desk, ack: AsyncAck, request: AsyncBoltRequest) -> None:
    """View diff: whoever sees the card may read the whole patch."""
    click = Click.model_validate(request.body)
    async with asyncio.timeout(desk.gate.patience):
        stored = await queue.find(desk.gate, str(ids.decode(click.value)[0]))
        if stored is None:
            await _tell(desk, click, reviews.UNKNOWN.sentence)
        else:
            await _open(desk, click, modals.diff_view(stored.dossier))
    await ack()


FORMS: Mapping[Choice, Callable[[Dossier, str], View]] = {
    Choice.APPROVE: modals.approve_why,
    Choice.REJECT: modals.reject,
    Choice.ESCALATE: modals.escalate,
}


async def _ask(desk: Desk, request: AsyncBoltRequest, choice: Choice) -> bool:
    """Open the form of this choice for somebody who may make it; False when an approval needs none."""
    click = Click.model_validate(request.body)
    review_id, digest = ids.decode(click.value)
    decision = Decision(choice=choice, digest=digest)
    # Reading, judging and opening together must fit into the three seconds that Slack waits.
    async with asyncio.timeout(desk.gate.patience):
        stored = await queue.find(desk.gate, str(review_id))
        if stored is None:
            await _tell(desk, click, reviews.UNKNOWN.sentence)
            return True
        if choice is Choice.APPROVE and not desk.gate.policy().rules[stored.dossier.review.severity].justification:
            return False
        outcome = await reviews.consider(
            desk.gate, click.who, review_id, decision, source="slack", delivery=delivery(request)
        )
        await _explain(desk, click, outcome)
        if isinstance(outcome, Accepted):
            await _open(desk, click, FORMS[choice](stored.dossier, click.channel_id))
    return True


async def _open(desk: Desk, click: Click, view: View) -> None:
    if not await desk.views.open_view(click.trigger_id, view):
        await _tell(desk, click, "Slack did not open the dialog, so nothing was recorded. Please click again.")


async def _explain(desk: Desk, click: Click, outcome: Outcome | Repeated) -> None:
    if isinstance(outcome, Refused):
        await _tell(desk, click, outcome.sentence)


async def _tell(desk: Desk, click: Click, sentence: str) -> None:
    said = alerts.reply(sentence)
    await desk.replies.tell(
        response_url=click.response_url,
        channel=click.channel_id or None,
        user=click.user.id,
        text=said.text,
        blocks=said.blocks,
    )
