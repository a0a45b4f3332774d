"""How many people must approve, and who counts."""

from tests.harness import CRITICAL, HIGH, MANUAL, World, sample


async def test_a_critical_one_waits_for_two_people(world: World) -> None:
    """The card counts each approval, names who gave it, and only the second opens the pull request."""
    card = await world.submit(sample(CRITICAL))
    await world.hears(card.code)
    await card.shows("0 of 2 approvals")
    await world.alice.approves(card)
    await card.shows("1 of 2 approvals", f"Approved by <@{world.alice.id}>")
    await world.settle()
    assert (await world.review(card))["status"] == "pending"
    assert world.github.pulls() == []
    assert (await world.decisions(card))[0]["action_taken"] is None
    await world.bob.approves(card)
    pull = await world.pull(card)
    await card.shows(f"#{pull.number}", "2 of 2 approvals")
    await card.thread_reads(
        f"Alice approved {card.code}: 1 of 2 approvals.",
        f"Bob approved {card.code}: 2 of 2 approvals.",
        "Pull request #1",
    )
    assert [d["action_taken"] for d in await world.decisions(card)] == ["pr_opened", "pr_opened"]


async def test_one_approval_is_enough_for_the_others(world: World) -> None:
    """One reviewer is enough for every severity below critical."""
    for severity in ("high", "medium", "low"):
        card = await world.submit(sample(MANUAL), severity=severity, package_name=severity)
        await card.shows("0 of 1 approval")
        await world.dan.approves(card)
        await card.shows("Approved")
        await card.thread_reads("1 of 1 approval")


async def test_an_approval_waits_for_the_other_in_any_length(world: World) -> None:
    """A bot that was stopped and started in between still counts the first approval."""
    card = await world.submit(sample(CRITICAL))
    await world.hears(card.code)
    await world.alice.approves(card)
    await card.thread_reads("1 of 2 approvals")
    async with world.another_bot() as later:
        world.slack.request_url = f"http://127.0.0.1:{later.port}/slack/events"
        await world.alice.approves(card)
        await world.alice.is_told("already recorded: 1 of 2 approvals")
        await world.bob.approves(card)
        await world.pull(card)
        await card.told_in_thread("2 of 2 approvals")
        await card.told_in_thread("Pull request #1")
        await world.settle()
    assert len(world.github.pulls()) == 1


async def test_a_review_that_became_critical_needs_two(world: World) -> None:
    """Severity is content: raising it to critical voids the votes, and two people are needed."""
    apv = sample(HIGH)
    card = await world.submit(apv)
    await world.submit(apv, severity="critical")
    await card.shows("Critical", "0 of 2 approvals", "version 2")
    await world.alice.approves(card)
    await card.shows("1 of 2 approvals")
    assert world.github.pulls() == []
    await card.thread_reads("is now version 2", "1 of 2 approvals")
