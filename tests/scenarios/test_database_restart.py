"""The database restarts: answers are correct throughout, and work resumes automatically."""

from itertools import pairwise

from tests.harness import HIGH, World, sample


async def status(world: World) -> int:
    async with world.http.get(f"{world.url}/health/ready") as answer:
        return answer.status


CARDS = "SELECT status FROM pgqueuer_log WHERE entrypoint = 'slack.card' ORDER BY id"


async def test_readiness_tells_the_truth_and_the_worker_comes_back(world: World) -> None:
    """503 during the outage, naming the database; afterwards the interrupted job is retried at once."""
    world.slack.fail("chat.postMessage", "slow", seconds=0.5)
    code = (await world.post_apv(sample(HIGH)))["apv_code"]
    await world.until(lambda: not world.slack.pending_faults, lambda: "nobody posts")
    async with world.database_away():
        await world.parts_are(database="unreachable", migrations="unknown", worker="stopped", slack="ok")
        assert await status(world) == 503
    await world.parts_are(database="ok", migrations="ok", worker="ok")
    assert await status(world) == 200
    await world.card(code)
    await world.settle()
    met = [row["status"] for row in await world.rows(CARDS)]
    assert met.count("picked") == 2
    assert ("picked", "picked") not in pairwise(met), "the job was taken over as from a dead worker"
    assert (await world.alice.approves(await world.card(code))).ok
    await world.pull(await world.card(code))
    await world.settle()
    world.slack.mark_read(*world.slack.unread())
