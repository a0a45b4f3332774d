"""Alerts in the incident channel: each is posted once, without buttons."""

from tests.harness import CRITICAL, HIGH, World, sample


async def test_a_new_critical_one_is_announced(world: World) -> None:
    """An alert names the review and links its card; less severe reviews get none."""
    await world.submit(sample(HIGH))
    card = await world.submit(sample(CRITICAL))
    alert = await world.hears("New critical APV")
    for words in (card.code, "CVE-2020-14343", "pyyaml", world.slack.channel("vuln-review").id):
        assert words in alert.words
    assert alert.buttons == []
    assert card.code in alert.text
    await world.settle()
    assert len(world.slack.messages("incidents")) == 1


async def test_new_content_of_a_critical_one_is_not_announced_again(world: World) -> None:
    """Changed content is the same report: only card and thread show it."""
    card = await world.submit(sample(CRITICAL))
    await world.hears("New critical APV")
    await world.submit(sample(CRITICAL), fixed_version="5.4.1")
    await card.shows("version 2")
    await card.thread_reads("is now version 2")
    await world.settle()
    assert len(world.slack.messages("incidents")) == 1


async def test_a_missed_deadline_is_announced_once(world: World) -> None:
    """Incident channel, card and thread show it once, with any number of bots; people can still decide."""
    card = await world.submit(sample(HIGH))
    decided = await world.submit()
    await world.alice.rejects(decided, "Not vulnerable here.")
    await decided.thread_reads("Not vulnerable here.")
    world.clock.advance(days=30)
    async with world.another_bot("worker"), world.another_bot("worker"):
        alert = await world.hears(f"{card.code} missed its deadline: nobody has decided.")
        assert "Deadline missed" in alert.words
        await card.shows("⚠️ missed")
        await card.thread_reads("missed its deadline")
        await world.settle()
    assert len(world.slack.messages("incidents")) == 1
    assert (await world.review(card))["status"] == "pending"
    assert "missed" not in decided.words
    await world.alice.approves(card)
    await world.pull(card)
    await card.thread_reads("missed its deadline", "Alice approved", "Pull request #1")


async def test_the_deadline_is_what_the_column_says(world: World) -> None:
    """A deadline changed in the database is missed at the new time, not before."""
    card, later = await world.submit(sample(HIGH)), await world.submit()
    await world.rows(
        "UPDATE apv_reviews SET due_at = now() - interval '1 minute' WHERE apv_code = :code RETURNING 1", code=card.code
    )
    async with world.another_bot("worker"):
        await world.hears(f"{card.code} missed its deadline")
        await card.thread_reads("missed its deadline")
        await world.settle()
    assert later.thread == []


async def test_a_permanently_failed_job_is_announced(world: World) -> None:
    """If a reply is held, the incident channel gets one alert with the reason."""
    card = await world.submit()
    world.slack.fail("chat.postMessage", "restricted_action_thread_locked")
    await world.alice.claims(card)
    alert = await world.hears(
        f"The job slack.reply of {card.code} is held: The Slack channel does not let the bot post."
    )
    assert "A job ran out of retries" in alert.words
    await world.settle()
    assert card.thread == []
    assert len(world.slack.messages("incidents")) == 1
    held = await world.rows("SELECT entrypoint, status::text, headers ->> 'error' AS error FROM pgqueuer")
    assert held == [
        {"entrypoint": "slack.reply", "status": "failed", "error": "The Slack channel does not let the bot post."}
    ]
    assert "job.held" in await world.audit(card)


async def test_the_bot_joins_the_incident_channel(world: World) -> None:
    """The bot joins the channel, so the alert is not lost."""
    world.slack.channel("incidents").members.discard(world.slack.bot.id)
    await world.submit(sample(CRITICAL))
    await world.hears("New critical APV")
