"""A card whose content moves its review to another channel: posted there once, and the old one says where."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from bot.app.policy_watch import policy_source
from bot.app.process import Bot
from bot.integrations.slack.client import SlackClient
from bot.jobs import SyncCard
from bot.sandbox.slack.model import Message
from bot.tasks.pace import Pace, tiers
from bot.tasks.slack import Context, sync_card
from tests import harness
from tests.harness import HIGH, Card, World, sample
from tests.process import serving

USUAL, URGENT = "vuln-review", "urgent"
RAISED = {**sample(HIGH), "severity": "critical"}
BACK = {**sample(HIGH), "patch_description": "Not that bad."}
"""The route of the first content again, under another digest."""


@dataclass
class CardIn(Card):
    """The message of a review in one channel; of several, the newest."""

    channel: str

    @property
    def message(self) -> Message:
        found = posted(self.world, self.channel, self.code)
        self.world.slack.mark_read(*found)
        return found[-1]


def posted(world: World, channel: str, code: str) -> list[Message]:
    """The messages of a review in a channel, oldest first, without replies."""
    return [m for m in world.slack.messages(channel) if m.thread_ts in (None, m.ts) and code in m.words]


async def card_in(world: World, channel: str, code: str, number: int = 1) -> CardIn:
    """The review's newest message in a channel that has this number of them."""
    await world.until(lambda: len(posted(world, channel, code)) == number, lambda: f"not {number} in {channel}: {code}")
    return CardIn(world, code, channel)


def link(message: Message) -> str:
    return f"/archives/{message.channel}/p{message.ts.replace('.', '')}"


async def leads_to(old: Card, card: Card) -> None:
    """Wait until the old message is the notice: where the card is, and nothing to click."""
    await old.shows("Moved to", link(card.message))
    assert f"<#{card.message.channel}>" in old.words
    assert old.buttons == []


@asynccontextmanager
async def routed(database_url: str, folder: Path) -> AsyncIterator[World]:
    """Critical reviews have a channel of their own."""
    async with harness.surroundings(database_url, folder, policy_file=folder / "policy.toml") as world:
        urgent = world.slack.workspace.add_channel(URGENT, [world.slack.user("alice"), world.slack.user("bob")])
        text = f'[[route]]\nseverity = ["critical"]\nchannel = "{urgent.id}"\n'
        (folder / "policy.toml").write_text(text, "utf-8")
        yield world


@asynccontextmanager
async def answering(world: World) -> AsyncIterator[None]:
    """A bot runs."""
    async with harness.running(Bot(world.settings, now=world.clock)) as bot:
        world.talks_to(bot)
        await world.parts_are(database="ok", slack="ok", worker="ok")
        yield
        await world.settle()
        assert await world.broken_links() == []


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with routed(database_url, tmp_path) as made, answering(made):
        yield made


async def test_the_card_goes_where_its_new_content_belongs(world: World) -> None:
    """Once, with the sentence of the change first in its thread; the old one keeps its thread, and links it."""
    old = await world.submit(sample(HIGH))
    await world.alice.claims(old)
    await old.thread_reads("Alice claimed")
    await world.post_apv(RAISED)
    card = await card_in(world, URGENT, old.code)
    await leads_to(old, card)
    await card.shows("0 of 2 approvals", "version 2", "Claimed by")
    await world.alice.approves(card)
    await card.thread_reads("is now version 2", "1 of 2 approvals")
    await old.thread_reads("Alice claimed")
    await world.settle()
    assert [len(posted(world, where, old.code)) for where in (USUAL, URGENT, "incidents")] == [1, 1, 0]
    kept = await world.rows("SELECT kind, channel, ts FROM slack_messages WHERE kind <> 'reply' ORDER BY kind")
    assert [(row["kind"], row["channel"], row["ts"]) for row in kept] == [
        ("card", card.message.channel, card.message.ts),
        ("moved", old.message.channel, old.message.ts),
    ]


async def test_a_click_on_the_old_card_is_for_what_it_showed(world: World) -> None:
    """Somebody whose client still shows the buttons is refused: the content has changed."""
    old = await world.submit(sample(HIGH))
    button = old.message.blocks
    await world.post_apv(RAISED)
    card = await card_in(world, URGENT, old.code)
    await leads_to(old, card)
    world.slack.workspace.change(old.message, old.message.text, button)
    await world.alice.approves(old)
    await world.alice.is_told("changed")
    await card.shows("0 of 2 approvals")
    assert await world.decisions(old) == []
    await card.thread_reads("is now version 2")


async def test_there_and_back(world: World) -> None:
    """Each move posts one more message; every former one leads to the next, and the last is the card."""
    first = await world.submit(sample(HIGH))
    await world.post_apv(RAISED)
    second = await card_in(world, URGENT, first.code)
    await leads_to(first, second)
    await second.thread_reads("is now version 2")
    notice = first.message
    await world.post_apv(BACK)
    third = await card_in(world, USUAL, first.code, 2)
    await leads_to(second, third)
    assert link(second.message) in notice.words
    await third.shows("version 3", "0 of 1 approval")
    await third.thread_reads("is now version 3")
    await world.alice.approves(third)
    await world.pull(third)
    await third.thread_reads("is now version 3", "Alice approved", "is open")


async def test_back_before_anything_was_posted(world: World) -> None:
    """Slack is slow: at the end there is one card, in the channel of the last content."""
    world.slack.fail("chat.postMessage", "slow", seconds=1)
    code = (await world.post_apv(sample(HIGH)))["apv_code"]
    await world.post_apv(RAISED)
    await world.post_apv(BACK)
    await world.settle()
    messages = [m for where in (USUAL, URGENT) for m in posted(world, where, code)]
    world.slack.mark_read(*messages)
    (card,) = [m for m in messages if m.buttons]
    assert card.channel == world.slack.channel(USUAL).id
    assert all(link(card) in m.words for m in messages if m is not card)
    world.slack.mark_read(*world.slack.unread())


async def test_content_of_the_same_route_moves_no_card(world: World) -> None:
    """Nor does it move one that stands in the fallback channel."""
    world.slack.archive(USUAL)
    code = (await world.post_apv(sample(HIGH)))["apv_code"]
    fallback = await card_in(world, "incidents", code)
    world.slack.archive(USUAL, archived=False)
    await world.post_apv(BACK)
    await fallback.shows("version 2", "0 of 1 approval")
    await fallback.thread_reads("is now version 2")
    await world.settle()
    assert [len(posted(world, where, code)) for where in (USUAL, URGENT, "incidents")] == [0, 0, 1]


async def test_a_new_policy_alone_moves_no_card(world: World, tmp_path: Path) -> None:
    """The next content of the same route keeps the card where it is, too."""
    card = await world.submit(sample(HIGH))
    text = f'[[route]]\nseverity = ["high"]\nchannel = "{world.slack.channel(URGENT).id}"\n'
    (tmp_path / "policy.toml").write_text(text, "utf-8")
    await world.until_async(partial(two_policies, world), lambda: "the policy is not in force")
    await world.post_apv(BACK)
    await card.shows("version 2")
    await card.thread_reads("is now version 2")
    await world.settle()
    assert posted(world, URGENT, card.code) == []


async def two_policies(world: World) -> bool:
    return len(await world.rows("SELECT 1 FROM policies")) == 2


async def test_where_the_new_channel_is_closed_the_card_is_in_the_fallback(world: World) -> None:
    """The old one says so."""
    old = await world.submit(sample(HIGH))
    world.slack.archive(URGENT)
    await world.post_apv(RAISED)
    card = await card_in(world, "incidents", old.code)
    await leads_to(old, card)
    await card.thread_reads("is now version 2")


async def test_an_old_channel_that_is_closed_holds_nothing_up(world: World) -> None:
    """The old card cannot be changed any more; the new one is as it should be, and no job is held."""
    old = await world.submit(sample(HIGH))
    world.slack.archive(USUAL)
    await world.post_apv(RAISED)
    card = await card_in(world, URGENT, old.code)
    await card.shows("0 of 2 approvals")
    await card.thread_reads("is now version 2")
    await world.settle()
    assert await world.rows("SELECT 1 FROM pgqueuer") == []


async def test_a_program_that_changes_the_row_moves_the_card_too(world: World) -> None:
    """The route of the content that was shown is compared, not that of the row."""
    old = await world.submit(sample(HIGH))
    await world.rows("UPDATE apv_reviews SET severity = 'critical' WHERE apv_code = :code RETURNING 1", code=old.code)
    await world.alice.approves(old)
    await world.alice.is_told("changed")
    card = await card_in(world, URGENT, old.code)
    await leads_to(old, card)
    await card.thread_reads("version 2")
    await world.hears("Content changed outside the bot")


@dataclass(frozen=True)
class Late(Pace):
    """Something happens while a job waits for its turn."""

    meanwhile: Callable[[], Awaitable[None]]

    async def turn_to_update(self) -> None:
        await self.meanwhile()


async def test_a_late_update_of_the_old_card_changes_nothing(world: World) -> None:
    """It has read where the card is, and gets its turn when the card has moved."""
    old = await world.submit(sample(HIGH))
    await world.settle()
    (review,) = await world.rows("SELECT id, revision FROM apv_reviews")
    await world.rows("UPDATE slack_messages SET rendered_revision = -1 RETURNING 1")

    async def move() -> None:
        await world.post_apv(RAISED)
        await leads_to(old, await card_in(world, URGENT, old.code))
        await world.settle()

    slack = SlackClient(harness.BOT_TOKEN, world.settings.slack_api_url, world.http, lambda *_: None)
    late = Late(world.database, tiers(None), meanwhile=move)
    policy = policy_source(world.settings).current()
    desk = Context(world.database, slack, late, lambda: policy, world.clock, "https://github.example")
    await sync_card(desk, SyncCard(review["id"], review["revision"]))
    card = await card_in(world, URGENT, old.code)
    await leads_to(old, card)
    await card.thread_reads("is now version 2")


Scene = Callable[[World, Path], Awaitable[Card]]


async def died(world: World, folder: Path, *, method: str, fault: str) -> Card:
    """The bot dies while this call of the move is on its way, or after its answer was lost."""
    async with serving(world, folder) as bot:
        old = await world.submit(sample(HIGH))
        await world.settle()
        world.slack.fail(method, fault, seconds=1)
        await world.post_apv(RAISED)
        await world.until(lambda: not world.slack.pending_faults, lambda: "the call was never made")
        await bot.dies()
    return old


async def died_with_a_card_it_did_not_know(world: World, folder: Path) -> Card:
    """The first card is in Slack, but nobody knows where, when the content that moves it comes."""
    async with serving(world, folder) as bot:
        world.slack.fail("chat.postMessage", "slow", seconds=1)
        code = (await world.post_apv(sample(HIGH)))["apv_code"]
        await world.until(lambda: not world.slack.pending_faults, lambda: "the call was never made")
        await bot.dies()
    async with serving(world, folder, "--role", "web"):
        await world.post_apv(RAISED)
    return await card_in(world, USUAL, code)


SCENES: dict[str, Scene] = {
    "post": partial(died, method="chat.postMessage", fault="slow"),
    "answer": partial(died, method="chat.postMessage", fault="drop_after"),
    "link": partial(died, method="chat.getPermalink", fault="slow"),
    "notice": partial(died, method="chat.update", fault="slow"),
    "first_post": died_with_a_card_it_did_not_know,
}


@pytest.mark.long
@pytest.mark.parametrize("scene", SCENES)
async def test_killed_in_the_middle_of_a_move(database_url: str, tmp_path: Path, scene: str) -> None:
    """After a restart there is one card in the new channel, and the old one leads to it."""
    async with routed(database_url, tmp_path) as world:
        old = await SCENES[scene](world, tmp_path)
        async with answering(world):
            card = await card_in(world, URGENT, old.code)
            await leads_to(old, card)
            await card.thread_reads("is now version 2")
            await world.settle()
            assert [len(posted(world, where, old.code)) for where in (USUAL, URGENT)] == [1, 1]
