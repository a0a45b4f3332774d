"""The policy for pull requests: labels, reviewers, drafts, and merging only the approved commit."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from bot.app.policy_watch import policy_source
from bot.app.vendors import github_client
from bot.domain.policy import MergeMethod, PullRules
from bot.domain.pull import MergeMode
from bot.domain.review import Choice, Review
from bot.intake import apv_json
from bot.integrations.errors import Permanent, Retry
from bot.integrations.github.client import PullAddress
from bot.jobs import OpenPull, WatchPull
from bot.sandbox.github import Pull
from bot.sandbox.github.faults import GitHubFault
from bot.tasks.github import Context, open_pull, watch_pull
from storage import reviews
from tests import builders, harness
from tests.harness import HIGH, NAME, OWNER, Card, World, sample


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with harness.world(database_url, tmp_path) as made:
        yield made


async def opened(world: World) -> tuple[Card, Pull]:
    card = await world.submit(sample(HIGH))
    await world.alice.approves(card)
    pull = await world.pull(card)
    await card.shows(f"#{pull.number}", "Pull request open")
    await world.settle()
    return card, pull


@asynccontextmanager
async def desk(world: World, **rules: Any) -> AsyncIterator[Context]:
    """The dependencies of the GitHub jobs, with these rules for pull requests."""
    client = github_client(world.settings)
    assert client is not None
    policy = replace(policy_source(world.settings).current(), pull_request=PullRules(**rules))
    yield Context(replace(builders.gate(world.database), policy=lambda: policy, now=world.clock), client)
    await client.close()


async def look(world: World, card: Card, at: Context) -> None:
    await watch_pull(at, WatchPull(UUID((await world.review(card))["apv_id"]), "test"))
    await world.settle()


async def test_a_pull_request_gets_what_the_policy_says(database_url: str, tmp_path: Path) -> None:
    """Labels besides the severity's, requested people and teams, draft, and the limits and paths of a patch."""
    async with harness.surroundings(database_url, tmp_path) as world:
        repository = world.github.repository()
        repository.collaborators, repository.teams = ["mia"], ["appsec"]
        rules = {"labels": ("deps", "apv"), "reviewers": ("mia",), "team_reviewers": ("appsec",), "draft": True}
        async with desk(world, **rules) as at:
            review = await approved(world)
            await open_pull(at, OpenPull(review.id, review.digest))
        (pull,) = world.github.pulls()
        assert [label.name for label in pull.labels] == ["deps", "apv", "severity: high"]
        assert ([account.login for account in pull.reviewers], pull.teams) == (["mia"], ["appsec"])
        assert pull.draft


async def test_a_patch_beyond_the_policy_is_not_pushed(database_url: str, tmp_path: Path) -> None:
    """A patch larger than the policy allows."""
    async with harness.surroundings(database_url, tmp_path) as world, desk(world, max_bytes=10) as at:
        review = await approved(world)
        with pytest.raises(Permanent):
            await open_pull(at, OpenPull(review.id, review.digest))
        assert world.github.branches().keys() == {"main"}


async def approved(world: World) -> Review:
    """An approved review whose patch fits the repository; no bot runs that would open it."""
    submitted = apv_json.parse(sample(HIGH), default_repository=f"{OWNER}/{NAME}")
    gate = builders.gate(world.database)
    review = (await builders.submit(gate, submitted.apv)).review
    await builders.click(gate, builders.ALICE, review)
    return review


async def test_when_green_it_is_merged_at_the_approved_commit(world: World) -> None:
    """The bot merges once, after the checks have passed, with the configured method."""
    card, pull = await opened(world)
    async with desk(world, merge=MergeMode.WHEN_GREEN, merge_method=MergeMethod.SQUASH) as at:
        await look(world, card, at)
        await world.github.set_check(pull.head_sha, "tests")
        await look(world, card, at)
        assert pull.state == "open"
        await world.github.set_check(pull.head_sha, "tests", "success")
        await look(world, card, at)
        await look(world, card, at)
    assert pull.merged
    assert pull.merge_commit_sha == world.github.branches()["main"]
    await card.shows("Merged")
    merges = [entry for entry in world.github.journal if entry.operation == "pulls/merge"]
    assert len(merges) == 1
    assert pull.head_sha in merges[0].body
    await card.thread_reads("Alice approved", "is open", "running", "all checks passed", "was merged into main")


async def test_a_pushed_over_branch_is_not_merged(world: World) -> None:
    """The bot does not merge unapproved commits, even if the checks pass, and says so."""
    card, pull = await opened(world)
    sha = await world.github.push_commit(pull.head_ref, {"extra.py": b"evil = 1\n"})
    await world.github.set_check(sha, "tests", "success")
    async with desk(world, merge=MergeMode.WHEN_GREEN) as at:
        await look(world, card, at)
        await look(world, card, at)
    assert not pull.merged
    alert = await world.hears("New commits on the branch")
    assert "the bot does not merge it" in alert.words
    await card.told_in_thread("the bot does not merge it")
    await card.shows("New commits after approval")


async def test_a_push_between_look_and_merge_is_refused_by_github(world: World) -> None:
    """The merge names the approved commit, so it fails after a push that the bot has not seen yet."""
    card, pull = await opened(world)
    await card.thread_reads("Alice approved", "is open")
    approved = pull.head_sha
    await world.github.set_check(approved, "tests", "success")
    async with desk(world, merge=MergeMode.WHEN_GREEN) as at:
        sha = await world.github.push_commit(pull.head_ref, {"extra.py": b"evil = 1\n"})
        with pytest.raises(Permanent, match="no longer the commit that was approved"):
            await at.github.merge(PullAddress(f"{OWNER}/{NAME}", pull.number, pull.head_ref), approved, "squash")
        assert not pull.merged
        assert sha == pull.head_sha


async def test_a_refused_merge_is_announced_once(world: World) -> None:
    """The incident channel shows GitHub's reason, and the bot does not retry the merge endlessly."""
    card, pull = await opened(world)
    await world.github.set_check(pull.head_sha, "tests", "success")
    async with desk(world, merge=MergeMode.WHEN_GREEN, merge_method=MergeMethod.REBASE) as at:  # not allowed there
        await look(world, card, at)
        await look(world, card, at)
    await world.hears("was approved and could not be merged: a branch rule is not met, or the repository does")
    assert (await world.audit(card)).count("pull.merge_refused") == 1
    await card.shows("GitHub refused to merge it")
    await card.told_in_thread("could not be merged")


async def test_a_merge_with_a_lost_answer_happens_once(world: World) -> None:
    """A second run finds the pull request merged."""
    card, pull = await opened(world)
    await world.github.set_check(pull.head_sha, "tests", "success")
    async with desk(world, merge=MergeMode.WHEN_GREEN) as at:
        world.github.fail("pulls/merge", "drop_after")
        with pytest.raises(Retry):
            await look(world, card, at)
        await look(world, card, at)
    assert pull.merged
    assert [entry.operation for entry in world.github.journal].count("pulls/merge") == 1
    await card.shows("Merged")
    await card.thread_reads("Alice approved", "is open", "all checks passed", "was merged into main")


async def test_github_merges_by_itself_once_its_rules_are_met(world: World) -> None:
    """Auto-merge: armed at the approved commit; GitHub merges once the required checks pass."""
    repository = world.github.repository()
    repository.allow_auto_merge, repository.required_checks = True, ["tests", "apv-bot/approved"]
    card, pull = await opened(world)
    async with desk(world, merge=MergeMode.AUTO) as at:
        await look(world, card, at)
        assert pull.auto_merge == "SQUASH"
        await card.shows("GitHub merges it automatically")
        await world.github.set_check(pull.head_sha, "tests", "success")
        assert pull.merged
        await look(world, card, at)
    await card.shows("Merged")
    await card.thread_reads("Alice approved", "is open", "automatically once its rules are met", "was merged into main")


async def test_a_push_over_disarms_the_automatic_merge(world: World) -> None:
    """Otherwise GitHub would merge what somebody pushed."""
    repository = world.github.repository()
    repository.allow_auto_merge, repository.required_checks = True, ["tests"]
    card, pull = await opened(world)
    async with desk(world, merge=MergeMode.AUTO) as at:
        await look(world, card, at)
        await world.github.push_commit(pull.head_ref, {"extra.py": b"evil = 1\n"})
        await look(world, card, at)
        assert pull.auto_merge is None
        await look(world, card, at)
    await world.hears("New commits after approval")
    await world.hears("is no longer merged automatically")
    await card.told_in_thread("no longer merged automatically")
    assert (await world.audit(card)).count("pull.merge_refused") == 1


async def test_a_repository_without_auto_merge_says_so(world: World) -> None:
    """It is announced once; the pull request does not change."""
    world.github.repository().required_checks = ["tests"]
    card, pull = await opened(world)
    async with desk(world, merge=MergeMode.AUTO) as at:
        await look(world, card, at)
        await look(world, card, at)
    await world.hears("GitHub refused to merge the pull request automatically")
    assert (await world.audit(card)).count("pull.merge_refused") == 1
    assert not pull.merged
    await card.told_in_thread("automatically")


async def test_the_approved_commit_can_be_required(world: World) -> None:
    """A branch that asks for `apv-bot/approved` lets through what was approved, and nothing pushed over it."""
    world.github.repository().required_checks = ["apv-bot/approved"]
    card, pull = await opened(world)
    assert world.github.repository().merge_state(pull) == "clean"
    (status,) = world.github.repository().records.statuses[pull.head_sha]
    assert (status.context, status.state) == ("apv-bot/approved", "success")
    assert card.code in (status.description or "")
    await world.github.push_commit(pull.head_ref, {"extra.py": b"evil = 1\n"})
    assert world.github.repository().merge_state(pull) == "blocked"
    await card.thread_reads("Alice approved", "is open")


async def test_rejecting_the_next_review_closes_the_pull_request(world: World) -> None:
    """New content came after it was opened, and was rejected: the old pull request is closed with the reason.

    Also where GitHub's own word of it comes before the bot has looked.
    """
    first, pull = await opened(world)
    second = await world.submit(sample(HIGH), patch_description="Another way to do the same.")
    assert second.code != first.code
    other = second.message
    await world.bob.rejects(second, "This package is about to be removed, *no* bump is needed @everyone.")
    await first.shows("Pull request closed", "about to be removed")
    assert pull.state == "closed"
    (comment,) = pull.comments
    assert "about to be removed" in comment.body
    assert "```text" in comment.body
    assert (await world.review(first))["status"] == "pr_closed"
    await world.settle()
    await first.thread_reads("Alice approved", "is open", "was closed: Bob rejected")
    replies = [m for m in world.slack.thread(other.channel, other.ts) if m.ts != other.ts]
    world.slack.mark_read(*replies)
    assert ["Bob rejected" in reply.words for reply in replies] == [True]


async def test_a_rejection_waits_for_the_pull_request_that_is_still_being_opened(world: World) -> None:
    """The first pull request is still being opened when the second review is rejected; it is closed once it exists."""
    first = await world.submit(sample(HIGH))
    world.github.fail("pulls/create", GitHubFault.SECONDARY_RATE_LIMIT, seconds=600)
    await world.alice.approves(first)
    await world.until(lambda: world.github.faults.planned == [], lambda: "GitHub was not asked")
    second = await world.submit(sample(HIGH), patch_description="Another way to do the same.")
    assert second.code != first.code
    other = second.message
    await world.bob.rejects(second, "This package is about to be removed.")

    async def waits() -> bool:
        found = await world.rows("SELECT headers ->> 'error' AS why FROM pgqueuer WHERE entrypoint = 'github.answer'")
        return found == [{"why": "An earlier pull request is still being opened"}]

    await world.until_async(waits, lambda: "the rejection does not wait")
    await world.rows("UPDATE pgqueuer SET execute_after = now() WHERE entrypoint = 'github.pull' RETURNING 1")
    pull = await world.pull(first)
    await first.told_in_thread("is open")
    await world.rows("UPDATE pgqueuer SET execute_after = now() RETURNING 1")
    await first.shows("Pull request closed", "about to be removed")
    assert pull.state == "closed"
    await first.thread_reads("Alice approved", "is open", "was closed: Bob rejected")
    world.slack.mark_read(*world.slack.thread(other.channel, other.ts))


async def test_asking_for_changes_of_the_next_review_asks_for_them_on_the_pull_request(world: World) -> None:
    """It stays open and gets the requested changes as one comment, even if the job runs twice."""
    first, pull = await opened(world)
    second = await world.submit(sample(HIGH), patch_description="Another way to do the same.")
    world.github.fail("issues/create-comment", "502_after")
    async with world.database.transaction() as tx:
        stored = await reviews.find(tx, second.code)
    assert stored is not None
    await builders.click(builders.gate(world.database), builders.ALICE, stored.review, Choice.MODIFY)
    await world.until(lambda: bool(pull.comments), lambda: "no comment")
    await world.settle()
    (comment,) = pull.comments
    assert "Changes to this pull request are requested" in comment.body
    assert builders.WHY in comment.body
    assert pull.state == "open"
    await first.thread_reads("Alice approved", "is open")
    await second.told_in_thread("asked for changes")


async def test_rejecting_a_first_review_asks_nothing_of_github(world: World) -> None:
    """There is no pull request that could be closed."""
    card = await world.submit(sample(HIGH))
    await world.settle()
    asked = len(world.github.journal)
    await world.bob.rejects(card, "This package is about to be removed.")
    await card.shows("Rejected")
    await world.settle()
    assert len(world.github.journal) == asked
    await card.thread_reads("Bob rejected")


async def test_the_policy_file_lets_the_bot_merge(database_url: str, tmp_path: Path) -> None:
    """From the click to the merge without a person on GitHub: the checks pass, and the approved commit is merged."""
    file = tmp_path / "policy.toml"
    file.write_text('[pull_request]\nmerge = "when-green"\nlabels = ["deps"]\n', "utf-8")
    hook = "hook-of-the-tests"
    async with harness.world(database_url, tmp_path, policy_file=file, github_webhook_secret=SecretStr(hook)) as world:
        world.github.webhooks.set_up(f"{world.url}/github/webhooks", hook)
        card, pull = await opened(world)
        await world.github.set_check(pull.head_sha, "tests", "success")
        await card.shows("Merged")
        assert [label.name for label in pull.labels] == ["deps", "severity: high"]
        await world.settle()
        await card.thread_reads("Alice approved", "is open", "all checks passed", "was merged into main by sandbox-bot")
        assert [d["action_taken"] for d in await world.decisions(card)] == ["pr_merged"]
