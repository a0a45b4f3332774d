"""Escalating: the incident channel gets an alert, and only leads vote from then on."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests import harness
from tests.harness import CRITICAL, Card, World, sample

WHY = "This needs somebody who knows the vendor."


@pytest.fixture
async def leadless(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """A world whose operator named no leads."""
    async with harness.world(database_url, tmp_path, leads=()) as made:
        yield made


async def critical(world: World) -> Card:
    card = await world.submit(sample(CRITICAL))
    await world.hears("New critical APV")
    return card


async def test_an_escalation_alerts_the_incident_channel(world: World) -> None:
    """The alert names person, reason and card, without buttons; the card shows the escalation too."""
    card = await world.submit()
    await world.alice.escalates(card, WHY, reason="Needs a lead's judgement")
    alert = await world.hears(f"Alice escalated {card.code}: Needs a lead's judgement. {WHY}")
    assert "Escalated: a lead is needed" in alert.words
    assert world.slack.channel("vuln-review").id in alert.words
    assert alert.buttons == []
    assert len(world.slack.messages("incidents")) == 1
    await card.shows("escalated", f"by <@{world.alice.id}>", "a lead is still needed")
    assert card.buttons == ["Approve", "Reject", "View diff", "Details", "Claim"]
    await card.thread_reads(WHY)
    (decision,) = await world.decisions(card)
    assert (decision["decision"], decision["action_taken"], decision["comments"]) == ("escalate", "escalated", WHY)
    assert (await world.review(card))["status"] == "escalated"


async def test_only_a_lead_closes_an_escalation(world: World) -> None:
    """Every button refuses reviewers who are not leads; the lead's approval opens the pull request."""
    card = await world.submit()
    view = await world.dan.opens("Reject", card)
    await world.alice.escalates(card, WHY)
    await world.hears(WHY)
    await card.shows("escalated")
    sentence = f"{card.code} is escalated: only a lead can close it now."
    for button in ("Approve", "Reject"):
        await world.bob.clicks(button, card)
        await world.bob.is_told(sentence)
    assert world.bob.views == []
    await world.dan.fills(view, reason="Other", justification=WHY)
    assert view.errors == {"apv.justification": sentence}
    assert len(await world.decisions(card)) == 1
    await world.carol.approves(card)
    await world.pull(card)
    await card.thread_reads(WHY, "Carol approved", "Pull request #1")


async def test_a_second_escalation_is_refused(world: World) -> None:
    """The old card's Escalate button names the person who already escalated."""
    card = await world.submit()
    seen = card.message.blocks
    await world.alice.escalates(card, WHY)
    await world.hears(WHY)
    await world.bob.clicks("Escalate", card, blocks=seen)
    await world.bob.is_told(f"{card.code} was already escalated by Alice.")
    await card.thread_reads(WHY)


async def test_one_rejection_of_a_lead_closes_it(world: World) -> None:
    """A lead may reject at once; the card is closed."""
    card = await critical(world)
    await world.alice.escalates(card, WHY)
    await world.hears(WHY)
    await world.carol.rejects(card, "The vendor withdrew the advisory.")
    await card.shows("Rejected")
    await card.thread_reads(WHY, "The vendor withdrew the advisory.")


async def test_an_earlier_approval_of_another_counts(world: World) -> None:
    """Critical: bob approved, alice escalated, and the lead's approval is the second."""
    card = await critical(world)
    await world.bob.approves(card)
    await world.alice.escalates(card, WHY)
    await world.hears(WHY)
    await card.shows("1 of 2 approvals; a lead is still needed")
    await world.carol.approves(card)
    await world.pull(card)
    await card.thread_reads("1 of 2 approvals", WHY, "Carol approved", "Pull request #1")


async def test_the_escalators_own_approval_does_not_count(world: World) -> None:
    """Critical: alice approved and escalated; the lead's approval is only the first of two."""
    card = await critical(world)
    await world.alice.approves(card)
    await world.alice.escalates(card, WHY)
    await world.hears(WHY)
    await card.shows("0 of 2 approvals; a lead is still needed", "no longer counts")
    await world.carol.approves(card)
    await card.shows("1 of 2 approvals")
    await world.settle()
    assert (await world.review(card))["status"] == "escalated"
    assert world.github.pulls() == []
    await card.thread_reads("1 of 2 approvals", WHY, "Carol approved")


async def test_a_lead_votes_again_after_the_escalation(world: World) -> None:
    """A lead who approved before must vote again: two people, one of them a lead who voted after it."""
    card = await critical(world)
    await world.carol.approves(card)
    await world.alice.escalates(card, WHY)
    await world.hears(WHY)
    await card.shows("1 of 2 approvals; a lead is still needed")
    await world.carol.approves(card)
    await card.shows("1 of 2 approvals")
    assert world.github.pulls() == []
    await world.carol.approves(card)
    await world.carol.is_told("already recorded: 1 of 2 approvals")
    await card.thread_reads("1 of 2 approvals", WHY, "1 of 2 approvals")


async def test_a_lead_closes_their_own_escalation(world: World) -> None:
    """A lead named in LEADS may close what they escalated."""
    card = await world.submit()
    await world.carol.escalates(card, WHY)
    await world.hears(WHY)
    await world.carol.approves(card)
    await world.pull(card)
    await card.thread_reads(WHY, "Carol approved", "Pull request #1")


async def test_without_leads_anybody_but_the_escalator_closes(leadless: World) -> None:
    """Without LEADS every reviewer except the one who escalated is a lead for this review."""
    card = await leadless.submit()
    await leadless.alice.escalates(card, WHY)
    await leadless.hears(WHY)
    await card.shows("escalated")
    for button in ("Approve", "Reject"):
        await leadless.alice.clicks(button, card)
        await leadless.alice.is_told("only a lead can close it now")
    await leadless.bob.approves(card)
    await leadless.pull(card)
    await card.thread_reads(WHY, "Bob approved", "Pull request #1")


async def test_an_escalation_asks_for_a_reason_like_a_rejection(world: World) -> None:
    """Without reason and justification nothing is recorded; both inputs show what is missing."""
    card = await world.submit()
    view = await world.alice.opens("Escalate", card)
    await world.alice.fills(view, enforce=False, justification="short")
    assert view.errors == {
        "apv.reason": "Please pick a reason.",
        "apv.justification": "The justification needs 10 to 3000 characters; this one has 5.",
    }
    assert await world.decisions(card) == []
    assert world.slack.messages("incidents") == []
