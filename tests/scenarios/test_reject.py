"""Rejecting: a reason is needed, one rejection closes the review."""

import pytest

from bot.sandbox.slack.form import NotSubmittedError
from tests.harness import CRITICAL, World, sample

WHY = "It breaks the import of the catalogue."


async def test_a_rejection_closes_the_review(world: World) -> None:
    """It is recorded with its reason, the card loses its buttons, the thread shows the justification."""
    card = await world.submit()
    delivery = await world.alice.rejects(card, WHY, reason="Breaks the build or tests")
    assert delivery.ok
    (decision,) = await world.decisions(card)
    assert decision["decision"] == "reject"
    assert decision["comments"] == WHY
    assert decision["metadata"] == {"category": "Breaks the build or tests"}
    assert decision["action_taken"] == "recorded"
    assert decision["reviewer_name"] == "Alice"
    await card.shows("Rejected", "One rejection closes a review")
    assert card.buttons == ["View diff", "Details"]
    await card.thread_reads(f"Alice rejected {card.code}: Breaks the build or tests. {WHY}")
    assert (await world.review(card))["status"] == "rejected"
    assert world.github.branches().keys() == {"main"}


async def test_one_rejection_closes_an_approved_review(world: World) -> None:
    """A critical one with an approval is closed by the first rejection, also by the person who approved."""
    card = await world.submit(sample(CRITICAL))
    await world.hears(card.code)
    await world.alice.approves(card)
    await card.shows("1 of 2 approvals")
    await world.alice.rejects(card, WHY)
    await card.shows("Rejected")
    assert [(d["decision"], d["action_taken"]) for d in await world.decisions(card)] == [
        ("approve", "recorded"),
        ("reject", "recorded"),
    ]
    await card.thread_reads("1 of 2 approvals", WHY)


async def test_a_justification_has_its_length(world: World) -> None:
    """10 to 3,000 characters without outer space: anything else is told beside the input, and nothing is recorded."""
    card = await world.submit()
    view = await world.alice.opens("Reject", card)
    faulty = {"too short": 9, "   123456789   ": 9, "x" * 3001: 3001, "": 0, " " * 40: 0}
    for justification, length in faulty.items():
        assert (await world.alice.fills(view, enforce=False, reason="Other", justification=justification)).ok
        sentence = f"The justification needs 10 to 3000 characters; this one has {length}."
        assert view.errors == {"apv.justification": sentence}
    assert await world.decisions(card) == []
    assert card.thread == []


async def test_slack_itself_keeps_the_length(world: World) -> None:
    """The modal gives Slack's client the length limits, so most people never see our sentence."""
    card = await world.submit()
    view = await world.alice.opens("Reject", card)
    for justification in ("too short", "x" * 3001):
        with pytest.raises(NotSubmittedError):
            await world.alice.fills(view, reason="Other", justification=justification)


async def test_all_faults_are_shown_at_once(world: World) -> None:
    """Without reason and justification, both inputs show what is missing."""
    card = await world.submit()
    view = await world.alice.opens("Reject", card)
    await world.alice.fills(view, enforce=False)
    assert view.errors["apv.reason"] == "Please pick a reason."
    assert "10 to 3000 characters" in view.errors["apv.justification"]
    assert await world.decisions(card) == []


@pytest.mark.parametrize("length", [10, 3000])
async def test_outer_space_does_not_count(world: World, length: int) -> None:
    """The stored text has no outer white space, at both limits of the length."""
    card = await world.submit()
    view = await world.alice.opens("Reject", card)
    await world.alice.fills(view, enforce=False, reason="Other", justification=f"\n  {'y' * length}\t ")
    assert world.alice.views == []
    (decision,) = await world.decisions(card)
    assert decision["comments"] == "y" * length
    await card.thread_reads("yyyyyyyyyy")


async def test_unstorable_characters_are_a_fault(world: World) -> None:
    """A NUL or half a surrogate pair is a fault beside the input, not a failure."""
    card = await world.submit()
    view = await world.alice.opens("Reject", card)
    for text in ("A reason with a \0 in it.", "A reason with \ud83d in it."):
        assert (await world.alice.fills(view, reason="Other", justification=text)).ok
        assert "cannot be stored" in view.errors["apv.justification"]
    assert await world.decisions(card) == []
