"""SIGKILL in the middle of a job: after a restart the bot finishes it, and nothing exists twice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.app.process import Bot
from tests import harness
from tests.harness import CRITICAL, HIGH, World, sample
from tests.process import serving

HOOK = "hook-of-the-crashes"
Scene = Callable[[World, Path], Awaitable[None]]


async def reached(world: World) -> None:
    """Wait until every call with a planned fault is on its way."""
    await world.until(
        lambda: not world.slack.pending_faults and not world.github.faults.planned, lambda: "a call was never made"
    )


@asynccontextmanager
async def restarted(world: World, **changes: object) -> AsyncIterator[Bot]:
    """The next bot, here in the tests' process: it has nothing of the killed one but the database."""
    async with harness.running(Bot(world.settings.model_copy(update=changes), now=world.clock)) as bot:
        world.talks_to(bot)
        await world.parts_are(database="ok", slack="ok", worker="ok")
        yield bot


async def died_in_a_first_post(world: World, folder: Path) -> None:
    """The card and the alert of a critical one."""
    async with serving(world, folder) as bot:
        world.slack.fail("chat.postMessage", "slow", times=2, seconds=1)
        code = (await world.post_apv(sample(CRITICAL)))["apv_code"]
        await reached(world)
        await bot.dies()
    async with restarted(world):
        card = await world.card(code)
        await world.settle()
        await world.hears(code)
        await card.shows("0 of 2 approvals")


async def died_in_every_consequence(world: World, folder: Path) -> None:
    """The card's update, the reply in its thread and the pull request, all at once."""
    async with serving(world, folder) as bot:
        card = await world.submit()
        await world.settle()
        world.slack.fail("chat.update", "slow", seconds=1)
        world.slack.fail("chat.postMessage", "slow", seconds=1)
        world.github.fail("pulls/create", "slow", seconds=1)
        assert (await world.alice.approves(card)).ok
        await reached(world)
        await bot.dies()
    await there_is_one_pull_request(world, card)


async def died_in_the_push(world: World, folder: Path) -> None:
    """GitHub makes the branch after the bot died. This scene waits for the takeover in real time."""
    async with serving(world, folder) as bot:
        card = await world.submit()
        await world.settle()
        world.github.fail("git/create-ref", "slow", seconds=1)
        assert (await world.alice.approves(card)).ok
        await reached(world)
        await bot.dies()
    await there_is_one_pull_request(world, card)


async def died_after_an_answer_that_never_came(world: World, folder: Path) -> None:
    """The vendor did the work, the connection broke or said 502, and the bot died before its next try."""
    async with serving(world, folder) as bot:
        card = await world.submit()
        await world.settle()
        world.slack.fail("chat.postMessage", "drop_after")
        world.github.fail("pulls/create", "502_after")
        assert (await world.alice.approves(card)).ok
        await reached(world)
        await bot.dies()
    await there_is_one_pull_request(world, card)


async def died_on_the_way_back(world: World, folder: Path, *, operation: str) -> None:
    """The checks have passed, and the bot dies while it looks at the pull request, or while it merges it."""
    policy = folder / "policy.toml"
    await asyncio.to_thread(policy.write_text, '[pull_request]\nmerge = "when-green"\n', "utf-8")
    settings = {"POLICY_FILE": str(policy), "GITHUB_WEBHOOK_SECRET": HOOK}
    async with serving(world, folder, **settings) as bot:
        world.github.webhooks.set_up(f"http://127.0.0.1:{bot.port}/github/webhooks", HOOK)
        card = await world.submit(sample(HIGH))
        await world.alice.approves(card)
        pull = await world.pull(card)
        await card.shows(f"#{pull.number}")
        await world.settle()
        world.github.fail(operation, "slow", seconds=1)
        await world.github.set_check(pull.head_sha, "tests", "success")
        await reached(world)
        await bot.dies()
    async with restarted(world, policy_file=policy, github_webhook_secret=SecretStr(HOOK)) as next_bot:
        world.github.webhooks.set_up(f"http://127.0.0.1:{next_bot.port}/github/webhooks", HOOK)
        await card.shows("Merged")
        await world.settle()
        merges = [e for e in world.github.journal if e.operation == "pulls/merge" and e.status == 200]
        assert (len(merges), pull.merged) == (1, True)
        await card.thread_reads("Alice approved", "is open", "all checks passed", "was merged into main")
        assert await world.broken_links() == []


async def there_is_one_pull_request(world: World, card: harness.Card) -> None:
    """After a restart the bot finishes what it began."""
    async with restarted(world):
        pull = await world.pull(card)
        await world.settle()
        await card.shows(f"#{pull.number}")
        await card.thread_reads("Alice approved", f"Pull request #{pull.number} is open")
        assert sorted(world.github.branches()) == sorted([pull.head_ref, "main"])
        assert [d["action_taken"] for d in await world.decisions(card)] == ["pr_opened"]
        assert await world.broken_links() == []


SCENES: dict[str, Scene] = {
    "first_post": died_in_a_first_post,
    "consequences": died_in_every_consequence,
    "push": died_in_the_push,
    "answer": died_after_an_answer_that_never_came,
    "look": partial(died_on_the_way_back, operation="pulls/get"),
    "merge": partial(died_on_the_way_back, operation="pulls/merge"),
}


@pytest.mark.long
@pytest.mark.parametrize("scene", SCENES)
async def test_killed_between_an_effect_and_its_record(database_url: str, tmp_path: Path, scene: str) -> None:
    """Whichever call the kill falls into, the effect happens exactly once."""
    async with harness.surroundings(database_url, tmp_path) as world:
        await SCENES[scene](world, tmp_path)
