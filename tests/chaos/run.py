"""One fault run, from an empty database to the reconciliation."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from bot.sandbox.github.faults import GitHubFault
from tests import harness
from tests.chaos.cluster import Cluster, Postgres, cluster, postgres
from tests.chaos.plan import Kind, Story, Trouble
from tests.chaos.reconcile import Books, reconcile
from tests.chaos.reviewers import Board, Reviewers
from tests.harness import World
from tests.process import environment, outcome

AT_ONCE = 40
"""APVs under way at a time."""
QUIET_SECONDS = 300.0
"""How long the bot may take to end all effects once nothing goes wrong any more."""


@dataclass
class Run:
    """What is counted, and what it says as it goes."""

    say: Callable[[str], None]
    kills: int = 0
    faults: int = 0
    restarts: int = 0
    retried: int = 0
    """Held jobs that the operator had to retry."""
    began: float = field(default_factory=time.monotonic)

    def tell(self, words: str) -> None:
        """A line of progress."""
        self.say(f"{time.monotonic() - self.began:6.1f} s  {words}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result."""

    run: Run
    books: Books
    surprises: list[str]
    """Errors in the logs that no fault of ours explains."""

    @property
    def clean(self) -> bool:
        return not (self.books.lost or self.books.duplicated)

    @property
    def line(self) -> str:
        """The last line."""
        return (
            f"kills {self.run.kills}, faults {self.run.faults}, decisions {self.books.decisions}, "
            f"lost {len(self.books.lost)}, duplicated {len(self.books.duplicated)}"
        )


@dataclass(frozen=True, slots=True)
class Scene:
    """Where trouble is made."""

    world: World
    reviewers: Reviewers
    server: Postgres
    bots: Cluster
    patience: float


async def fault_run(
    stories: list[Story],
    troubles: Iterator[Trouble],
    *,
    least: int = 0,
    patience: float = 6.0,
    replicas: int,
    folder: Path,
    say: Callable[[str], None],
) -> Verdict:
    """Play the stories during at least `least` troubles, then reconcile.

    `patience`: seconds without progress after which the next trouble comes.
    """
    run, verdict = Run(say), None
    try:
        async with postgres(folder) as server, harness.surroundings(server.url, folder) as world:
            env = environment(world.settings)
            async with cluster(env, folder, replicas) as bots:
                world.talks_to(bots)
                run.tell(f"{len(bots.replicas)} processes are up")
                reviewers = Reviewers(world, Board(world))
                await _together(run, Scene(world, reviewers, server, bots, patience), stories, troubles, least)
                run.tell(f"all are decided, {reviewers.refused} clicks were repeated; waiting until all is quiet")
                await _quiet(run, world, env, folder)
                run.tell("quiet; reconciling")
                verdict = Verdict(run, await reconcile(world, reviewers, stories), bots.surprises())
                # Everybody has read what they were told, and the books hold the rest.
                world.slack.mark_read(*world.slack.unread())
    except AssertionError as found:
        # The stand-ins have their own objections, when they are taken down.
        if verdict is None:
            raise
        verdict.surprises.append(str(found))
    return verdict


async def _together(run: Run, scene: Scene, stories: list[Story], troubles: Iterator[Trouble], least: int) -> None:
    """Run the reviewers and the troubles until both are done; after that nothing fails."""
    telling = asyncio.create_task(_progress(run, scene.reviewers, len(stories)))
    async with asyncio.TaskGroup() as both:
        living = both.create_task(_live(scene.reviewers, stories))
        both.create_task(_trouble(run, scene, troubles, least, living))
    telling.cancel()
    _calm(run, scene.world)


async def _live(reviewers: Reviewers, stories: list[Story]) -> None:
    room = asyncio.Semaphore(AT_ONCE)

    async def live(story: Story) -> None:
        async with room:
            await reviewers.live(story)

    async with asyncio.TaskGroup() as everybody:
        for story in stories:
            everybody.create_task(live(story))


async def _progress(run: Run, reviewers: Reviewers, number: int) -> None:
    while True:
        await asyncio.sleep(5)
        run.tell(f"{len(reviewers.codes)} of {number} submitted, {reviewers.done} decided")


async def _trouble(run: Run, scene: Scene, troubles: Iterator[Trouble], least: int, living: asyncio.Task[None]) -> None:
    """One trouble after the other until the reviewers are done, but at least `least`; each ends with everything up."""
    for number, trouble in enumerate(troubles):
        if number >= least and living.done():
            return
        await _reached(scene, scene.reviewers.progress + trouble.after, living)
        await asyncio.sleep(trouble.wait)
        run.tell(str(trouble))
        await _befall(run, scene, trouble)


async def _reached(scene: Scene, progress: int, living: asyncio.Task[None]) -> None:
    """Wait for this progress, but not for long: trouble also comes while nothing moves."""
    with suppress(TimeoutError):
        async with asyncio.timeout(scene.patience):
            while scene.reviewers.progress < progress and not living.done():  # noqa: ASYNC110 - no one event says so
                await asyncio.sleep(0.02)


async def _befall(run: Run, scene: Scene, trouble: Trouble) -> None:
    server = scene.server
    match trouble.kind:
        case Kind.KILL_WEB | Kind.KILL_WORKER:
            replica = scene.bots.of(trouble.kind.removeprefix("kill "), trouble.which)
            await replica.killed()
            run.kills += 1
            await asyncio.sleep(trouble.down)
            await replica.start()
        case Kind.RESTART_WEB | Kind.RESTART_WORKER:
            replica = scene.bots.of(trouble.kind.removeprefix("restart "), trouble.which)
            await replica.stopped()
            run.restarts += 1
            await replica.start()
        case Kind.KILL_POSTGRES:
            server.kill()
            run.kills += 1
            await asyncio.sleep(trouble.down)
            await server.start()
        case Kind.KILL_BACKEND:
            run.kills += await server.kill_backend()
        case Kind.RESTART_POSTGRES:
            await server.stop()
            run.restarts += 1
            await asyncio.sleep(trouble.down)
            await server.start()
        case Kind.SLACK:
            seconds = 1.0 if trouble.failure == "slow" else 0.0
            scene.world.slack.fail(trouble.call, trouble.failure, times=trouble.times, seconds=seconds)
            run.faults += trouble.times
        case Kind.GITHUB:
            scene.world.github.fail(trouble.call, GitHubFault(trouble.failure), trouble.times, seconds=1)
            run.faults += trouble.times


def _calm(run: Run, world: World) -> None:
    """End all faults; a planned fault that never hit is not counted."""
    run.faults -= sum(ordered.times or 0 for ordered in world.slack.pending_faults)
    run.faults -= sum(planned.times or 0 for planned in world.github.faults.planned)
    world.slack.clear_faults()
    world.github.faults.clear()


async def _quiet(run: Run, world: World, env: dict[str, str], folder: Path) -> None:
    """Wait until nothing is queued, running or held. Held jobs are retried, as an operator would do."""
    told = time.monotonic()
    async with asyncio.timeout(QUIET_SECONDS):
        while True:
            jobs = await _jobs(world)
            if not jobs:
                return
            if time.monotonic() - told > 5:
                told = time.monotonic()
                run.tell(f"{len(jobs)} jobs are left")
            if set(jobs) == {"failed"}:
                run.retried += len(jobs)
                run.tell(f"{len(jobs)} jobs are held: apv-bot jobs retry --all")
                retrying = await outcome("jobs", "retry", "--all", env=env, folder=folder)
                assert retrying.running.returncode == 0, retrying.complained
            await asyncio.sleep(0.2)


async def _jobs(world: World) -> list[str]:
    try:
        return [row["status"] for row in await world.rows("SELECT status FROM pgqueuer")]
    except (DBAPIError, OSError):
        return ["unknown"]  # the server has only just come back
