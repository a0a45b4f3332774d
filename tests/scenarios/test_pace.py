"""Slack's rate limits over all workers: no channel exceeds its limit, and the most urgent goes first."""

from pathlib import Path

import pytest

from bot.sandbox.slack.model import Message
from bot.sandbox.slack.workspace import ApiCall
from tests import harness
from tests.harness import CRITICAL, HIGH, World, sample


def low(number: int) -> dict[str, object]:
    return {**sample(HIGH), "severity": "low", "package_name": f"low-{number}"}


def severities(cards: list[Message]) -> list[str]:
    """The codes of the cards, in the order in which they were posted."""
    return [card.words.split()[1].lower() for card in cards]


def refused(world: World) -> list[ApiCall]:
    return [call for call in world.slack.journal if call.status == 429]


async def all_posted(world: World, number: int) -> None:
    await world.until(lambda: len(world.cards()) == number, lambda: f"{len(world.cards())} cards")
    await world.settle()
    world.slack.mark_read(*world.slack.unread())


async def test_no_worker_posts_faster_than_slack_allows(database_url: str, tmp_path: Path) -> None:
    """Two workers and a Slack that enforces its limit: no 429 and no duplicate card."""
    async with harness.world(database_url, tmp_path, role="web", slack_pace="5/s") as world:
        world.slack.pace.per_second, world.slack.pace.burst = 5, 4
        await world.post_apvs([low(n) for n in range(12)])
        async with world.another_bot("worker"), world.another_bot("worker"):
            await all_posted(world, 12)
        assert refused(world) == []
        assert len(world.slack.calls("chat.postMessage")) == 12


async def test_a_critical_one_goes_past_all_that_wait(database_url: str, tmp_path: Path) -> None:
    """Although it came last, at most the card being posted goes before it."""
    async with harness.world(database_url, tmp_path, slack_pace="4/s") as world:
        await world.post_apvs([low(n) for n in range(12)])
        await world.until(lambda: len(world.cards()) >= 3, lambda: "no cards")
        before = len(world.cards())
        await world.post_apv(sample(CRITICAL))
        await all_posted(world, 13)
        assert "critical" in severities(world.cards())[: before + 3]


@pytest.mark.parametrize("failure", ["ratelimited", "http503", "drop_before", "drop_after"])
async def test_the_order_survives_rate_limits(database_url: str, tmp_path: Path, failure: str) -> None:
    """The card that failed keeps its place: severity first, then age, each card once."""
    async with harness.world(database_url, tmp_path, role="web") as world:
        world.slack.fail("chat.postMessage", failure, times=2, after=1, retry_after=1)
        apvs = [low(1), low(2), {**sample(HIGH), "package_name": "first"}, {**sample(HIGH), "package_name": "second"}]
        await world.post_apvs(apvs)
        async with world.another_bot("worker"), world.another_bot("worker"):
            await all_posted(world, 4)
        order = [card.words.split(" · ")[1].split()[0] for card in world.cards()]
        assert order == ["first", "second", "low-1", "low-2"]


async def test_one_429_pauses_the_channel_for_everybody(database_url: str, tmp_path: Path) -> None:
    """After one 429 no job of any worker calls Slack for that channel until then; other channels go on."""
    async with harness.world(database_url, tmp_path, role="web") as world:
        world.slack.fail("chat.postMessage", "ratelimited", retry_after=3600)
        await world.post_apvs([low(1), low(2)])
        async with world.another_bot("worker"), world.another_bot("worker"):
            await world.until(lambda: bool(refused(world)), lambda: "nobody posts")
            await world.post_apv(sample(CRITICAL))
            await world.hears("New critical APV")
            assert world.cards() == []
            assert len(world.slack.calls("chat.postMessage")) == 2
            await world.rows("UPDATE slack_pace SET paused_until = now(), next_at = now() RETURNING 1")
            await all_posted(world, 3)
        assert severities(world.cards())[0] == "critical"


async def test_changing_a_card_waits_for_no_post(database_url: str, tmp_path: Path) -> None:
    """A click updates its card while new cards wait: Slack has a separate limit for updates."""
    async with harness.world(database_url, tmp_path, slack_pace="1/m") as world:
        card = await world.submit(sample(HIGH))
        await world.post_apvs([low(n) for n in range(4)])
        await world.until(lambda: len(world.cards()) == 3, lambda: f"{len(world.cards())} cards")
        await world.alice.claims(card)
        await card.shows("Claimed by")
        await world.rows("UPDATE slack_pace SET next_at = now() - interval '1 hour' RETURNING 1")
        await world.until(lambda: len(world.cards()) + len(card.thread) >= 5, lambda: f"{len(world.cards())} cards")
        await world.rows("UPDATE slack_pace SET next_at = now() - interval '1 hour' RETURNING 1")
        await all_posted(world, 5)


async def test_a_deleted_card_is_kept_on_record_as_gone(world: World) -> None:
    """The deleted message is recorded with its address, and the card is posted once more."""
    card = await world.submit()
    dead = card.message
    world.slack.delete_message("vuln-review", dead.ts)
    await world.post_apv({**sample("requests-cve-2023-32681"), "kev": True})
    await world.until(lambda: world.has_card(card.code), lambda: "no new card")
    await card.thread_reads("is now version 2")
    await world.settle()
    kept = await world.rows("SELECT ts, gone FROM slack_messages WHERE kind = 'card' ORDER BY gone")
    assert kept == [{"ts": card.message.ts, "gone": False}, {"ts": dead.ts, "gone": True}]


async def test_readiness_shows_a_channel_that_refuses_cards(world: World) -> None:
    """Readiness stays 200 because the incident channel is used, and shows `ok` once the channel works again."""
    world.slack.archive("vuln-review")
    await world.post_apv(sample(HIGH))
    await world.until(lambda: bool(world.slack.messages("incidents")), lambda: "no card in #incidents")
    await world.parts_are(slack="fallback")
    async with world.http.get(f"{world.url}/health/ready") as answer:
        assert answer.status == 200
    world.slack.archive("vuln-review", archived=False)
    await world.submit({**sample(HIGH), "package_name": "another"})
    await world.parts_are(slack="ok")
    world.slack.mark_read(*world.slack.unread())
