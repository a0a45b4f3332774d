"""The card: one message per review with the newest state, most urgent first, also when Slack fails."""

from pathlib import Path
from typing import Any

from bot.sandbox.slack import SlackSandbox
from bot.sandbox.slack.model import Message
from tests import harness
from tests.harness import CRITICAL, HIGH, World, sample

WHY = "It breaks the import of the catalogue."


def posts(world: World) -> list[dict[str, Any]]:
    return [call.args for call in world.slack.calls("chat.postMessage") if call.error is None]


def cards_in(world: World, channel: str) -> list[Message]:
    return [message for message in world.slack.messages(channel) if "View diff" in message.buttons]


async def test_the_card_says_what_a_reviewer_needs(world: World) -> None:
    """Code, severity, advisory, package and versions, scores, verdict, patch, deadline, digest, votes, buttons."""
    card = await world.submit(sample(CRITICAL))
    await world.hears(card.code)
    digest = (await world.review(card))["digest"]
    for words in (
        f"🔴 Critical · pyyaml · {card.code}",
        "<https://nvd.nist.gov/vuln/detail/CVE-2020-14343|CVE-2020-14343>",
        "PyYAML: FullLoader builds objects",
        "pyyaml 5.3 → 5.4 (PyPI)",
        "CVSS 9.8",
        "✅ Success · confidence 98 %",
        "Version bump",
        "-pyyaml==5.3\n+pyyaml==5.4",
        "requirements.txt · +1 -1",
        f"digest `{digest[:16]}`",
        "0 of 2 approvals",
        "*Deadline*\n<!date^",
        "dependency-watch",
    ):
        assert words in card.words, words
    assert card.buttons == ["Approve", "Reject", "Escalate", "View diff", "Details", "Claim"]


async def test_every_message_has_a_plain_text_and_unfurls_nothing(world: World) -> None:
    """The plain text is enough for a screen reader; links are not unfurled and names are not parsed."""
    card = await world.submit(sample(CRITICAL))
    await world.hears(card.code)
    await world.alice.approves(card)
    await world.alice.escalates(card, WHY)
    await world.hears(WHY)
    await card.thread_reads("1 of 2 approvals", WHY)
    for post in posts(world):
        assert card.code in post["text"]
        assert len(post["text"]) > 30
        for option in ("unfurl_links", "unfurl_media", "link_names"):
            assert str(post[option]) in {"0", "False"}, post
        assert post["parse"] == "none"
    assert card.message.text.startswith(
        f"🔴 Critical {card.code}: CVE-2020-14343 in pyyaml 5.3 → 5.4. PyYAML: FullLoader"
    )


async def test_the_card_follows_every_change(world: World) -> None:
    """Claim, escalation, vote and pull request are rendered from the database; ten jobs give the same card."""
    card = await world.submit(sample(HIGH))
    await world.alice.claims(card)
    await card.shows("Claimed by")
    await world.alice.escalates(card, WHY)
    await world.hears(WHY)
    await card.shows("escalated", "Claimed by")
    await world.carol.approves(card)
    await card.shows("Pull request open", f"Approved by <@{world.carol.id}>")
    await world.settle()
    assert len(world.cards()) == 1
    assert card.message.updates <= len(await world.audit(card)), "one for each change, and one for the look at GitHub"
    assert card.buttons == ["Open pull request #1", "View diff", "Details"]
    await card.thread_reads("Alice claimed", WHY, "Carol approved", "Pull request #1")


async def test_an_update_that_is_late_does_no_harm(world: World) -> None:
    """A rate-limited update runs after a newer one and finds nothing to do."""
    card = await world.submit(sample(HIGH))
    world.slack.fail("chat.update", "ratelimited", times=2, retry_after=1)
    await world.alice.claims(card)
    await world.until(lambda: not world.slack.pending_faults, lambda: "nothing was drawn")
    await world.alice.rejects(card, WHY)
    await card.shows("Rejected")
    await world.settle()
    assert card.message.updates <= 2
    assert card.buttons == ["View diff", "Details"]
    await card.thread_reads("Alice claimed", WHY)


async def test_a_deleted_card_comes_back_with_the_next_change(world: World) -> None:
    """It is posted once, with the newest state; later replies go to the new card's thread."""
    card = await world.submit()
    await world.alice.claims(card)
    await card.thread_reads("Alice claimed")
    await world.settle()
    world.slack.workspace.remove(card.message)
    assert world.cards() == []
    await world.post_apv({**sample("requests-cve-2023-32681"), "kev": True})
    await world.until(lambda: world.has_card(card.code), lambda: "no new card")
    await card.shows("version 2", "Claimed by")
    await card.thread_reads("is now version 2")
    await world.settle()
    assert len(world.cards()) == 1
    await world.bob.rejects(card, WHY)
    await card.shows("Rejected")
    await card.thread_reads("is now version 2", WHY)


async def test_the_bot_joins_a_channel_that_it_is_not_in(world: World) -> None:
    """The bot joins a public channel and posts the card."""
    world.slack.channel("vuln-review").members.discard(world.slack.bot.id)
    card = await world.submit()
    assert len(world.slack.calls("conversations.join")) == 1
    assert world.slack.messages("incidents") == []
    assert "Approve" in card.buttons


async def test_an_archived_review_channel_is_replaced(world: World) -> None:
    """The card goes to the incident channel, and people decide there."""
    world.slack.channel("vuln-review").is_archived = True
    review = await world.post_apv(sample(HIGH))
    await world.until(lambda: bool(cards_in(world, "incidents")), lambda: "no card in #incidents")
    (message,) = cards_in(world, "incidents")
    world.slack.mark_read(message)
    assert review["apv_code"] in message.words
    assert (await world.slack.click("alice", "incidents", message.ts, text="Approve")).ok
    await world.until(lambda: "Pull request open" in message.words, lambda: message.words)
    await world.settle()
    thread = world.slack.thread("incidents", message.ts)
    world.slack.mark_read(*thread)
    assert ["Alice approved" in thread[0].words, "Pull request #1" in thread[1].words] == [True, True]
    assert len(cards_in(world, "incidents")) == 1


async def test_a_card_whose_channel_is_archived_moves(world: World) -> None:
    """People must still be able to decide: with the next change the card is posted to the incident channel."""
    card = await world.submit(sample(HIGH))
    await world.alice.claims(card)
    await card.thread_reads("Alice claimed")
    world.slack.channel("vuln-review").is_archived = True
    await world.post_apv({**sample(HIGH), "kev": True})
    await world.until(lambda: bool(cards_in(world, "incidents")), lambda: "no card in #incidents")
    await world.settle()
    (message,) = cards_in(world, "incidents")
    assert "version 2" in message.words
    world.slack.mark_read(message, *world.slack.thread("incidents", message.ts))
    assert [m.ts for m in world.slack.messages("incidents")] == [message.ts]
    assert await world.rows("SELECT * FROM pgqueuer") == []


async def test_a_post_that_slack_loses_is_made_once(world: World) -> None:
    """Slack posted the card, but the answer was lost: the retry finds the card and posts no second one."""
    world.slack.fail("chat.postMessage", "drop_after")
    await world.submit()
    await world.settle()
    assert len(world.cards()) == 1
    assert world.slack.pending_faults == []


async def test_the_most_urgent_is_posted_first(database_url: str, tmp_path: Path) -> None:
    """Cards queued while no worker ran are posted by severity, not by arrival."""
    async with harness.world(database_url, tmp_path, role="web") as world:
        for severity in ("low", "medium", "high", "critical"):
            for number in (1, 2):
                await world.post_apv({**sample(HIGH), "severity": severity, "package_name": f"{severity}-{number}"})
        async with world.another_bot("worker"):
            await world.until(lambda: len(world.cards()) == 8, lambda: f"{len(world.cards())} cards")
            await world.settle()
        order = [message.words.split(" · ")[1].rpartition("-")[0] for message in world.cards()]
        assert order == ["critical"] * 2 + ["high"] * 2 + ["medium"] * 2 + ["low"] * 2
        world.slack.mark_read(*world.slack.unread())


async def test_one_channel_may_be_both(database_url: str, tmp_path: Path) -> None:
    """If both channels are the same, the alert is a separate message without buttons."""
    review_channel = SlackSandbox(bot_token=harness.BOT_TOKEN, signing_secret="any").channel("vuln-review").id
    async with harness.world(database_url, tmp_path, slack_incident_channel=review_channel) as world:
        await world.post_apv(sample(CRITICAL))
        await world.until(lambda: len(world.cards()) == 2, lambda: f"{[m.words for m in world.cards()]}")
        alert, card = sorted(world.cards(), key=lambda message: len(message.buttons))
        assert "New critical APV" in alert.words
        assert alert.buttons == []
        assert card.buttons == ["Approve", "Reject", "Escalate", "View diff", "Details", "Claim"]
        world.slack.mark_read(alert, card)
