"""Claiming: saying that one is reading it; it binds nobody."""

from tests.harness import World


async def test_a_claim_is_shown(world: World) -> None:
    """The card names who is reading, and loses the button; the thread keeps it."""
    card = await world.submit()
    assert (await world.alice.claims(card)).ok
    await card.shows(f"Claimed by <@{world.alice.id}>")
    assert card.buttons == ["Approve", "Reject", "Escalate", "View diff"]
    await card.thread_reads(f"Alice claimed {card.code}.")
    assert await world.decisions(card) == []
    assert await world.audit(card) == ["review.submitted", "review.claimed"]


async def test_one_person_claims(world: World) -> None:
    """Whoever comes later learns who was first, also by command, and also the first one."""
    card = await world.submit()
    seen = card.message.blocks
    await world.alice.claims(card)
    await world.bob.clicks("Claim", card, blocks=seen)
    await world.bob.is_told(f"Alice has already claimed {card.code}.")
    assert await world.bob.types(f"claim {card.code}") == f"Alice has already claimed {card.code}."
    assert await world.alice.types(f"claim {card.code}") == f"You have already claimed {card.code}."
    await card.thread_reads("Alice claimed")


async def test_a_claim_binds_nobody(world: World) -> None:
    """Anyone entitled may still decide, and the decided card no longer says who was reading."""
    card = await world.submit()
    await world.alice.claims(card)
    await card.shows("Claimed by")
    await world.bob.approves(card)
    await world.pull(card)
    await card.shows("Pull request open")
    assert "Claimed by" not in card.words
    await card.thread_reads("Alice claimed", "Bob approved", "Pull request #1")


async def test_a_closed_review_is_not_claimed(world: World) -> None:
    """There is nothing left to read for a decision."""
    card = await world.submit()
    await world.alice.rejects(card, "Not vulnerable here.")
    assert "already rejected" in await world.bob.types(f"claim {card.code}")
    await card.thread_reads("Not vulnerable here.")


async def test_a_claim_is_given_back(world: World) -> None:
    """By whoever has it and nobody else; the card offers it again."""
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
    """The card names who has it now; who may not decide is given nothing, and a bare name is not understood."""
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
