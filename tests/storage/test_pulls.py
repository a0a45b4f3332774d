"""What is stored about pull requests: the newest look counts, polls take turns, and a pointer finds its review."""

import asyncio

import pytest

from bot.domain.pull import Checks, MergeMode, Pull, Seen
from bot.domain.review import Review
from bot.jobs import WatchPull, parse
from bot.service import pulls
from bot.service.gate import Gate
from bot.service.pulls import WITH_WEBHOOKS, WITHOUT_WEBHOOKS, Pointer
from storage.database import Database
from tests.builders import ALICE, Clock, apv, click, gate, now_of, push, rows, run, submit

HEAD = "c" * 40


async def opened(at: Gate, number: int) -> Review:
    """A review whose pull request is open, with an empty queue."""
    review = (await submit(at, apv(package_name=f"package-{number}"))).review
    await click(at, ALICE, review)
    branch = f"apv/{review.code}-{review.digest[:8]}"
    made = Pull(
        number=number, url=f"https://github.example/sample/shop/pull/{number}", branch=branch, head_sha=HEAD, files=1,
        insertions=1, deletions=1, state="open", base="main", approved_head=HEAD,
    )  # fmt: skip
    await pulls.begin_push(at, push(review))
    await pulls.opened(at, review.id, made)
    await run(at.database, "DELETE FROM pgqueuer")
    return await now_of(at, review)


async def looks(at: Gate) -> list[WatchPull]:
    """The looks that are queued; the queue is empty after."""
    queued = await rows(at.database, "SELECT payload FROM pgqueuer WHERE entrypoint = 'github.watch'")
    await run(at.database, "DELETE FROM pgqueuer")
    found = [parse("github.watch", row["payload"]) for row in queued]
    return [job for job in found if isinstance(job, WatchPull)]


def seen(checks: Checks | None = None, conflict: bool | None = False) -> Seen:
    return Seen(state="open", head=HEAD, base="main", checks=checks, conflict=conflict)


async def test_an_older_look_changes_nothing(database: Database) -> None:
    """Two looks overlap: the one that began first is out of date, whenever it is recorded."""
    at = gate(database)
    review = await opened(at, 1)
    first = await pulls.begin_look(at, review.id, None)
    second = await pulls.begin_look(at, review.id, None)
    assert first is not None
    assert second is not None
    await pulls.record_look(at, review.id, seen(Checks.PASSED), began=second, mode=MergeMode.NEVER)
    await pulls.record_look(at, review.id, seen(Checks.RUNNING), began=first, mode=MergeMode.NEVER)
    kept = (await now_of(at, review)).pull
    assert kept is not None
    assert kept.checks is Checks.PASSED
    assert await pulls.begin_look(at, review.id, first) is None


async def test_open_pull_requests_are_asked_about_in_turns(database: Database) -> None:
    """Twelve in half a minute over all replicas, those that waited longest first; nobody twice, nobody never."""
    clock = Clock()
    at = gate(database, clock=clock)
    numbers = {(await opened(at, number)).id for number in range(1, 15)}
    await asyncio.gather(*(pulls.poll(at, WITHOUT_WEBHOOKS) for _ in range(4)))
    first = {look.review_id for look in await looks(at)}
    assert 12 <= len(first) <= 14
    clock.advance(seconds=31)
    await pulls.poll(at, WITHOUT_WEBHOOKS)
    second = [look.review_id for look in await looks(at)]
    assert len(second) == len(set(second)) == 12
    assert first | set(second) == numbers


async def test_what_github_did_not_know_is_asked_again_soon(database: Database) -> None:
    """With webhooks, half a minute is for those whose mergeability was unknown; the others wait for ten minutes."""
    clock = Clock()
    at = gate(database, clock=clock)
    known, unknown = await opened(at, 1), await opened(at, 2)
    await pulls.poll(at, WITH_WEBHOOKS)
    await looks(at)
    for review, conflict in ((known, False), (unknown, None)):
        began = await pulls.begin_look(at, review.id, None)
        assert began is not None
        await pulls.record_look(at, review.id, seen(conflict=conflict), began=began, mode=MergeMode.NEVER)
    clock.advance(seconds=31)
    await pulls.poll(at, WITH_WEBHOOKS)
    assert [look.review_id for look in await looks(at)] == [unknown.id]
    clock.advance(minutes=10)
    await pulls.poll(at, WITH_WEBHOOKS)
    assert {look.review_id for look in await looks(at)} == {known.id, unknown.id}


async def test_a_poll_that_waits_is_not_queued_twice(database: Database) -> None:
    """While GitHub is away, what is to be looked at does not pile up."""
    clock = Clock()
    at = gate(database, clock=clock)
    await opened(at, 1)
    for _ in range(5):
        await pulls.poll(at, WITHOUT_WEBHOOKS)
        clock.advance(seconds=31)
    assert len(await looks(at)) == 1


@pytest.mark.parametrize(
    ("pointer", "found"),
    [
        (Pointer("sample/shop", numbers=frozenset({1})), {1}),
        (Pointer("SAMPLE/Shop", numbers=frozenset({1, 2, 3})), {1, 2}),
        (Pointer("other/shop", numbers=frozenset({1})), set()),
        (Pointer("sample/shop", branches=frozenset({"main"})), {1, 2}),
        (Pointer("sample/shop", branches=frozenset({"another"})), set()),
        (Pointer("sample/shop", commits=frozenset({HEAD})), {1, 2}),
        (Pointer("sample/shop"), set()),
    ],
)
async def test_a_pointer_finds_what_it_is_about(database: Database, pointer: Pointer, found: set[int]) -> None:
    """By number, by the branch of either side, by the commit at the head; in its own repository only."""
    at = gate(database)
    numbers = {(await opened(at, number)).id: number for number in (1, 2)}
    assert await pulls.hear(at, "d-1", pointer)
    assert {numbers[look.review_id] for look in await looks(at)} == found
    assert not await pulls.hear(at, "d-1", pointer)
    assert await looks(at) == []


async def test_deliveries_at_the_same_moment_have_one_effect(database: Database) -> None:
    """GitHub's repetition reaches another replica while the first still handles it."""
    at = gate(database)
    await opened(at, 1)
    pointer = Pointer("sample/shop", numbers=frozenset({1}))
    heard = await asyncio.gather(*(pulls.hear(at, "d-1", pointer) for _ in range(5)))
    assert sorted(heard) == [False] * 4 + [True]
    assert len(await looks(at)) == 1


async def test_a_head_branch_names_its_own(database: Database) -> None:
    """Its deletion after the merge is recorded too."""
    at = gate(database)
    review = await opened(at, 1)
    await opened(at, 2)
    began = await pulls.begin_look(at, review.id, None)
    assert began is not None
    merged = Seen(state="merged", head=HEAD, base="main")
    await pulls.record_look(at, review.id, merged, began=began, mode=MergeMode.NEVER)
    await looks(at)
    branch = (await now_of(at, review)).pr_branch
    await pulls.hear(at, "d-1", Pointer("sample/shop", branches=frozenset({branch or ""})))
    assert [look.review_id for look in await looks(at)] == [review.id]
