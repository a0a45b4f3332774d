"""SIGTERM and Ctrl-C: current work is finished and recorded, then the process exits with 0."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.app.process import Bot
from tests import harness, web
from tests.harness import World, running
from tests.process import apv_bot, environment, serving

SIGNALS = pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name)


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """Slack, GitHub and a database, and no bot yet."""
    async with harness.surroundings(database_url, tmp_path) as made:
        yield made


@pytest.mark.long
@SIGNALS
async def test_current_work_is_finished(world: World, tmp_path: Path, signum: signal.Signals) -> None:
    """A running click is answered and recorded, and a running job finishes."""
    async with serving(world, tmp_path) as bot:
        card = await world.submit()
        await world.settle()
        world.slack.fail("chat.postMessage", "slow", seconds=1)
        world.slack.fail("users.info", "slow", seconds=1)
        clicking = asyncio.create_task(world.alice.approves(card))
        posting = asyncio.create_task(world.post_apv(harness.sample(harness.HIGH)))
        await world.until(lambda: not world.slack.pending_faults, lambda: "a call was never made")
        bot.tell(signum)
        assert (await clicking).status == 200
        other = (await posting)["apv_code"]
        assert await bot.ends() == 0
    assert [d["decision"] for d in await world.decisions(card)] == ["approve"]
    assert await world.card(other)
    assert await world.rows("SELECT * FROM pgqueuer WHERE status = 'picked'") == []
    left = await world.rows(
        "SELECT r.apv_code FROM slack_messages m JOIN apv_reviews r ON r.id = m.review_id WHERE ts IS NULL"
    )
    assert other not in [row["apv_code"] for row in left]
    assert [line["event"] for line in bot.log][-2:] == ["server.stopping", "server.stopped"]
    assert [line for line in bot.log if line["level"] == "error"] == []
    world.tolerated.add(card.code)  # what the pull request's thread says is for the next process


@pytest.mark.long
@SIGNALS
async def test_it_ends_without_any_dependency(world: World, tmp_path: Path, signum: signal.Signals) -> None:
    """Without a database, Slack and GitHub."""
    env = environment(
        world.settings,
        DATABASE_URL=web.nowhere(),
        SLACK_API_URL="http://127.0.0.1:1/api/",
        GITHUB_API_URL="http://127.0.0.1:1",
    )
    async with apv_bot("serve", env=env, folder=tmp_path) as bot:
        await bot.listens()
        bot.tell(signum)
        assert await bot.ends() == 0


@pytest.mark.long
async def test_it_ends_when_the_database_has_gone(world: World, tmp_path: Path) -> None:
    """It does not wait for any of them."""
    async with serving(world, tmp_path) as bot, world.database_away():
        await world.parts_are(database="unreachable", worker="stopped")
        bot.tell(signal.SIGTERM)
        assert await bot.ends() == 0
    assert [line for line in bot.log if line["level"] == "error"] == []


async def test_no_task_outlives_the_bot(world: World) -> None:
    """A query to a database that does not answer is cancelled too."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = SecretStr(f"postgresql+asyncpg://nobody@127.0.0.1:{silent.getsockname()[1]}/none")
        # The stand-ins run here too, so nobody may ask them: each connection to them is a task.
        alone = {"database_url": url, "slack_api_url": "http://127.0.0.1:1/api/", "github_token": None}
        before = asyncio.all_tasks()
        async with running(Bot(world.settings.model_copy(update=alone), "web")) as bot:
            world.talks_to(bot)
            async with world.http.get(f"{world.url}/health/live", headers={"Connection": "close"}) as answer:
                assert answer.status == 200
            assert asyncio.all_tasks() > before
        assert asyncio.all_tasks() == before
