"""The base moves after a patch is shown: the patch is pushed where it means the same, or it is shown again."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.domain.pull import branch_name
from bot.domain.review import Review
from bot.intake import apv_json
from bot.integrations.errors import Retry
from bot.jobs import OpenPull, ReadBase
from bot.sandbox.github import GitHubFault
from bot.service.gate import Gate
from bot.tasks.github import Context, open_pull, read_base
from tests import builders, harness
from tests.harness import HIGH, NAME, OWNER, Card, World, sample
from tests.scenarios.test_pull_policy import desk

LIMITS = b"[web]\nrate = 10\nburst = 5\n\n[api]\nrate = 20\nburst = 9\n"
FIXED = LIMITS.replace(b"burst = 5", b"burst = 2")
PATCH = "--- a/limits.conf\n+++ b/limits.conf\n@@ -2,3 +2,3 @@\n rate = 10\n-burst = 5\n+burst = 2\n \n"
ABOVE = b"# Requests a second\n"
TWICE = b"[admin]\nrate = 10\nburst = 5\n\n"
"""Above `LIMITS`, git would patch these lines: they are next to the hunk's line number."""


async def push(world: World, limits: bytes | None) -> None:
    await world.github.push_commit("main", {"limits.conf": limits})


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with harness.world(database_url, tmp_path) as made:
        await push(made, LIMITS)
        yield made


@pytest.fixture
async def quiet(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """No bot runs: the test runs the jobs in the order it wants."""
    async with harness.surroundings(database_url, tmp_path) as made:
        await push(made, LIMITS)
        yield made


async def shown(world: World) -> Card:
    """The card of a review whose base was read."""
    card = await world.submit(sample(HIGH), patch_diff=PATCH, affected_files=["limits.conf"])
    await world.settle()
    assert [row["files"]["limits.conf"] is not None for row in await bases(world)] == [True]
    return card


async def bases(world: World) -> list[dict[str, Any]]:
    return await world.rows("SELECT * FROM apv_bases ORDER BY version")


async def pushed(world: World, card: Card, limits: bytes) -> None:
    """The pull request is open, its file is this one, and nobody was asked again."""
    pull = await world.pull(card)
    await card.shows("Pull request open")
    assert world.github.file_at(pull.head_ref, "limits.conf") == limits
    assert "review.base_moved" not in await world.audit(card)
    await card.thread_reads("Alice approved", "Pull request #1")


async def test_another_file_may_change(world: World) -> None:
    """The files of the patch are as shown, so it is pushed onto the new base."""
    card = await shown(world)
    await world.github.push_commit("main", {"notes.txt": b"Unrelated.\n"})
    await world.alice.approves(card)
    await pushed(world, card, FIXED)
    assert world.github.file_at((await world.pull(card)).head_ref, "notes.txt") == b"Unrelated.\n"


async def test_the_file_may_change_where_the_lines_still_stand_once(world: World) -> None:
    """The patch can only mean the same lines, also further down."""
    card = await shown(world)
    await push(world, ABOVE + LIMITS)
    await world.alice.approves(card)
    await pushed(world, card, ABOVE + FIXED)


async def test_lines_that_stand_twice_are_shown_again(world: World) -> None:
    """Nothing is pushed; the voter is told and votes again, and the second approval is for the new base."""
    card = await shown(world)
    first = await world.review(card)
    await push(world, TWICE + LIMITS)
    await world.alice.approves(card)
    await card.shows("Awaiting a decision", "version 2", "The base changed: limits.conf", "0 of 1 approval")
    await world.settle()
    assert world.github.branches().keys() == {"main"}
    again = await world.review(card)
    assert (again["version"], again["digest"], again["status"]) == (2, first["digest"], "pending")
    assert (again["pr_branch"], again["due_at"]) == (None, first["due_at"])
    assert await world.audit(card) == ["review.submitted", "review.approved", "review.base_moved"]
    assert [row["version"] for row in await bases(world)] == [1, 2]
    assert [d["action_taken"] for d in await world.decisions(card)] == ["recorded"]
    await world.alice.approves(card)
    pull = await world.pull(card)
    await card.shows("Pull request open")
    assert pull.head_ref == branch_name(card.code, first["digest"])
    assert "The base changed" not in card.words
    assert world.github.file_at(pull.head_ref, "limits.conf") == TWICE.replace(b"5", b"2") + LIMITS
    await card.thread_reads(
        "Alice approved",
        f"please look again: Alice.\n<@{world.alice.id}>",
        "Alice approved",
        "Pull request #1",
    )
    assert await world.broken_links() == []


async def test_a_base_that_moves_again_is_asked_about_again(world: World) -> None:
    """Each approval is for the base that was shown with it."""
    card = await shown(world)
    for version, limits in [(2, TWICE + LIMITS), (3, TWICE + TWICE + LIMITS)]:
        await push(world, limits)
        await world.alice.approves(card)
        await card.shows(f"version {version}", "The base changed")
        await world.settle()
    assert [row["version"] for row in await bases(world)] == [1, 2, 3]
    assert world.github.branches().keys() == {"main"}
    await card.thread_reads("Alice approved", "version 2", "Alice approved", "version 3")


async def test_a_patch_that_no_longer_applies_fails(world: World) -> None:
    """The file is gone: the review stays approved, and the failure is announced as any other."""
    card = await shown(world)
    await push(world, None)
    await world.alice.approves(card)
    await card.shows("Approved, but the pull request failed", "limits.conf")
    await world.hears("No pull request could be opened")
    await world.settle()
    assert (await world.review(card))["version"] == 1
    await card.thread_reads("Alice approved", "No pull request could be opened")


async def test_the_policy_may_leave_it_to_git(database_url: str, tmp_path: Path) -> None:
    """`base_moved = "apply"`: what git applies is pushed, wherever git puts it."""
    policy = tmp_path / "policy.toml"
    policy.write_text('[pull_request]\nbase_moved = "apply"\n')
    async with harness.world(database_url, tmp_path, policy_file=policy) as world:
        await push(world, LIMITS)
        card = await shown(world)
        await push(world, TWICE + LIMITS)
        await world.alice.approves(card)
        await pushed(world, card, TWICE.replace(b"5", b"2") + LIMITS)


async def test_a_row_of_another_program_has_its_base_read_too(world: World) -> None:
    """Its patch is pushed or shown again like any other."""
    await world.rows(
        "INSERT INTO apv_reviews (apv_code, severity, package_name, patch_content)"
        " VALUES ('APV-2026-0900', 'high', 'flask', :patch) RETURNING 1",
        patch=PATCH,
    )
    await world.passes(seconds=30)
    await world.card("APV-2026-0900")
    await world.settle()
    assert [list(row["files"]) for row in await bases(world)] == [["limits.conf"]]


async def submitted(world: World, **changes: object) -> tuple[Gate, Review]:
    gate = builders.gate(world.database)
    report = {**sample(HIGH), "patch_diff": PATCH, "affected_files": ["limits.conf"], **changes}
    apv = apv_json.parse(report, default_repository=f"{OWNER}/{NAME}").apv
    return gate, (await builders.submit(gate, apv)).review


async def opens(world: World, at: Context, gate: Gate, review: Review) -> Review:
    """Run the job that opens the pull request; the review after it."""
    await open_pull(at, builders.push(review))
    return await builders.now_of(gate, review)


@pytest.mark.parametrize(("limits", "sure"), [(LIMITS, True), (ABOVE + LIMITS, True), (TWICE + LIMITS, False)])
async def test_a_base_that_is_read_late_does_not_count(quiet: World, limits: bytes, sure: bool) -> None:
    """What the bot reads after the approval is not what the voter saw: only a patch with one place is pushed."""
    async with desk(quiet) as at:
        gate, review = await submitted(quiet)
        await builders.click(gate, builders.ALICE, review)
        await push(quiet, limits)
        await read_base(at, ReadBase(review.id, 1))
        assert await bases(quiet) == []
        after = await opens(quiet, at, gate, review)
        assert (after.status, after.version) == (("pr_open", 1) if sure else ("pending", 2))
        if not sure:
            assert "was not read before the first approval" in (after.note or "")
            await builders.click(gate, builders.ALICE, after)
            assert (await opens(quiet, at, gate, after)).status == "pr_open"


async def test_the_first_approval_is_the_last_moment_to_read_the_base(quiet: World) -> None:
    """The first of two voters saw the patch before; nothing is kept that they did not see."""
    async with desk(quiet) as at:
        gate, review = await submitted(quiet, severity="critical")
        await builders.click(gate, builders.ALICE, review)
        await read_base(at, ReadBase(review.id, 1))
        assert await bases(quiet) == []


async def test_a_second_run_does_not_ask_again(quiet: World) -> None:
    """A worker that died after asking leaves a job for a version that is no more."""
    async with desk(quiet) as at:
        gate, review = await submitted(quiet)
        await read_base(at, ReadBase(review.id, 1))
        await builders.click(gate, builders.ALICE, review)
        await push(quiet, TWICE + LIMITS)
        assert (await opens(quiet, at, gate, review)).version == 2
        assert (await opens(quiet, at, gate, review)).version == 2
        await read_base(at, ReadBase(review.id, 1))
        await read_base(at, ReadBase(review.id, 2))
        assert [row["version"] for row in await bases(quiet)] == [1, 2]


@pytest.mark.parametrize(
    ("operation", "asks"), [("git/create-commit", True), ("git/create-ref", True), ("pulls/create", False)]
)
async def test_what_was_pushed_before_a_crash_stays(quiet: World, operation: str, asks: bool) -> None:
    """Once the branch exists it is adopted on its own base; before, the moved base is asked about."""
    async with desk(quiet) as at:
        gate, review = await submitted(quiet)
        await read_base(at, ReadBase(review.id, 1))
        await builders.click(gate, builders.ALICE, review)
        quiet.github.fail(operation, GitHubFault.DROP_BEFORE)
        with pytest.raises(Retry):
            await open_pull(at, OpenPull(review.id, review.digest, 1))
        await push(quiet, TWICE + LIMITS)
        after = await opens(quiet, at, gate, review)
        assert (after.status, after.version) == (("pending", 2) if asks else ("pr_open", 1))
        if not asks:
            assert quiet.github.file_at(after.pr_branch or "", "limits.conf") == FIXED


@pytest.mark.parametrize("patch", ["this is no diff\n", PATCH.replace("limits.conf", ".git/config")])
async def test_a_base_that_cannot_be_read_disturbs_nobody(world: World, patch: str) -> None:
    """The card comes, no job is held, and nothing is said before somebody approves."""
    await world.submit(sample(HIGH), patch_diff=patch)
    await world.submit(patch_diff=PATCH, base_ref="release-1", apv_code="APV-2026-0901")
    await world.settle()
    assert await world.rows("SELECT * FROM pgqueuer") == []
    assert await bases(world) == []
    assert world.slack.messages("incidents") == []
