"""The modals that ask why a patch is rejected, escalated or approved; they show the digest that is decided on."""

from collections.abc import Mapping

from bot.blocks import ids, kit, words
from bot.blocks.kit import Block, View
from bot.blocks.limits import fitted
from bot.blocks.text import mrkdwn, plain
from bot.domain.decisions import JUSTIFICATION_MAX, JUSTIFICATION_MIN
from bot.domain.review import Dossier


def reject(dossier: Dossier) -> View:
    """Asks why."""
    lead = "One rejection closes the review. Your justification is recorded and posted in the thread."
    return _form(ids.VIEW_REJECT, "Reject", dossier, lead=lead, reasons=ids.REJECT_REASONS)


def escalate(dossier: Dossier) -> View:
    """Asks why a lead is needed."""
    lead = "Once escalated, only leads can decide. The justification is recorded, and the incident channel is alerted."
    return _form(ids.VIEW_ESCALATE, "Escalate", dossier, lead=lead, reasons=ids.ESCALATE_REASONS)


def approve_why(dossier: Dossier) -> View:
    """Asks why, where the policy requires a justification."""
    lead = "The policy requires a justification. It is recorded and posted in the thread."
    return _form(ids.VIEW_APPROVE_WHY, "Approve", dossier, lead=lead, reasons={})


def _form(callback_id: str, verb: str, dossier: Dossier, *, lead: str, reasons: Mapping[str, str]) -> View:
    blocks: list[Block] = [kit.section(subject(dossier)), kit.context(kit.plain_text(lead))]
    if reasons:
        blocks.append(
            {
                "type": "input",
                "block_id": ids.REASON_BLOCK,
                "label": kit.plain_text("Reason"),
                "element": kit.select(ids.REASON, "Choose a reason", reasons),
            }
        )
    blocks.append(
        {
            "type": "input",
            "block_id": ids.JUSTIFICATION_BLOCK,
            "label": kit.plain_text("Justification"),
            "hint": kit.plain_text(f"{JUSTIFICATION_MIN} to {JUSTIFICATION_MAX:,} characters."),
            "element": {
                "type": "plain_text_input",
                "action_id": ids.JUSTIFICATION,
                "multiline": True,
                "min_length": JUSTIFICATION_MIN,
                "max_length": JUSTIFICATION_MAX,
            },
        }
    )
    form = view(callback_id, title(verb, dossier), blocks, close="Cancel")
    form["submit"] = kit.plain_text(verb, 24)
    form["private_metadata"] = ids.encode(dossier.review)
    return fitted(form)


def view(callback_id: str, title: str, blocks: list[Block], *, close: str) -> View:
    """A modal."""
    return {
        "type": "modal",
        "callback_id": callback_id,
        "title": kit.plain_text(title, 24),
        "close": kit.plain_text(close, 24),
        "blocks": blocks,
    }


def title(verb: str, dossier: Dossier) -> str:
    """The title of a modal about one review."""
    named = f"{verb} {dossier.review.code}"
    return named if len(named) <= 24 else f"{verb} this patch"


def subject(dossier: Dossier) -> str:
    """Names the content that the modal is about: its card may have scrolled out of sight."""
    apv, review = dossier.apv, dossier.review
    parts = [f"*{mrkdwn(review.code, 40)}*", words.severity(apv), words.advisory(apv)]
    first = " · ".join(part for part in parts if part)
    shown = f"version {review.version}, digest `{words.digest(review.digest)}`"
    return f"{first}\n{mrkdwn(plain(words.package(apv), 300), 400)} · {shown}"
