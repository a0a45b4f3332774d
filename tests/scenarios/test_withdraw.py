"""Withdrawing an approval while the review is open: it no longer counts anywhere."""

from tests.harness import CRITICAL, World, sample


async def test_a_withdrawn_approval_does_not_count(world: World) -> None:
    """Card and thread show it at once; the record stays with an outcome; the person may vote again."""
    card = await world.submit(sample(CRITICAL))
    await world.hears(card.code)
    await world.alice.approves(card)
    await card.shows("1 of 2 approvals")
    assert await world.alice.types(f"withdraw {card.code}") == f"You have withdrawn your approval of {card.code}."
    await card.shows("0 of 2 approvals")
    await world.bob.approves(card)
    await card.shows("1 of 2 approvals")
    assert (await world.review(card))["status"] == "pending"
    await world.alice.approves(card)
    pull = await world.pull(card)
    await world.settle()
    assert (pull.body or "").count("Alice") == 1
    withdrawn, *counted = await world.decisions(card)
    assert (withdrawn["action_taken"], withdrawn["outcome_notes"]) == (
        "recorded",
        "Withdrawn by the person who gave it.",
    )
    assert [d["action_taken"] for d in counted] == ["pr_opened", "pr_opened"]
    assert (await world.audit(card))[1:4] == ["decision.approve", "decision.withdrawn", "decision.approve"]
    await card.thread_reads("Alice approved", "Alice withdrew", "Bob approved", "Alice approved", "Pull request #1")


async def test_what_cannot_be_withdrawn(world: World) -> None:
    """A missing approval and one that took effect cannot be withdrawn; the refusal says what was asked."""
    card = await world.submit()
    assert "You have no approval of" in await world.bob.types(f"withdraw {card.code}")
    await world.alice.approves(card)
    await world.pull(card)
    assert "already approved" in await world.alice.types(f"withdraw {card.code}")
    await world.settle()
    asked = await world.rows("SELECT detail ->> 'asked' AS asked FROM audit_log WHERE kind = 'decision.refused'")
    assert [row["asked"] for row in asked] == ["withdraw", "withdraw"]
    await card.thread_reads("Alice approved", "Pull request #1")
