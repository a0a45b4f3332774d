"""One process for all roles, or separate web and worker processes: nothing is lost or done twice."""

import asyncio
from pathlib import Path

import pytest

from bot import samples
from tests import harness
from tests.harness import World

OF_THE_WEB = [
    ("POST", "/slack/events"),
    ("GET", "/hitl/reviews"),
    ("POST", "/hitl/reviews"),
    ("GET", "/"),
]


async def test_the_web_answers_and_a_worker_carries_out(database_url: str, tmp_path: Path) -> None:
    """Without a worker, jobs wait in the queue; a worker that starts later runs them."""
    async with harness.world(database_url, tmp_path, role="web") as world:
        await world.parts_are(database="ok", slack="ok", worker="not_here")
        async with world.http.get(f"{world.url}/health/ready") as answer:
            assert answer.status == 200
        code = (await world.post_apv(harness.sample(harness.HIGH)))["apv_code"]
        jobs = await world.rows("SELECT entrypoint, status FROM pgqueuer ORDER BY id")
        assert [(job["entrypoint"], job["status"]) for job in jobs] == [
            ("slack.card", "queued"),
            ("github.base", "queued"),
        ]
        assert world.cards() == []
        async with world.another_bot("worker"):
            card = await world.card(code)
            assert (await world.alice.approves(card)).ok
            pull = await world.pull(card)
            await card.shows(f"#{pull.number}")
            await world.settle()
            await card.thread_reads("Alice approved", f"Pull request #{pull.number}")


async def test_a_worker_serves_health_and_metrics_alone(database_url: str, tmp_path: Path) -> None:
    """A worker process accepts neither clicks nor API requests."""
    async with harness.world(database_url, tmp_path, role="worker") as world:
        await world.parts_are(database="ok", slack="ok", worker="ok")
        for path in ("/health", "/health/live", "/health/startup", "/health/ready", "/metrics"):
            async with world.http.get(world.url + path) as answer:
                assert (path, answer.status) == (path, 200)
        for method, path in OF_THE_WEB:
            async with world.http.request(method, world.url + path) as answer:
                assert (path, answer.status) == (path, 404)


@pytest.mark.long
async def test_two_workers_do_nothing_twice(world: World) -> None:
    """Three processes on one database: each card, reply, alert and pull request exists once."""
    apvs = [harness.sample(name.removesuffix(".json")) for name, _ in samples.apvs()]
    async with world.another_bot(), world.another_bot("worker"):
        async with world.http.post(f"{world.url}/hitl/reviews", json=apvs) as answer:
            codes = [review["apv_code"] for review in await answer.json()]
        cards = [await world.card(code) for code in codes]
        critical = [card for card, apv in zip(cards, apvs, strict=True) if apv["severity"] == "critical"]
        for_two = [card for card in cards if "of 2 approvals" in card.words]
        acts = [*map(world.alice.approves, cards), *map(world.bob.approves, for_two)]
        assert all(delivery.ok for delivery in await asyncio.gather(*acts))
        await world.settle()
    assert len(world.cards()) == len(apvs)
    opened = [pull.head_ref.rpartition("-")[0] for pull in world.github.pulls()]
    wanted = [f"apv/{code}" for code, apv in zip(codes, apvs, strict=True) if apv.get("patch_diff")]
    assert sorted(opened) == sorted(wanted)
    for card in cards:
        # Who approved, the second of two, and the pull request where there is a patch.
        approvals = 2 if card in for_two else 1
        assert len(card.thread) == approvals + (f"apv/{card.code}" in opened)
        assert len(set(card.thread)) == len(card.thread)
    for card in critical:
        await world.hears(card.code)
    assert world.slack.unread() == []


async def test_the_worker_prunes(world: World) -> None:
    """A worker prunes at start, and then once an hour."""
    await world.rows("INSERT INTO slack_deliveries VALUES ('old', now() - interval '2 days') RETURNING 1")
    await world.rows("INSERT INTO slack_deliveries VALUES ('new', now()) RETURNING 1")

    async def gone() -> bool:
        return [row["key"] for row in await world.rows("SELECT key FROM slack_deliveries")] == [b"new"]

    async with world.another_bot("worker"):
        await world.until_async(gone, lambda: "the old delivery is still there")
