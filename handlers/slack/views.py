"""Submitted modals. Faults and refusals are shown in the modal, beside the input, and no decision is recorded."""

from slack_bolt.async_app import AsyncAck, AsyncBoltRequest

from bot.blocks import ids
from bot.domain.decisions import Decision, justification_fault
from bot.domain.refusal import Refused
from bot.domain.review import Choice
from bot.service import decisions
from handlers.slack.context import Context
from handlers.slack.payloads import Submission, asker

CHOICES = {
    ids.VIEW_APPROVE_WHY: Choice.APPROVE,
    ids.VIEW_REJECT: Choice.REJECT,
    ids.VIEW_ESCALATE: Choice.ESCALATE,
}
CATEGORIES = {ids.VIEW_REJECT: ids.REJECT_REASONS, ids.VIEW_ESCALATE: ids.ESCALATE_REASONS}


async def decide(context: Context, ack: AsyncAck, request: AsyncBoltRequest) -> None:
    """Record the decision for which the modal asked a reason."""
    submission = Submission.model_validate(request.body)
    view = submission.view
    category, justification, errors = _read(submission)
    if errors:
        await ack(response_action="errors", errors=errors)
        return
    shown = ids.decode(view.private_metadata)
    decision = Decision(
        choice=CHOICES[view.callback_id],
        justification=justification,
        category=category,
        digest=shown.digest,
        version=shown.version,
    )
    outcome = await decisions.decide(context.gate, asker(submission.who, request), shown.review_id, decision)
    if isinstance(outcome, Refused):
        await ack(response_action="errors", errors={ids.JUSTIFICATION_BLOCK: outcome.sentence})
    else:
        await ack()


def _read(submission: Submission) -> tuple[str, str, dict[str, str]]:
    """The category in words, the justification, and the faults of both by block id."""
    view, errors = submission.view, {}
    justification = view.input(ids.JUSTIFICATION_BLOCK, ids.JUSTIFICATION).value or ""
    if fault := justification_fault(justification):
        errors[ids.JUSTIFICATION_BLOCK] = fault
    categories = CATEGORIES.get(view.callback_id)
    if categories is None:
        return "", justification, errors
    picked = view.input(ids.REASON_BLOCK, ids.REASON).selected_option
    if picked is None or picked.value not in categories:
        errors[ids.REASON_BLOCK] = "Please pick a reason."
        return "", justification, errors
    return categories[picked.value], justification, errors
