"""The state of a pull request on GitHub is shown on card, thread, API and audit log, and failures as alerts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bot.sandbox.github import Pull
from tests import harness
from tests.harness import HIGH, Card, World, sample

HOOK = "hook-of-the-tests"


@asynccontextmanager
async def hooked(database_url: str, folder: Path, **changes: Any) -> AsyncIterator[World]:
    """A world in which GitHub can reach the bot."""
    async with harness.world(database_url, folder, github_webhook_secret=SecretStr(HOOK), **changes) as made:
        made.github.webhooks.set_up(f"{made.url}/github/webhooks", HOOK)
        made.github.repository().collaborators.append("mia")
        yield made


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with hooked(database_url, tmp_path) as made:
        yield made


async def opened(world: World, **changes: object) -> tuple[Card, Pull]:
    """An approved review and its pull request, checked once, with no unread messages."""
    card = await world.submit(sample(HIGH), **changes)
    await world.alice.approves(card)
    pull = await world.pull(card)
    await card.shows(f"#{pull.number}", "Pull request open")
    await world.settle()
    await card.thread_reads("Alice approved", "Pull request #1 is open")
    return card, pull


async def test_checks_and_the_merge_come_back(world: World) -> None:
    """Running, passed, merged: each is on the card, in the thread, over the API and in the record."""
    card, pull = await opened(world)
    await world.github.set_check(pull.head_sha, "tests")
    await card.shows("Checks are running")
    assert (await world.review(card))["pr_checks"] == "running"
    await world.github.set_check(pull.head_sha, "tests", "success")
    await card.shows("All checks passed")
    assert (await world.review(card))["pr_checks"] == "passed"
    await world.github.merge_pull(pull.number, by="mia")
    await card.shows("Merged")
    await world.settle()
    await card.thread_reads("Alice approved", "is open", "running", "all checks passed", "was merged into main by mia")
    assert (await world.review(card))["status"] == "merged"
    (decision,) = await world.decisions(card)
    assert (decision["action_taken"], decision["outcome_notes"]) == ("pr_merged", "#1")
    assert decision["action_completed_at"] is not None
    assert (await world.audit(card))[-4:] == ["pull.opened", "pull.checks", "pull.checks", "pull.merged"]
    assert world.slack.messages("incidents") == []


async def test_failed_checks_alert_the_incident_channel(world: World) -> None:
    """By name, from check runs and commit statuses alike."""
    card, pull = await opened(world)
    await world.github.set_check(pull.head_sha, "tests", "failure")
    alert = await world.hears("checks failed (tests)")
    assert "Pull request checks failed" in alert.words
    await world.github.set_status(pull.head_sha, "error", context="lint")
    await world.hears("checks failed (lint, tests)")
    await card.shows("Checks failed (lint, tests)")
    assert (await world.review(card))["pr_checks"] == "failed"
    await world.settle()
    await card.told_in_thread("checks failed (lint, tests)")


async def test_a_closed_pull_request_stays_closed(world: World) -> None:
    """The card says so, and the bot does not reopen it; if a person does, the card follows."""
    card, pull = await opened(world)
    await world.github.close_pull(pull.number)
    await card.shows("Pull request closed", "the bot won't reopen it")
    assert (await world.review(card))["status"] == "pr_closed"
    assert [d["action_taken"] for d in await world.decisions(card)] == ["pr_closed"]
    assert "#1" in card.words
    await world.settle()
    assert [p.state for p in world.github.pulls()] == ["closed"]
    await world.github.reopen_pull(pull.number)
    await card.shows("Pull request open")
    assert [d["action_taken"] for d in await world.decisions(card)] == ["pr_opened"]
    await world.settle()
    await card.thread_reads("Alice approved", "is open", "closed without merging", "was reopened on GitHub")


async def test_a_deleted_branch_is_announced(world: World) -> None:
    """GitHub closes the pull request with it; the thread shows both."""
    card, pull = await opened(world)
    await world.github.delete_branch(pull.head_ref)
    await card.shows("Pull request closed")
    await world.settle()
    await card.thread_reads("Alice approved", "is open", "closed without merging", "The branch of pull request #1 was")


async def test_review_requests_and_conflicts_are_announced(world: World) -> None:
    """Requested reviewers, a conflict with the base, and its resolution."""
    card, pull = await opened(world)
    await world.github.request_reviews(pull.number, "mia")
    await card.shows("Waiting for reviews from mia")
    await world.github.review(pull.number, "APPROVE", by="mia")
    await world.until(lambda: "awaited" not in card.words, lambda: card.words)
    before = world.github.file_at("main", "bookstall/settings.py")
    await world.github.push_commit("main", {"bookstall/settings.py": b"nothing = 0\n"})
    await world.hears("conflicts with main")
    await card.shows("It conflicts with main.")
    await world.github.push_commit("main", {"bookstall/settings.py": before})
    await world.until(lambda: "conflicts" not in card.words, lambda: card.words)
    await world.settle()
    await card.thread_reads(
        "Alice approved", "is open", "waits for reviews from mia", "conflicts", "no longer conflicts"
    )


async def test_a_push_after_approval_is_announced(world: World) -> None:
    """The approval does not cover somebody else's commit; if it is merged anyway, there is an alert too."""
    card, pull = await opened(world)
    sha = await world.github.push_commit(pull.head_ref, {"extra.py": b"evil = 1\n"}, by="mallory")
    alert = await world.hears("New commits on the branch of pull request #1")
    assert sha[:7] in alert.words
    await card.shows("New commits after approval")
    await world.github.merge_pull(pull.number, by="mallory")
    await world.hears("with unapproved changes")
    await card.shows("Merged")
    await world.settle()
    await card.told_in_thread("with unapproved changes")


async def test_late_repeated_and_reordered_deliveries_change_nothing(world: World) -> None:
    """All deliveries of a pull request in reverse order, each twice: one merge is announced, and no old state."""
    card, pull = await opened(world)
    webhooks = world.github.webhooks
    webhooks.paused = True
    seen = len(webhooks.deliveries)
    await world.github.set_check(pull.head_sha, "tests")
    await world.github.set_check(pull.head_sha, "tests", "success")
    await world.github.merge_pull(pull.number, by="mia")
    await world.github.delete_branch(pull.head_ref)
    late = webhooks.deliveries[seen:]
    assert {delivery.event for delivery in late} >= {"check_run", "push", "pull_request", "delete"}
    for delivery in [*reversed(late), *late]:
        await webhooks.send(delivery)
        assert delivery.status == 200
    await card.shows("Merged")
    await world.settle()
    assert (await world.audit(card)).count("pull.merged") == 1
    await card.thread_reads("Alice approved", "is open", "was merged into main by mia", "The branch of pull request #1")
    assert (await world.review(card))["status"] == "merged"
    assert len(await world.rows("SELECT * FROM github_deliveries")) == len(webhooks.deliveries)


async def test_one_delivery_has_one_effect(world: World) -> None:
    """The second delivery causes no request to GitHub, on any replica."""
    card, pull = await opened(world)
    await world.github.set_check(pull.head_sha, "tests", "success")
    await card.shows("All checks passed")
    await world.settle()
    asked = len(world.github.journal)
    async with world.another_bot("web") as other:
        world.github.webhooks.set_up(f"http://127.0.0.1:{other.port}/github/webhooks", HOOK)
        for delivery in world.github.webhooks.deliveries:
            await world.github.webhooks.send(delivery)
            assert delivery.status == 200
        await world.settle()
    looks = [entry for entry in world.github.journal[asked:] if entry.operation == "pulls/get"]
    assert looks == []
    await card.thread_reads("Alice approved", "is open", "all checks passed")


async def test_a_vanished_pull_request_is_announced_once(world: World) -> None:
    """The repository is gone: one alert, and no second one at the next check."""
    card, pull = await opened(world)
    hidden = dict(world.github.hub.repositories)
    world.github.hub.repositories.clear()
    for delivery in list(world.github.webhooks.deliveries[-2:]):
        delivery.id = f"{delivery.id}-again"
        await world.github.webhooks.send(delivery)
    await world.hears("GitHub no longer shows pull request #1")
    await world.settle()
    assert (await world.audit(card)).count("pull.lost") == 1
    await card.shows("it does not exist, or the token may not see it")
    world.github.hub.repositories.update(hidden)
    await world.github.set_check(pull.head_sha, "tests", "success")
    await card.shows("All checks passed")
    assert "does not exist" not in card.words
    await world.settle()
    await card.told_in_thread("no longer shows")


async def test_without_webhooks_an_open_pull_request_is_asked_about(database_url: str, tmp_path: Path) -> None:
    """Polls every 30 s, once over all replicas; the webhook route does not exist."""
    async with harness.world(database_url, tmp_path) as world:
        card, pull = await opened(world)
        async with world.http.post(f"{world.url}/github/webhooks", data=b"{}") as answer:
            assert answer.status == 404
        await world.github.set_check(pull.head_sha, "tests", "success")
        world.clock.advance(seconds=31)
        asked = len(world.github.journal)
        async with world.another_bot("worker"), world.another_bot("worker"):  # each of which looks at once
            await card.shows("All checks passed")
            await world.settle()
        looks = [entry for entry in world.github.journal[asked:] if entry.operation == "pulls/get"]
        assert len(looks) == 1
        await card.thread_reads("Alice approved", "is open", "all checks passed")


async def test_with_webhooks_it_is_asked_about_every_ten_minutes(world: World) -> None:
    """Polling makes up for a lost delivery."""
    card, pull = await opened(world)
    world.github.webhooks.url = None
    await world.github.merge_pull(pull.number)
    world.clock.advance(minutes=9)
    async with world.another_bot("worker"):
        await world.settle()
    assert "Merged" not in card.words
    world.clock.advance(minutes=2)
    async with world.another_bot("worker"):
        await card.shows("Merged")
        await world.settle()
    await card.thread_reads("Alice approved", "is open", "was merged")
