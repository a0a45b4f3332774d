"""Duplicate, simultaneous and outdated clicks count once or not at all."""

import asyncio
import copy

from tests.harness import CRITICAL, Someone, World, sample


async def test_a_repeated_vote_is_refused_in_private(world: World) -> None:
    """A second click of the same person adds no record, and the reply says the count."""
    card = await world.submit(sample(CRITICAL))
    await world.hears(card.code)
    await world.alice.approves(card)
    assert (await world.alice.approves(card)).ok
    await world.alice.is_told(f"Your approval of {card.code} is already recorded: 1 of 2 approvals.")
    assert len(await world.decisions(card)) == 1
    assert await world.audit(card) == ["review.submitted", "decision.approve", "decision.refused"]
    await card.thread_reads("1 of 2 approvals")
    assert len(card.thread) == 1


async def test_a_double_click_counts_once(world: World) -> None:
    """Two clicks of one person at the same instant are one vote and one refusal."""
    card = await world.submit(sample(CRITICAL))
    await world.hears(card.code)
    first, second = await asyncio.gather(world.alice.approves(card), world.alice.approves(card))
    assert first.ok
    assert second.ok
    await world.alice.is_told("already recorded")
    assert len(await world.decisions(card)) == 1
    await card.shows("1 of 2 approvals")
    await card.thread_reads("1 of 2 approvals")


async def test_two_people_at_once_are_two_votes(world: World) -> None:
    """The second waits for the first and then meets the quorum; one pull request follows."""
    card = await world.submit(sample(CRITICAL))
    await world.hears(card.code)
    await asyncio.gather(world.alice.approves(card), world.bob.approves(card))
    pull = await world.pull(card)
    assert len(await world.decisions(card)) == 2
    await card.shows(f"#{pull.number}", "2 of 2 approvals")
    await card.thread_reads("1 of 2 approvals", "2 of 2 approvals", "Pull request #1")


async def test_the_slower_of_two_people_is_refused(world: World) -> None:
    """If one approval is enough, the second person is told that the review is decided."""
    card = await world.submit()
    await asyncio.gather(world.alice.approves(card), world.bob.approves(card))
    (decision,) = await world.decisions(card)
    late = "bob" if decision["reviewer_key"] == world.alice.id else "alice"
    await Someone(world, late).is_told(f"{card.code} is already approved")
    await world.pull(card)
    await card.thread_reads("approved", "Pull request #1")


async def test_an_approval_and_a_rejection_at_once_are_one_decision(world: World) -> None:
    """The first click decides; the other is refused."""
    card = await world.submit()
    view = await world.bob.opens("Reject", card)
    await asyncio.gather(
        world.alice.approves(card), world.bob.fills(view, reason="Other", justification="It breaks the import.")
    )
    (decision,) = await world.decisions(card)
    if decision["decision"] == "approve":
        assert "already approved" in "".join(view.errors.values())
        await world.pull(card)
        await card.told_in_thread("Pull request #1")
    else:
        await world.alice.is_told("already rejected")
        await card.told_in_thread("It breaks the import.")


async def test_the_same_signed_request_has_one_effect(world: World) -> None:
    """A duplicate delivery of an approval adds and says nothing, also after the review is closed."""
    card = await world.submit()
    delivery = await world.alice.approves(card)
    assert (await world.slack.redeliver(delivery)).ok
    await world.pull(card)
    await card.thread_reads("approved", "Pull request #1")
    assert (await world.slack.redeliver(delivery)).ok
    assert len(await world.decisions(card)) == 1
    assert await world.audit(card) == ["review.submitted", "review.approved", "pull.opened"]
    assert world.alice.told == []


async def test_a_refusal_is_not_repeated(world: World) -> None:
    """A refused click that is delivered again is neither audited nor told again."""
    card = await world.submit()
    delivery = await world.olga.approves(card)
    await world.olga.is_told("not on the list of reviewers")
    assert (await world.slack.redeliver(delivery)).ok
    assert len(world.olga.told) == 1
    assert await world.audit(card) == ["review.submitted", "decision.refused"]


async def test_every_other_request_has_one_effect_too(world: World) -> None:
    """Buttons that open a modal, the modal itself, Claim and `/apv claim` may all be delivered twice."""
    card = await world.submit()
    clicked = await world.alice.clicks("Claim", card)
    assert (await world.slack.redeliver(clicked)).ok
    typed = await world.slack.slash("bob", "vuln-review", "/apv", f"claim {card.code}")
    await world.bob.is_told("Alice has already claimed")
    again = await world.slack.redeliver(typed)
    assert again.ok
    assert again.body == ""
    for button in ("View diff", "Escalate", "Reject"):
        asked = await world.alice.clicks(button, card)
        assert asked.ok
        assert (await world.slack.redeliver(asked)).ok
    assert [view.title.split()[0] for view in world.alice.views] == ["Diff", "Escalate", "Reject"]
    sent = await world.alice.fills(world.alice.views[-1], reason="Other", justification="Not needed here.")
    assert (await world.slack.redeliver(sent)).ok
    assert world.alice.told == []
    await card.shows("Rejected")
    assert await world.audit(card) == ["review.submitted", "review.claimed", "decision.refused", "review.rejected"]
    await card.thread_reads("Alice claimed", "Not needed here.")


async def test_a_button_of_older_content_is_refused(world: World) -> None:
    """An outdated card cannot decide: neither by its buttons nor by a modal opened before."""
    card = await world.submit()
    seen = copy.deepcopy(card.message.blocks)
    view = await world.bob.opens("Reject", card)
    await world.submit(patch_description="Another way to say it.")
    await card.shows("version 2")
    stale = f"{card.code} changed after this was shown (now version 2). Read it and decide again."
    for button in ("Approve", "Reject", "Escalate"):
        assert (await world.alice.clicks(button, card, blocks=seen)).ok
        await world.alice.is_told(stale)
    await world.bob.fills(view, reason="Other", justification="It breaks the import.")
    assert view.errors == {"apv.justification": stale}
    assert world.alice.views == []
    assert await world.decisions(card) == []
    await card.thread_reads("is now version 2")


async def test_a_button_of_a_closed_review_is_refused(world: World) -> None:
    """A copy that a slow client still shows cannot decide."""
    card = await world.submit()
    seen = copy.deepcopy(card.message.blocks)
    await world.alice.rejects(card, "It breaks the import.")
    await card.shows("Rejected")
    for button in ("Approve", "Reject", "Escalate", "Claim"):
        assert (await world.bob.clicks(button, card, blocks=seen)).ok
        await world.bob.is_told(f"{card.code} is already rejected: no decision is needed.")
    assert len(await world.decisions(card)) == 1
    await card.thread_reads("It breaks the import.")


async def test_a_confirmation_that_is_denied_sends_nothing(world: World) -> None:
    """Approve asks for confirmation; cancelling sends nothing."""
    card = await world.submit()
    assert not (await world.alice.clicks("Approve", card, confirm=False)).sent
    assert await world.decisions(card) == []
