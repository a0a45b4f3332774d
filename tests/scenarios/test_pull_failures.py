"""A patch that cannot become a pull request: nothing is pushed, and the failure is announced."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from storage import jobs
from tests import harness
from tests.harness import API_TOKEN, HIGH, OWNER, Card, World, sample

WHY = "This needs somebody who knows the vendor."
OUTDATED = """--- a/requirements.txt
+++ b/requirements.txt
@@ -1,1 +1,1 @@
-requests==1.0.0
+requests==2.31.0
"""
WORKFLOW = """--- /dev/null
+++ b/.github/{folder}/ci.yml
@@ -0,0 +1,1 @@
+on: push
"""


@pytest.fixture
async def without_github(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """A world whose operator has not set GitHub up."""
    unset: dict[str, Any] = {"github_token": None, "github_repo_owner": None, "github_repo_name": None}
    async with harness.world(database_url, tmp_path, **unset) as made:
        yield made


async def fails(world: World, card: Card, reason: str) -> None:
    """Card, thread, incident channel and `jobs list` show the failure; nothing was pushed."""
    alert = await world.hears(f"No pull request could be opened for {card.code}: ")
    assert reason in alert.words
    assert "Pull request failed" in alert.words
    assert alert.buttons == []
    await card.shows("Approved, but the pull request failed", reason)
    assert "Approve" not in card.buttons
    await world.settle()
    assert world.github.branches().keys() == {"main"}
    assert world.github.pulls() == []
    review = await world.review(card)
    assert (review["status"], review["pr_branch"], review["pr_number"]) == ("approved", None, None)
    assert {d["action_taken"] for d in await world.decisions(card)} <= {"failed", "escalated"}
    async with world.database.transaction() as tx:
        (job,) = await jobs.unfinished(tx)
    assert (job.task, job.state, job.apv_code) == ("github.pull", "held", card.code)
    assert job.error
    assert job.error in alert.words.replace("\u200b", "")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"patch_diff": OUTDATED}, "does not apply"),
        ({"patch_diff": WORKFLOW.format(folder="workflows")}, ".github/workflows"),
        ({"patch_diff": WORKFLOW.format(folder="Workflows")}, ".github/Workflows"),
        ({"patch_diff": "this is no diff\n"}, ""),
        ({"base_ref": "release-1"}, "has no branch release-1"),
    ],
)
async def test_a_failed_patch_is_announced_and_nothing_is_pushed(
    world: World, changes: dict[str, object], reason: str
) -> None:
    """A patch that does not fit, a forbidden path in any case, no diff at all, an unknown branch."""
    card = await world.submit(sample(HIGH), **changes)
    # What runs before a merge, and what cannot be read, needs two people.
    people = [world.alice, world.bob][: 2 if "of 2 approvals" in card.words else 1]
    for person in people:
        await person.approves(card)
    await fails(world, card, reason)
    assert len(world.slack.messages("incidents")) == 1
    await card.thread_reads(*(f"{person.name.capitalize()} approved" for person in people), "No pull request could be")


async def test_changed_content_may_be_approved_again(world: World) -> None:
    """The same review takes a patch that fits, needs new votes, and opens its pull request; the old job stays held."""
    apv = sample(HIGH)
    card = await world.submit(apv, patch_diff=OUTDATED)
    await world.alice.approves(card)
    await fails(world, card, "")
    await world.submit(apv)
    await card.shows("version 2", "Awaiting a decision", "0 of 1 approval")
    assert "failed" not in card.words.casefold()
    await world.alice.approves(card)
    pull = await world.pull(card)
    await card.shows(f"#{pull.number}")
    assert len(world.github.pulls()) == 1
    assert [d["action_taken"] for d in await world.decisions(card)] == ["recorded", "pr_opened"]
    await card.thread_reads(
        "Alice approved", "No pull request could be opened", "is now version 2", "Alice approved", "Pull request #1"
    )


async def test_an_escalation_that_was_closed_does_not_come_back(world: World) -> None:
    """Escalated, approved by the lead, failed, changed: the review is pending again, and any reviewer approves it."""
    apv = sample(HIGH)
    card = await world.submit(apv, patch_diff=OUTDATED)
    await world.alice.escalates(card, WHY)
    await world.hears(WHY)
    await world.carol.approves(card)
    await fails(world, card, "")
    await world.submit(apv)
    await card.shows("version 2", "Awaiting a decision", "0 of 1 approval")
    assert "lead" not in card.words
    assert (await world.review(card))["status"] == "pending"
    await world.bob.approves(card)
    await world.pull(card)
    await card.thread_reads(
        WHY, "Carol approved", "No pull request", "is now version 2", "Bob approved", "Pull request #1"
    )


async def test_a_held_job_that_is_retried_opens_the_pull_request(world: World) -> None:
    """Once the missing branch exists, `jobs retry` opens the pull request."""
    card = await world.submit(sample(HIGH), base_ref="release-1")
    await world.alice.approves(card)
    await fails(world, card, "has no branch release-1")
    world.github.repository().git.run("branch", "release-1", "main")
    async with world.database.transaction() as tx:
        await jobs.requeue(tx, [job.id for job in await jobs.unfinished(tx)])
    async with world.another_bot("worker"):  # which looks at the queue at once
        pull = await world.pull(card)
        await world.settle()
    assert pull.base_ref == "release-1"
    await card.shows(f"#{pull.number}", "Pull request open")
    assert "failed" not in card.words
    assert [d["action_taken"] for d in await world.decisions(card)] == ["pr_opened"]
    await card.thread_reads("Alice approved", "No pull request could be opened", "Pull request #1")


async def test_without_github_an_approval_is_recorded(without_github: World) -> None:
    """The review stays approved, and the card says why there is no pull request; no job and no alert follow."""
    card = await without_github.submit(sample(HIGH))
    await without_github.alice.approves(card)
    await card.shows("Approved", "GitHub is not set up here, so there is no pull request to open.")
    await without_github.settle()
    assert (await without_github.review(card))["status"] == "approved"
    assert [d["action_taken"] for d in await without_github.decisions(card)] == ["recorded"]
    assert without_github.slack.messages("incidents") == []
    assert await without_github.rows("SELECT * FROM pgqueuer") == []
    await card.thread_reads("no pull request to open")


async def test_without_github_any_repository_may_be_named(without_github: World) -> None:
    """Nothing is pushed anywhere, so nothing needs to be allowed."""
    card = await without_github.submit(sample(HIGH), repository="somebody/else")
    assert "somebody/else" in card.words


async def refusal(world: World, **changes: object) -> tuple[int, object]:
    headers = {"Authorization": f"Bearer {API_TOKEN}"}
    apv = {**sample(HIGH), **changes}
    async with world.http.post(f"{world.url}/hitl/reviews", json=apv, headers=headers) as answer:
        return answer.status, await answer.json()


async def test_a_repository_that_is_not_allowed_is_refused(world: World) -> None:
    """422 names the field; nothing is stored and nothing is said in Slack."""
    status, body = await refusal(world, repository="somebody/else")
    assert status == 422
    assert body == {
        "detail": [
            {
                "type": "repository_not_allowed",
                "loc": ["body", "repository"],
                "msg": "is not an allowed repository",
            }
        ]
    }
    assert await world.rows("SELECT * FROM apv_reviews") == []
    await world.settle()
    assert world.slack.messages("vuln-review") == []


async def test_an_allowed_repository_gets_the_pull_request(database_url: str, tmp_path: Path) -> None:
    """An APV may name any repository of the list, in any case; one that names none is for the default one."""
    async with harness.world(database_url, tmp_path, github_repo_allowlist=(f"{OWNER}/other",)) as world:
        settings = world.github.file_at("main", "bookstall/settings.py")
        world.github.create_repository(OWNER, "other", {"bookstall/settings.py": settings})
        card = await world.submit(sample(HIGH), repository=f"{OWNER.upper()}/Other")
        await world.alice.approves(card)
        await world.until(lambda: bool(world.github.pulls(f"{OWNER}/other")), lambda: "no pull request")
        assert world.github.pulls() == []
        await card.thread_reads("Alice approved", "Pull request #1")
        default = await world.submit(sample("requests-cve-2023-32681"))
        assert f"{OWNER}/shop" in default.words
