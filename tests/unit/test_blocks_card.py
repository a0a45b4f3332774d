"""What a reviewer can read and do on the card in each state of its review."""

import json
from datetime import timedelta

import pytest

from bot.blocks import commands, ids
from bot.blocks.card import card
from bot.blocks.kit import Button, Message
from bot.domain.quorum import Tally
from bot.domain.review import AWAITING, Hold, Status
from tests.unit.blocks import AIOHTTP, ALICE, BOB, CASES, GITHUB, NOW, PILLOW, PULL, PYYAML, counted, dossier

DECIDING = {ids.APPROVE, ids.REJECT, ids.ESCALATE, ids.CLAIM}


def buttons(drawn: Message) -> dict[str, Button]:
    return {b["action_id"]: b for block in drawn.blocks if block["type"] == "actions" for b in block["elements"]}


def shown(drawn: Message) -> str:
    return json.dumps(drawn.blocks, ensure_ascii=False)


def test_a_fresh_card_tells_what_a_reviewer_needs() -> None:
    """Code, severity in words, advisory, title, package, versions, scores, verdict, patch, deadline, digest, votes."""
    case = dossier(AIOHTTP)
    text = shown(card(case, counted(case)))
    for part in (
        "APV-2026-17",
        "🟠 High",
        "<https://nvd.nist.gov/vuln/detail/CVE-2024-23334|CVE-2024-23334>",
        "Static routes that follow symlinks",
        "aiohttp 3.9.1 → 3.9.2 (PyPI)",
        "CVSS 7.5 · EPSS 93 % (percentile 99) · not in CISA KEV",
        "✅ Success · confidence 92 %",
        "Version bump · risk low",
        "-aiohttp==3.9.1\\n+aiohttp==3.9.2",
        "|2026-11-23 11:00 UTC>",
        f"digest `{case.review.digest[:16]}`",
        "0 of 1 approval",
        "osv-nightly",
        "Awaiting a decision",
    ):
        assert part in text


def test_a_screen_reader_hears_the_whole_matter() -> None:
    """The message's text gives severity, subject, state and deadline; every button says what it does."""
    drawn = card(CASES["critical_one_of_two"], counted(CASES["critical_one_of_two"]))
    assert drawn.text == (
        "🔴 Critical APV-2026-17: CVE-2020-14343 in pyyaml 5.3.1 → 5.4. Untrusted YAML runs code through "
        "full\u200b_load. Awaiting a decision: 1 of 2 approvals; decide by 2026-11-22 15:00 UTC."
    )
    for button in buttons(drawn).values():
        # People who use speech input say the words on the button (WCAG 2.5.3).
        assert button["accessibility_label"].startswith(button["text"]["text"])
        assert button["accessibility_label"].endswith("APV-2026-17, pyyaml")


def test_every_button_is_bound_to_the_content_shown() -> None:
    """A button's value is the review and the full digest."""
    case = dossier(AIOHTTP)
    drawn = buttons(card(case, counted(case)))
    assert set(drawn) == {*DECIDING, ids.DIFF, ids.DETAILS}
    assert all(
        ids.decode(b["value"]) == (case.review.id, case.review.digest, case.review.version) for b in drawn.values()
    )


def test_approve_asks_once_naming_what_is_approved() -> None:
    """Slack's confirm dialog names code and digest; a modal replaces it where the policy requires a justification."""
    case = dossier(AIOHTTP)
    confirm = buttons(card(case, counted(case)))[ids.APPROVE]["confirm"]
    assert confirm["title"]["text"] == "Approve APV-2026-17?"
    assert case.review.digest[:16] in confirm["text"]["text"]
    assert "confirm" not in buttons(card(case, counted(case), why_approve=True))[ids.APPROVE]


@pytest.mark.parametrize("status", Status)
def test_only_an_awaiting_review_can_be_decided(status: Status) -> None:
    """Once closed the decision buttons are gone; the diff can still be read, in every state."""
    drawn = buttons(card(dossier(AIOHTTP, status=status), Tally(0, 1)))
    assert bool(DECIDING & set(drawn)) == (status in AWAITING)
    assert ids.DIFF in drawn


def test_an_escalated_card_says_that_a_lead_is_needed() -> None:
    """Who escalated, whose approval counts, and no button to escalate again."""
    case = CASES["escalated"]
    drawn = card(case, counted(case))
    text = shown(drawn)
    assert "*Escalated* by <@U0BOB> · 1 of 2 approvals; a lead is still needed" in text
    assert "Only leads vote now" in text
    assert "<@U0BOB>'s approval no longer counts (they escalated)." in text
    assert set(buttons(drawn)) == {ids.APPROVE, ids.REJECT, ids.DIFF, ids.DETAILS, ids.CLAIM}


def test_changed_content_says_that_earlier_votes_are_void() -> None:
    """From the second version on, the card says why the count started again; the first version says nothing."""
    assert "version 2, votes on earlier versions do not count" in shown(card(dossier(AIOHTTP, version=2), Tally(0, 1)))
    assert "earlier versions" not in shown(card(dossier(AIOHTTP), Tally(0, 1)))


def test_a_claimed_card_says_by_whom() -> None:
    """The card shows the claim, and has no button to claim again."""
    case = CASES["claimed"]
    drawn = card(case, counted(case))
    assert "Claimed by <@U0CAROL>" in shown(drawn)
    assert ids.CLAIM not in buttons(drawn)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "The pull request is being opened."),
        ({"note": "GitHub is not set up here, so there is no pull request to open."}, "GitHub is not set up here"),
    ],
)
def test_an_approved_card_says_what_follows(changes: dict[str, object], told: str) -> None:
    """Who approved, that the quorum was met, and what happens next; having nothing to open is not a failure."""
    case = dossier(PYYAML, status=Status.APPROVED, votes=(ALICE, BOB), closed_at=NOW, **changes)
    text = shown(card(case, counted(case)))
    assert "✅ *Approved*" in text
    assert "Approved by <@U0ALICE>, <@U0BOB> (2 of 2 approvals)" in text
    assert told in text
    assert "failed" not in text


def test_an_approved_review_without_a_patch_opens_nothing() -> None:
    """The card promises no pull request when there is no patch."""
    note = "It has no patch, so there is no pull request to open."
    case = dossier(PILLOW, status=Status.APPROVED, votes=(ALICE,), closed_at=NOW, hold=Hold.NOTHING_TO_OPEN, note=note)
    drawn = card(case, counted(case))
    assert note in shown(drawn)
    assert set(buttons(drawn)) == {ids.DETAILS}


def test_a_failed_pull_request_says_why() -> None:
    """The heading, the state and the text tell the failure, with its reason."""
    drawn = card(CASES["pull_failed"], counted(CASES["pull_failed"]))
    assert shown(drawn).count("Approved, but the pull request failed") == 2
    assert "The patch does not apply to main" in shown(drawn)
    assert "the pull request failed" in drawn.text


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (Status.PR_OPEN, "Pull request open"),
        (Status.MERGED, "Merged"),
        (Status.PR_CLOSED, "Pull request closed"),
    ],
)
def test_a_pull_request_is_linked_by_its_number(status: Status, word: str) -> None:
    """The state, the number as a link, the branch, and a button that opens it."""
    case = dossier(AIOHTTP, status=status, votes=(ALICE,), closed_at=NOW, **PULL)
    drawn = card(case, counted(case), web_origin=GITHUB)
    assert f"*{word}* · <https://github.com/acme/shop/pull/12|#12> on apv/APV-2026-17-1a2b3c4d" in shown(drawn)
    assert buttons(drawn)[ids.PULL]["url"] == PULL["pr_url"]


def test_an_address_that_is_not_trusted_is_no_link() -> None:
    """A pull request of another origin over http has a number and no link."""
    case = dossier(AIOHTTP, status=Status.PR_OPEN, **{**PULL, "pr_url": "http://127.0.0.1:1/x/pull/12"})
    drawn = card(case, counted(case), web_origin="http://127.0.0.1:2")
    assert "*Pull request open* · #12 on" in shown(drawn)
    assert ids.PULL not in buttons(drawn)


def test_a_deadline_that_passed_is_said_while_it_matters() -> None:
    """At the deadline it is missed; before it, or once decided, it is not."""
    case = dossier(AIOHTTP)
    due = case.review.due_at
    assert due is not None
    assert "missed" in shown(card(case, counted(case), now=due))
    assert "missed" not in shown(card(case, counted(case), now=due - timedelta(seconds=1)))
    decided = dossier(AIOHTTP, status=Status.REJECTED, closed_at=NOW)
    assert "missed" not in shown(card(decided, Tally(0, 1), now=due))


def test_an_assumed_severity_is_called_assumed() -> None:
    """The card shows when the report gave no severity."""
    drawn = card(CASES["manual_without_diff"], counted(CASES["manual_without_diff"]))
    assert "🟡 Medium (assumed)" in shown(drawn)
    assert "Medium (assumed)" in drawn.text
    assert "no patch: approving records the decision, no pull request" in shown(drawn)


def test_the_reporter_is_never_mentioned() -> None:
    """A report that names a Slack user as its reporter does not notify them."""
    case = dossier(AIOHTTP, reporter="U0ALICE")
    assert "U0ALICE" in shown(card(case, counted(case)))
    assert "<@U0ALICE>" not in shown(card(case, counted(case)))


def test_a_review_that_cannot_be_read_says_so_and_is_not_decided() -> None:
    """Card, queue and screen reader name the columns; there is nothing to press that would decide it."""
    case = dossier(AIOHTTP, unreadable=("votes", "due_at"), due_at=NOW.replace(year=9000))
    drawn = card(case, counted(case))
    assert "Unreadable by this release (votes, due" in drawn.text
    assert set(buttons(drawn)) == {ids.DIFF, ids.DETAILS}
    assert "9000" not in shown(drawn)
    listed = commands.entry(case, NOW)
    assert "❓ Unreadable by this release (votes, due_at)" in listed
    assert "9000" not in listed
