"""Approving: from the click to the pull request."""

from tests.harness import CRITICAL, MANUAL, World, sample


async def test_an_approval_becomes_a_pull_request(world: World) -> None:
    """One click of one reviewer opens one pull request, and the card links it."""
    card = await world.submit()
    assert (await world.alice.approves(card)).status == 200
    pull = await world.pull(card)
    await card.shows(f"#{pull.number}", pull.head_ref)
    await card.told_in_thread("Alice approved")
    await card.told_in_thread(f"Pull request #{pull.number} is open")
    assert "Approve" not in card.buttons
    review = await world.review(card)
    assert review["status"] == "pr_open"
    assert review["pr_number"] == pull.number
    assert pull.head_ref == f"apv/{card.code}-{review['digest'][:8]}"
    assert b"requests==2.31.0" in world.github.file_at(pull.head_ref, "requirements.txt")
    assert [d["action_taken"] for d in await world.decisions(card)] == ["pr_opened"]


async def test_an_acknowledged_click_is_a_recorded_click(world: World) -> None:
    """When Slack gets its 200, the decision is in the database already."""
    card = await world.submit()
    assert (await world.alice.approves(card)).ok
    (decision,) = await world.decisions(card)
    assert decision["decision"] == "approve"
    assert decision["reviewer_key"] == world.alice.id
    assert decision["reviewer_email"] == world.slack.user("alice").email
    assert decision["source"] == "slack"
    await world.pull(card)
    await card.told_in_thread("Pull request #1")


async def test_a_critical_one_needs_two_people(world: World) -> None:
    """The card counts, and the second approval is the one that opens the pull request."""
    card = await world.submit(sample(CRITICAL))
    await world.hears(card.code)
    await card.shows("0 of 2 approvals")
    await world.alice.approves(card)
    await card.shows("1 of 2 approvals")
    assert "Approve" in card.buttons
    await world.bob.approves(card)
    await world.pull(card)
    await card.told_in_thread("2 of 2 approvals")
    await card.told_in_thread("Pull request #1")


async def test_nothing_is_opened_for_what_has_no_patch(world: World) -> None:
    """Approving an APV without a patch is recorded; the card says that there is no pull request."""
    card = await world.submit(sample(MANUAL))
    await world.alice.approves(card)
    await card.shows("no patch")
    await world.settle()
    assert (await world.review(card))["status"] == "approved"
    assert [d["action_taken"] for d in await world.decisions(card)] == ["recorded"]
    assert world.github.pulls() == []
    assert card.thread
