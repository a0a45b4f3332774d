"""Several web processes behind a load balancer are replaced one by one while people click."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.app.process import Bot
from tests import harness
from tests.chaos.balancer import Balancer
from tests.harness import CRITICAL, World, sample
from tests.web import free_port


@dataclass
class Replica:
    """A web process and its replacement on the same port."""

    world: World
    port: int = field(default_factory=free_port)
    replace: asyncio.Event = field(default_factory=asyncio.Event)
    replaced: asyncio.Event = field(default_factory=asyncio.Event)
    end: asyncio.Event = field(default_factory=asyncio.Event)

    async def live(self) -> None:
        async with harness.running(self._process()):
            await self.replace.wait()
        async with harness.running(self._process()):
            self.replaced.set()
            await self.end.wait()

    def _process(self) -> Bot:
        # Long enough for the balancer, which asks ten times a second, to turn away first.
        settings = self.world.settings.model_copy(update={"port": self.port, "drain_seconds": 0.5})
        return Bot(settings, "web", now=self.world.clock)


@pytest.mark.long
async def test_a_rolling_restart_fails_no_click(database_url: str, tmp_path: Path) -> None:
    """Each click is acknowledged the first time, and each decision is recorded once."""
    async with harness.world(database_url, tmp_path) as world:
        cards = [await world.submit(sample(CRITICAL), package_name=f"package-{n}") for n in range(4)]
        replicas = [Replica(world), Replica(world)]
        async with Balancer([replica.port for replica in replicas]) as balancer, asyncio.TaskGroup() as lives:
            for replica in replicas:
                lives.create_task(replica.live())
            await world.until(lambda: balancer.ready == 2, lambda: "the replicas are not ready")
            world.talks_to(balancer)
            rolling = lives.create_task(roll(world, balancer, replicas))
            shown, statuses = {card.code: card.message.blocks for card in cards}, []
            while not rolling.done():
                for card in cards:
                    for someone in (world.alice, world.dan):
                        # A slow client's copy, which still has the button when all is decided.
                        answer = await someone.clicks("Approve", card, blocks=shown[card.code])
                        statuses.append(answer.status)
            for replica in replicas:
                replica.end.set()
            assert set(statuses) == {200}
        for card in cards:
            await world.pull(card)
            assert [d["decision"] for d in await world.decisions(card)] == ["approve", "approve"]
        await world.settle()
        world.slack.mark_read(*world.slack.unread())


async def roll(world: World, balancer: Balancer, replicas: list[Replica]) -> None:
    """One at a time; the next one only when the previous one is ready."""
    for replica in replicas:
        replica.replace.set()
        await world.until(replica.replaced.is_set, lambda: "nobody came in its place")
        await world.until(lambda: balancer.ready == 2, lambda: "who came in its place is not ready")
