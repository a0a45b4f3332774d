"""The card: one review as one Slack message, from its severity down to the buttons that decide it.

Drawn only from what the database holds, so drawing it late or twice shows the newest state.
"""

from dataclasses import dataclass
from datetime import datetime

from bot.blocks import diff, ids, kit, links, patch, state, words
from bot.blocks.kit import Block, Button, Confirm, Message
from bot.blocks.limits import fitted, problems
from bot.blocks.text import date, mrkdwn, plain, utc
from bot.domain.quorum import Tally
from bot.domain.review import AWAITING, Dossier, Review, Status


@dataclass(frozen=True, slots=True)
class Room:
    """How much of the long parts the card shows: lines of the diff, characters of the description, files."""

    diff_lines: int
    description: int
    files: int = 12


ROOMS = (
    *(Room(14, 500), Room(8, 500), Room(4, 500), Room(0, 500), Room(0, 200), Room(0, 0)),
    *(Room(0, 0, 6), Room(0, 0, 3), Room(0, 0, 1)),
)
"""Tried in this order until the whole card fits: the diff is cut first, then the description, then the files."""
_NAME_WIDTH = 100
"""Characters of a file's name on the card."""


def card(
    dossier: Dossier,
    tally: Tally,
    *,
    now: datetime | None = None,
    why_approve: bool = False,
    web_origin: str | None = None,
    decidable: bool = True,
    why_due: str | None = None,
) -> Message:
    """The review's message.

    `now`: from the deadline on, the card says that the deadline was missed. `why_approve`: the policy requires a
    justification, so Approve opens a modal and needs no confirm dialog. `web_origin`: the origin of the configured
    GitHub's pages. `decidable=False` leaves out the decision buttons, for a private copy. `why_due`: where the
    deadline comes from, if not from the severity alone.
    """
    top, evidence = _top(dossier), _evidence(dossier, now, why_due)
    bottom = _bottom(dossier, tally, web_origin, _buttons(dossier, why_approve, web_origin, decidable))
    text = _text(dossier, tally)
    for room in ROOMS:
        blocks = [top, *_story(dossier, room), *evidence, *_patch(dossier, room), *bottom]
        if not problems(message := Message(text, blocks)):
            return message
    return fitted(message)


def moved(dossier: Dossier, channel: str, permalink: str) -> Message:
    """A card whose review has a new card in another channel: the headline, and a link to the new card."""
    code, place = mrkdwn(dossier.review.code, 40), links.channel(channel)
    where = f"Moved to {place}" if place else "Moved"
    address = links.message(permalink)
    told = f"{where}: {f'<{address}|{code}>' if address else code}"
    return fitted(Message(f"{code}: {where}", [_top(dossier), kit.section(told)]))


def _text(dossier: Dossier, tally: Tally) -> str:
    """The card in one line, for screen readers, notifications and search."""
    apv, review = dossier.apv, dossier.review
    what = f"{apv.advisory} in {words.package(apv)}" if apv.advisory else words.package(apv)
    title = f" {plain(apv.cve_title, 300).rstrip('.')}." if apv.cve_title else ""
    open_ = review.status in AWAITING and not review.unreadable
    due = f"; decide by {utc(review.due_at)}" if review.due_at and open_ else ""
    told = f"{words.severity(apv)} {review.code}: {plain(what, 300)}.{title} {state.spoken(review, tally)}{due}."
    return mrkdwn(told, 1500, one_line=True)


def _top(dossier: Dossier) -> Block:
    """The severity and the package while open, the result once closed: what a reader sees while scrolling."""
    apv, review = dossier.apv, dossier.review
    what = f"{plain(apv.package_name, 60)} · {review.code}"
    if review.status in AWAITING and not review.unreadable:
        escalated = " · escalated" if review.status is Status.ESCALATED else ""
        return kit.header(f"{words.severity(apv)}{escalated} · {what}")
    emoji, word = state.look(review)
    return kit.header(f"{emoji} {word} · {words.SEVERITY[apv.severity][1].lower()} · {what}")


def _story(dossier: Dossier, room: Room) -> list[Block]:
    apv = dossier.apv
    title = mrkdwn(apv.cve_title or "", 300, one_line=True)
    first = "  ".join(part for part in (f"*{words.advisory(apv)}*" if apv.advisory else "", title) if part)
    description = mrkdwn(apv.cve_description or "", room.description, one_line=True) if room.description else ""
    told = "\n".join(part for part in (first, description) if part)
    return [kit.section(told)] if told else []


def _evidence(dossier: Dossier, now: datetime | None, why_due: str | None) -> list[Block]:
    apv, review = dossier.apv, dossier.review
    ecosystem = f" ({mrkdwn(apv.package_ecosystem, 40, one_line=True)})" if apv.package_ecosystem else ""
    repository = f"{apv.repository} ({apv.base_ref})" if apv.base_ref else apv.repository
    facts = {
        "Package": mrkdwn(words.package(apv), 300, one_line=True) + ecosystem,
        "Repository": mrkdwn(repository, 200, one_line=True) or "Not given",
        "Scores": words.scores(apv),
        "Wargame": words.wargame(apv),
        **_timing(review, now, why_due),
        # Never a mention: the reporter is untrusted text from the report.
        "Reporter": mrkdwn(review.reporter or "", 80, one_line=True) or "Not given",
    }
    blocks: list[Block] = [kit.fields([f"*{name}*\n{value}" for name, value in facts.items()])]
    sources = [f"Wargame run: {plain(apv.wargame_run_url, 200)}"] if apv.wargame_run_url else []
    if apv.references:
        more = f" and {len(apv.references) - 2} more" if len(apv.references) > 2 else ""
        sources.append(f"References: {', '.join(plain(url, 200) for url in apv.references[:2])}{more}")
    # Plain text: people may read an address from a report, but cannot click it.
    return [*blocks, kit.context(*(kit.plain_text(source) for source in sources))] if sources else blocks


def _timing(review: Review, now: datetime | None, why_due: str | None) -> dict[str, str]:
    """The deadline while the review is open, then the time of the decision."""
    if review.status not in AWAITING and review.closed_at is not None:
        return {"Decided": date(review.closed_at)}
    if "due_at" in review.unreadable:
        return {}
    why = f"\n{mrkdwn(why_due, 200, one_line=True)}" if why_due else ""
    if review.due_at is None:
        return {"Deadline": f"None{why}"}
    missed = review.status in AWAITING and now is not None and now >= review.due_at
    return {"Deadline": (f"⚠️ missed: {date(review.due_at)}" if missed else date(review.due_at)) + why}


def _patch(dossier: Dossier, room: Room) -> list[Block]:
    apv = dossier.apv
    traits = ["*Patch*", words.STRATEGY[apv.patch_strategy]]
    if not apv.patch_diff:
        traits.append("no patch: approving records the decision, no pull request")
    if apv.patch_risk_level:
        traits.append(f"risk {mrkdwn(apv.patch_risk_level, 40, one_line=True)}")
    if apv.patch_confidence is not None:
        traits.append(f"patch confidence {words.percent(apv.patch_confidence)}")
    if apv.validation_passed is not None:
        traits.append("validation passed" if apv.validation_passed else "⚠️ validation failed")
    told = [" · ".join(traits)]
    if apv.patch_description:
        told.append(mrkdwn(apv.patch_description, 400, one_line=True))
    if apv.validation_warnings:
        told.append(f"⚠️ Validation warnings: {mrkdwn('; '.join(apv.validation_warnings), 300, one_line=True)}")
    told += [mrkdwn(warning, 400, one_line=True) for warning in patch.warnings(apv, dossier.review)]
    blocks: list[Block] = [kit.section("\n".join(told))]
    if not apv.patch_diff:
        return blocks
    # Once decided, the card is a record, and View diff still shows the diff.
    most = room.diff_lines if dossier.review.status in AWAITING else 0
    shown, left_out = diff.excerpt(apv.patch_diff, most)
    files = dossier.review.files or ()
    rest = [f"{words.counted(left_out, 'more line' if most else 'line')} under View diff"] if left_out else []
    if len(files) > room.files:
        rest.insert(0, f"{words.counted(len(files) - room.files, 'more file')} under Details")
    if files:
        blocks.append(kit.code("\n".join(patch.listed(files, most=room.files, width=_NAME_WIDTH))))
    if most:
        blocks.append(kit.code(shown))
    if small := " · ".join(part for part in (patch.size(files), *rest) if part):
        blocks.append(kit.context(kit.plain_text(small)))
    return blocks


def _bottom(dossier: Dossier, tally: Tally, web_origin: str | None, buttons: list[Button]) -> list[Block]:
    review = dossier.review
    revised = f" · version {review.version}, votes on earlier versions do not count" if review.version > 1 else ""
    footer = f"digest `{words.digest(review.digest)}` · arrived {date(review.created_at)}{revised}"
    blocks: list[Block] = [
        kit.divider(),
        kit.section("\n".join(state.lines(review, tally, web_origin))),
        kit.context(kit.markup(footer)),
    ]
    if buttons:
        blocks.insert(2, kit.actions(buttons))
    return blocks


def _buttons(dossier: Dossier, why_approve: bool, web_origin: str | None, decidable: bool) -> list[Button]:
    review, value = dossier.review, ids.encode(dossier.review)
    what = f"{review.code}, {plain(dossier.apv.package_name, 40)}"
    buttons: list[Button] = []
    decidable = decidable and review.status in AWAITING and not review.unreadable
    if decidable:
        confirm = None if why_approve else _confirm(dossier)
        buttons += [
            kit.button(ids.APPROVE, "Approve", f"Approve {what}", value=value, style="primary", confirm=confirm),
            kit.button(ids.REJECT, "Reject", f"Reject {what}", value=value, style="danger"),
        ]
        if review.status is not Status.ESCALATED:
            buttons.append(kit.button(ids.ESCALATE, "Escalate", f"Escalate {what}", value=value))
    if address := links.pull(review.pr_url, web_origin):
        name = f"pull request #{review.pr_number}" if review.pr_number is not None else "pull request"
        buttons.append(kit.button(ids.PULL, f"Open {name}", f"Open {name} of {what}", url=address))
    if review.has_patch:
        buttons.append(kit.button(ids.DIFF, "View diff", f"View diff of {what}", value=value))
    buttons.append(kit.button(ids.DETAILS, "Details", f"Details of {what}", value=value))
    if decidable and review.claimed_by is None:
        buttons.append(kit.button(ids.CLAIM, "Claim", f"Claim {what}", value=value))
    return buttons


def _confirm(dossier: Dossier) -> Confirm:
    apv, review = dossier.apv, dossier.review
    what = plain(f"{apv.advisory} in {words.package(apv)}" if apv.advisory else words.package(apv), 160)
    return {
        "title": kit.plain_text(f"Approve {review.code}?", 100),
        "text": kit.plain_text(
            f"{what}. Digest {words.digest(review.digest)}. It is recorded immediately, under your name.", 300
        ),
        "confirm": kit.plain_text("Approve", 30),
        "deny": kit.plain_text("Cancel", 30),
        "style": "primary",
    }
