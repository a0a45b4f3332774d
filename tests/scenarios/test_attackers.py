"""One scenario for each attacker of docs/threat-model.md: each tries what it can against the running bot."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.cli import emergency
from tests import harness
from tests.harness import CRITICAL, HIGH, Card, Someone, World, api_token, sample, slack_id, token_text
from tests.scenarios.test_way_back import hooked

WHY = "The pin is exact and the tests pass."
TOKENS = (
    api_token("scanner", "read+submit+decide"),
    api_token("alice-ci", "submit+decide", slack_id("alice")),
    api_token("former", "read+submit+decide", slack_id("bob"), until="2020-01-01"),
)
CI = ".github/actions/setup/action.yml"
BUILD = f"diff --git a/{CI} b/{CI}\nnew file mode 100644\n--- /dev/null\n+++ b/{CI}\n@@ -0,0 +1 @@\n+runs: x\n"


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with harness.world(database_url, tmp_path, api_tokens=TOKENS) as made:
        yield made


@pytest.fixture
async def watched(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """The same, where GitHub tells the bot at once."""
    async with hooked(database_url, tmp_path) as made:
        yield made


async def call(world: World, token: str, path: str, body: Mapping[str, Any], **headers: str) -> tuple[int, Any]:
    """POST with this token; the status and the body of the answer."""
    headers = {"Authorization": f"Bearer {token_text(token)}", **headers}
    async with world.http.post(f"{world.url}/hitl/{path}", json=body, headers=headers) as answer:
        return answer.status, await answer.json()


async def approve(world: World, token: str, card: Card) -> tuple[int, Any]:
    """Approve what is in force with this token."""
    digest = (await world.review(card))["digest"] if token != "former" else "0" * 64
    body = {"apv_id": card.code, "decision": "approve", "justification": WHY, "reviewer_name": "A. Person"}
    return await call(world, token, "decisions", body | {"digest": digest})


async def nothing_reached_github(world: World) -> None:
    await world.settle()
    assert world.github.pulls() == []


async def test_a_hijacked_slack_account(world: World) -> None:
    """It votes once, alone it completes no quorum, and once it is deactivated or voided its vote counts no longer."""
    card = await world.submit(sample(CRITICAL))
    await world.hears(card.code)
    for _ in range(3):
        await world.alice.approves(card)
    assert "1 of 2 approvals" in (await world.alice.is_told("already recorded"))
    await world.alice.becomes(deleted=True)
    await world.bob.approves(card)
    await world.hears("Alice no longer counts")
    await card.shows("1 of 2 approvals")
    await nothing_reached_github(world)
    await emergency.void(world.settings, slack_id("bob"), "Bob's laptop was stolen")
    await world.hears("Bob no longer counts")
    await card.shows("0 of 2 approvals")
    await nothing_reached_github(world)
    assert card.thread
    world.tolerated |= {"already recorded"}


async def test_a_malicious_scanner(world: World) -> None:
    """What it hides is marked, what runs before a merge needs two people, and it cannot vote for its own finding."""
    hidden = BUILD.replace("runs: x", "runs: x\u202e # \u0455afe")
    card = await world.submit(
        sample("celery-cve-2021-23727"), patch_diff=hidden, severity="low", reporter="bob@example.com"
    )
    await card.shows(CI, "2 approvals", "[U+202E]", "⚠️")
    assert (await approve(world, "scanner", card))[0] == 403
    await world.alice.approves(card)
    await card.shows("1 of 2 approvals")
    await world.bob.approves(card)
    await world.bob.is_told("You reported")
    await nothing_reached_github(world)
    assert card.thread


async def test_a_reviewer_who_also_submits(world: World) -> None:
    """Their token is they: they approve nothing of it by click or token, in whoever's name they submit it."""
    report = {**sample(HIGH), "reporter": "Somebody Else <else@example.com>"}
    status, review = await call(world, "alice-ci", "reviews", report)
    assert status == 201
    card = await world.card(review["apv_code"])
    status, _ = await call(world, "scanner", "reviews", {**report, "cve_title": "Told again by a scanner"})
    assert status == 200
    await card.shows("version 2")
    await world.alice.approves(card)
    await world.alice.is_told("so somebody else must approve it")
    assert (await approve(world, "alice-ci", card))[0] == 403
    await nothing_reached_github(world)
    await world.bob.approves(card)
    await world.pull(card)
    await card.told_in_thread("Pull request #1")


async def test_a_leaked_token(world: World) -> None:
    """A machine's token approves nothing, one that has ended opens nothing, and votes of a leaked one are voided."""
    card = await world.submit(sample(CRITICAL))
    await world.hears(card.code)
    assert (await approve(world, "former", card))[0] == 401
    assert (await approve(world, "scanner", card))[0] == 403
    body = {"apv_id": card.code, "decision": "approve", "justification": WHY, "reviewer_name": "A. Person"}
    assert (await call(world, "alice-ci", "decisions", body))[0] == 428, "it must name what was shown"
    assert (await approve(world, "alice-ci", card))[0] == 200
    await emergency.pause(world.settings, "A token leaked")
    await world.hears("Pushes to GitHub are paused")
    await emergency.void(world.settings, "alice@example.com", "Her token leaked")
    await world.hears("Alice no longer counts")
    await card.shows("0 of 2 approvals")
    await emergency.resume(world.settings, "It is revoked")
    await world.hears("Pushes to GitHub are resumed")
    await nothing_reached_github(world)
    assert card.thread


SWAP = "UPDATE apv_reviews SET patch_content = replace(patch_content, '= False', '= None')"
FORGERY = "UPDATE apv_reviews SET status = 'approved', closed_at = now()"


async def test_a_database_administrator(world: World) -> None:
    """Swapped content is shown anew, a forged approval pushes nothing, and the record refuses changes."""
    card = await world.submit(sample(HIGH))
    await world.rows(f"{SWAP} RETURNING 1")
    await world.bob.approves(card)
    await world.bob.is_told("Another program changed the content")
    await world.hears("Another program changed the content")
    await card.shows("version 2", "0 of 1 approval")
    await world.rows(f"{FORGERY} RETURNING 1")
    payload = "convert_to(jsonb_build_object('review_id', id, 'digest', digest, 'version', version)::text, 'UTF8')"
    await world.rows(
        "INSERT INTO pgqueuer (priority, entrypoint, payload, status, updated, execute_after)"
        f" SELECT 30, 'github.pull', {payload}, 'queued', now(), now() FROM apv_reviews RETURNING 1"
    )
    await world.hears("Another program changed the content")
    await card.shows("version 3", "0 of 1 approval")
    for statement in ("DELETE FROM audit_log", "UPDATE apv_contents SET digest = ''", "DELETE FROM hitl_decisions"):
        with pytest.raises(Exception, match="append-only"):
            await world.rows(f"{statement} RETURNING 1")
    await nothing_reached_github(world)
    assert card.thread


async def test_a_program_that_may_insert(world: World) -> None:
    """Its row starts without the votes and the approval that it brings, and names no repository that is not allowed."""
    columns = "apv_code, severity, package_name, patch_content, status, votes, digest, repository, reporter"
    vote = '[{"person": "U1", "name": "X", "at": "2026-01-01T00:00:00+00:00", "lead_after_escalation": true}]'
    values = f"'APV-2026-7001', 'high', 'flask', 'x', 'approved', '{vote}', repeat('d', 64), 'evil/other', '@bob'"
    await world.rows(f"INSERT INTO apv_reviews ({columns}) VALUES ({values}) RETURNING 1")
    async with world.another_bot("worker"):
        card = await world.card("APV-2026-7001")
    await card.shows("0 of 2 approvals", "cannot be read")
    await world.bob.approves(card)
    await world.bob.is_told("You reported")
    for who in (world.alice, world.carol):
        await who.approves(card)
    await world.hears("The repository is not in")
    await nothing_reached_github(world)
    assert card.thread


async def test_somebody_who_imitates_slack(world: World) -> None:
    """Unsigned and replayed clicks change nothing, and a click from another workspace is nobody's."""
    card = await world.submit(sample(CRITICAL))
    await world.hears(card.code)
    sent = await world.alice.approves(card)
    for _ in range(2):
        await world.slack.sender.again(sent)
    await card.shows("1 of 2 approvals")
    async with world.http.post(f"{world.url}/slack/events", data={"payload": "{}"}) as answer:
        assert answer.status == 401
    await Someone(world, "stan").approves(card)
    await Someone(world, "stan").is_told("Only members of this workspace can decide")
    await card.thread_reads("Alice approved")
    assert len(await world.decisions(card)) == 1


async def test_an_insider_at_github(watched: World) -> None:
    """Commits after the approval are told, and the approval does not cover them."""
    world = watched
    card = await world.submit(sample(HIGH))
    await world.alice.approves(card)
    pull = await world.pull(card)
    await world.github.push_commit(pull.head_ref, {"README.md": b"not what anybody approved\n"}, by="mallory")
    await world.hears("New commits")
    await card.shows("New commits after approval")
    await card.told_in_thread("New commits")
    assert card.thread


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Host": "evil.example"},
        {"X-Forwarded-For": "203.0.113.9"},
        {"Forwarded": "for=203.0.113.9"},
        {"Via": "1.1 proxy"},
    ],
    ids=lambda headers: next(iter(headers)),
)
async def test_a_web_page_in_an_operators_browser(database_url: str, tmp_path: Path, headers: dict[str, str]) -> None:
    """Where the API asks for no token, no page and no proxy can use it, by its own name or by a rebound one."""
    async with harness.world(database_url, tmp_path, api_auth="none", api_tokens=()) as world:
        card = await world.submit(sample(HIGH))
        body = {"apv_id": card.code, "decision": "approve", "comments": "x", "reviewer_name": "Mallory"}
        async with (
            aiohttp.ClientSession() as browser,
            browser.post(f"{world.url}/hitl/decisions", json=body, headers=headers) as answer,
        ):
            assert answer.status == 403
        assert await world.decisions(card) == []


async def test_the_internet(world: World) -> None:
    """Without a token or a signature there is nothing but health, metrics and documents."""
    async with aiohttp.ClientSession() as anybody:
        for method, path, status in (
            ("GET", "/hitl/reviews", 401),
            ("POST", "/hitl/reviews", 401),
            ("POST", "/hitl/decisions", 401),
            ("GET", "/hitl/ws", 401),
            ("POST", "/slack/events", 401),
            ("POST", "/github/webhooks", 404),
            ("GET", "/", 404),
        ):
            async with anybody.request(method, f"{world.url}{path}") as answer:
                assert (path, answer.status) == (path, status)


async def test_a_guest_of_the_workspace(world: World) -> None:
    """They see the card in their channel; they read no diff, no list, and decide nothing."""
    card = await world.submit(sample(HIGH))
    gus = Someone(world, "gus")
    await gus.approves(card)
    await gus.is_told("Guest accounts cannot decide")
    await gus.clicks("View diff", card)
    await gus.is_told("Guest accounts cannot read reviews")
    assert "Guest accounts cannot read reviews" in await gus.types("queue")
    assert await world.decisions(card) == []
