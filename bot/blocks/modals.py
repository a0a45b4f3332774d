"""The modals: the forms that ask why a patch is rejected, escalated or approved, and the diff."""

from collections.abc import Mapping

from bot.blocks import diff, ids, kit, words
from bot.blocks.kit import Block, View
from bot.blocks.limits import fitted
from bot.blocks.text import mrkdwn, plain
from bot.domain.decisions import JUSTIFICATION_MAX, JUSTIFICATION_MIN
from bot.domain.review import Dossier

_PAGE = 2800
"""Characters of diff in one block. Slack documents no limit for code, so it stays under the limit of a section."""
_PAGES = 90
_PAGES_JSON = 220_000
"""Leaves room for everything around the code within 100 blocks and 250 kB."""


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


def diff_view(dossier: Dossier) -> View:
    """The whole diff, or as much as a modal can hold and the number of lines left out."""
    patch_diff = dossier.apv.patch_diff or ""
    pages, left_out = diff.pages(patch_diff, size=_PAGE, most=_PAGES, budget=_PAGES_JSON) if patch_diff else ([], 0)
    blocks: list[Block] = [
        kit.section(_subject(dossier)),
        kit.context(kit.plain_text(words.about_diff(patch_diff, f"digest {dossier.review.digest[:8]}"))),
        *(kit.code(page) for page in pages),
    ]
    if not pages:
        blocks.append(kit.section("There is no diff."))
    if left_out:
        more = f"{words.counted(left_out, 'line')} not shown. The API has the whole diff as `patch_diff`."
        blocks.append(kit.section(f"⚠️ {more}"))
    return fitted(_view(ids.VIEW_DIFF, _title("Diff of", dossier), blocks, close="Close"))


def _form(callback_id: str, verb: str, dossier: Dossier, *, lead: str, reasons: Mapping[str, str]) -> View:
    blocks: list[Block] = [kit.section(_subject(dossier)), kit.context(kit.plain_text(lead))]
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
    view = _view(callback_id, _title(verb, dossier), blocks, close="Cancel")
    view["submit"] = kit.plain_text(verb, 24)
    # A process of an earlier release, which may get it back, wants the colon.
    view["private_metadata"] = f"{ids.encode(dossier.review.id, dossier.review.digest)}:"
    return fitted(view)


def _view(callback_id: str, title: str, blocks: list[Block], *, close: str) -> View:
    return {
        "type": "modal",
        "callback_id": callback_id,
        "title": kit.plain_text(title, 24),
        "close": kit.plain_text(close, 24),
        "blocks": blocks,
    }


def _title(verb: str, dossier: Dossier) -> str:
    title = f"{verb} {dossier.review.code}"
    return title if len(title) <= 24 else f"{verb} this patch"


def _subject(dossier: Dossier) -> str:
    """Which content the modal is about: its card may have scrolled out of sight."""
    apv, review = dossier.apv, dossier.review
    parts = [f"*{mrkdwn(review.code, 40)}*", words.severity(apv), words.advisory(apv)]
    first = " · ".join(part for part in parts if part)
    return f"{first}\n{mrkdwn(plain(words.package(apv), 300), 400)} · version {review.version}"
