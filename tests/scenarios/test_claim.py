"""Claiming a review is advisory: everybody else may still decide."""

from tests.harness import World


async def test_a_claim_is_shown(world: World) -> None:
    """The card names who claimed it and loses the button; the thread records it."""
    card = await world.submit()
    assert (await world.alice.claims(card)).ok
    await card.shows(f"Claimed by <@{world.alice.id}>")
    assert card.buttons == ["Approve", "Reject", "Escalate", "View diff", "Details"]
    await card.thread_reads(f"Alice claimed {card.code}.")
    assert await world.decisions(card) == []
    assert await world.audit(card) == ["review.submitted", "review.claimed"]


async def test_one_person_claims(world: World) -> None:
    """A second claim is refused with the name of the first, also by command and for the same person."""
    card = await world.submit()
    seen = card.message.blocks
    await world.alice.claims(card)
    await world.bob.clicks("Claim", card, blocks=seen)
    await world.bob.is_told(f"Alice has already claimed {card.code}.")
    assert await world.bob.types(f"claim {card.code}") == f"Alice has already claimed {card.code}."
    assert await world.alice.types(f"claim {card.code}") == f"You have already claimed {card.code}."
    await card.thread_reads("Alice claimed")


async def test_a_claim_is_advisory(world: World) -> None:
    """Every reviewer may still decide; the decided card no longer shows the claim."""
    card = await world.submit()
    await world.alice.claims(card)
    await card.shows("Claimed by")
    await world.bob.approves(card)
    await world.pull(card)
    await card.shows("Pull request open")
    assert "Claimed by" not in card.words
    await card.thread_reads("Alice claimed", "Bob approved", "Pull request #1")


async def test_a_closed_review_is_not_claimed(world: World) -> None:
    """A closed review cannot be claimed."""
    card = await world.submit()
    await world.alice.rejects(card, "Not vulnerable here.")
    assert "already rejected" in await world.bob.types(f"claim {card.code}")
    await card.thread_reads("Not vulnerable here.")


async def test_a_claim_is_given_back(world: World) -> None:
    """Only the person who claimed it can release it; then the card has the button again."""
    card = await world.submit()
    assert await world.alice.types(f"unclaim {card.code}") == f"Nobody has claimed {card.code}."
    await world.alice.claims(card)
    await card.shows("Claimed by")
    assert "Alice has claimed" in await world.bob.types(f"unclaim {card.code}")
    assert await world.alice.types(f"unclaim {card.code}") == f"You have released your claim on {card.code}."
    await world.until(lambda: "Claim" in card.buttons, lambda: f"the buttons are {card.buttons}")
    await card.thread_reads("Alice claimed", f"Alice released the claim on {card.code}.")
    assert (await world.audit(card))[-1] == "review.unclaimed"


async def test_a_claim_is_given_to_another_reviewer(world: World) -> None:
    """The card names the new person; somebody who may not decide cannot get it, and a name needs a mention."""
    card = await world.submit()
    await world.alice.claims(card)
    given = await world.alice.types(f"reassign {card.code} <@{world.bob.id}|bob>")
    assert given == f"You have reassigned {card.code}; its thread mentions the new reviewer."
    await card.shows(f"Claimed by <@{world.bob.id}>")
    assert "Bob has already claimed" in await world.alice.types(f"reassign {card.code} <@{world.bob.id}>")
    assert "may not decide: not a reviewer" in await world.alice.types(f"reassign {card.code} <@{world.olga.id}>")
    assert "Mention them" in await world.alice.types(f"reassign {card.code} bob")
    assert "not on the list" in await world.olga.types(f"reassign {card.code} <@{world.bob.id}>")
    await card.thread_reads("Alice claimed", f"to Bob, which Alice had claimed.\n<@{world.bob.id}>")
