"""GitHub's faults between an approval and its pull request, through the whole bot."""

import asyncio

import pytest

from bot.cli import jobs
from bot.sandbox.github.faults import GitHubFault
from tests.harness import HIGH, Card, World, sample
from tests.scenarios.test_retries import jobs_list

FAULTS = [
    ("git/create-ref", GitHubFault.ERROR_502_AFTER),
    ("pulls/create", GitHubFault.ERROR_502_AFTER),
    ("pulls/create", GitHubFault.DROP_AFTER),
    ("git/create-tree", GitHubFault.DROP_BEFORE),
    ("issues/add-labels", GitHubFault.ERROR_500_AFTER),
]


async def branch_of(world: World, card: Card) -> str:
    """The branch that this card's approval will make."""
    return f"apv/{card.code}-{(await world.review(card))['digest'][:8]}"


@pytest.mark.long
async def test_a_lost_answer_repeats_nothing(world: World) -> None:
    """The retry reuses what exists; the failure is not announced."""
    cards = [await world.submit(sample(HIGH), package_name=f"package-{n}") for n in range(len(FAULTS))]
    for operation, fault in FAULTS:
        world.github.fail(operation, fault)
    assert all(delivery.ok for delivery in await asyncio.gather(*map(world.alice.approves, cards)))
    for card in cards:
        pull = await world.pull(card)
        await card.shows(f"#{pull.number}")
    await world.settle()
    assert world.github.faults.planned == []
    assert len(world.github.pulls()) == len(cards)
    assert world.github.branches().keys() == {"main", *[await branch_of(world, card) for card in cards]}
    for card in cards:
        await card.thread_reads("Alice approved", "is open")
        assert [d["action_taken"] for d in await world.decisions(card)] == ["pr_opened"]
    assert world.slack.messages("incidents") == []


async def test_a_secondary_limit_is_waited_out(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The job waits in the queue for GitHub's time, `jobs list` shows why, and then it succeeds."""
    card = await world.submit()
    world.github.fail("git/create-ref", GitHubFault.SECONDARY_RATE_LIMIT, seconds=600)
    await world.alice.approves(card)

    async def waits() -> bool:
        found = [line[1:] for line in await jobs_list(world, capsys)]
        return found == [["github.pull", "queued", "1", card.code, "GitHub's rate limit is reached"]]

    await world.until_async(waits, lambda: "the job does not wait")
    (job,) = await world.rows("SELECT extract(epoch FROM execute_after - now()) AS seconds FROM pgqueuer")
    assert 500 < job["seconds"] <= 600
    assert len(world.github.branches()) == 1
    await world.rows("UPDATE pgqueuer SET execute_after = now() RETURNING 1")
    pull = await world.pull(card)
    await card.shows(f"#{pull.number}")
    await card.thread_reads("Alice approved", "is open")


async def test_a_base_that_moved_aside_is_built_upon(world: World) -> None:
    """Other files changed since the patch was proposed: the pull request starts from what is there now."""
    card = await world.submit()
    head = await world.github.push_commit("main", {"NEWS": b"something else\n"})
    await world.alice.approves(card)
    pull = await world.pull(card)
    assert pull.base_sha == head
    await card.shows(f"#{pull.number}")
    await card.thread_reads("Alice approved", "is open")


async def test_a_conflicting_base_fails_the_pull_request(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The lines of the patch are gone: nothing is pushed; once they are back, `jobs retry` opens it."""
    card = await world.submit()
    files = world.github.file_at("main", "requirements.txt")
    await world.github.push_commit("main", {"requirements.txt": b"nothing\n"})
    await world.alice.approves(card)
    await world.hears("does not apply")
    await card.shows("Approved, but the pull request failed")
    await world.settle()
    assert world.github.branches().keys() == {"main"}
    (line,) = await jobs_list(world, capsys)
    assert line[1:5] == ["github.pull", "held", "0", card.code]
    await world.github.push_commit("main", {"requirements.txt": files})
    await jobs.retry(world.settings, [int(line[0])])
    pull = await world.pull(card)
    await card.shows(f"#{pull.number}", "Pull request open")
    await card.thread_reads("Alice approved", "does not apply", "is open")


async def test_a_foreign_branch_fails_the_pull_request(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """A foreign branch with our name is not touched; once it is gone, `jobs retry` opens the pull request."""
    card = await world.submit()
    branch = await branch_of(world, card)
    repository = world.github.repository()
    repository.git.run("branch", branch, "main")
    theirs = await world.github.push_commit(branch, {"NEWS": b"ours now\n"})
    await world.alice.approves(card)
    await world.hears(card.code)
    await card.shows("Approved, but the pull request failed")
    await world.settle()
    assert world.github.branches()[branch] == theirs
    assert world.github.pulls() == []
    (line,) = await jobs_list(world, capsys)
    assert line[1:5] == ["github.pull", "held", "0", card.code]
    repository.git.run("branch", "-D", branch)
    await jobs.retry(world.settings, [int(line[0])])
    pull = await world.pull(card)
    await card.shows(f"#{pull.number}")
    await card.thread_reads("Alice approved", "No pull request could be opened", "is open")


async def test_a_pull_request_closed_by_a_person_stays_closed(world: World) -> None:
    """Opened, but the answer was lost, and a person closed it: reported as closed, not opened again."""
    card = await world.submit()
    world.github.fail("pulls/create", GitHubFault.ERROR_502_AFTER)
    await world.alice.approves(card)
    pull = await world.pull(card)
    await world.github.close_pull(pull.number)
    await card.shows("Pull request closed")
    await world.settle()
    assert [p.state for p in world.github.pulls()] == ["closed"]
    assert [d["action_taken"] for d in await world.decisions(card)] == ["pr_closed"]
    await card.thread_reads("Alice approved", "was closed and stays closed")
