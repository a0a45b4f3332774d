"""API tokens of people: who they are, what they may, and until when, beside the same people's clicks."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests import harness
from tests.harness import CRITICAL, HIGH, Card, World, api_token, sample, slack_id, token_text

WHY = "The pin is exact and the tests pass."
REFUSED = {
    "olga": ("not_a_reviewer", "You are not on the list of reviewers"),
    "gus": ("guest", "Guest accounts cannot decide"),
    "robo": ("bot", "Bots cannot decide"),
    "stan": ("other_workspace", "Only members of this workspace"),
    "dora": ("deactivated", "This account is deactivated"),
}
LAST_DAY = datetime.now(UTC).date() + timedelta(days=1)


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """A critical review needs two people; Alice has two tokens, Bob's is by his address, Carol's ends in two days."""
    tokens = (
        api_token("scanner", "read+submit"),
        api_token("alice", "decide", slack_id("alice")),
        api_token("alice-ci", "submit+decide", "Alice@Example.com"),
        api_token("bob", "decide", "bob@example.com"),
        api_token("carol", "read+decide", slack_id("carol"), until=f"{LAST_DAY + timedelta(days=1)}"),
        api_token("nobody", "decide", "nobody@example.com"),
        *(api_token(name, "decide", slack_id(name)) for name in REFUSED),
    )
    async with harness.world(database_url, tmp_path, api_tokens=tokens) as made:
        yield made


async def decides(world: World, name: str, card: Card, choice: str = "approve", **headers: str) -> tuple[int, Any]:
    """Decide with this token on what is in force."""
    digest = (await world.review(card))["digest"]
    asked = {"apv_id": card.code, "decision": choice, "justification": WHY, "reviewer_name": "Anybody"}
    headers = {"Authorization": f"Bearer {token_text(name)}", **headers}
    async with world.http.post(f"{world.url}/hitl/decisions", json=asked | {"digest": digest}, headers=headers) as got:
        return got.status, await got.json()


async def asks(world: World, name: str) -> int:
    """The status of a request with this token."""
    headers = {"Authorization": f"Bearer {token_text(name)}"}
    async with world.http.get(f"{world.url}/hitl/reviews", headers=headers) as answer:
        listed = answer.status
    async with world.http.get(f"{world.url}/hitl/ws", headers=headers) as answer:
        # 400: admitted, but it is no handshake.
        assert (answer.status, listed) in {(400, 200), (401, 401)}
    return listed


async def test_a_person_counts_once_however_they_vote(world: World) -> None:
    """By click, by a token that names their id, and by one that names their address, in either order."""
    clicked = await world.submit(sample(CRITICAL))
    await world.hears(clicked.code)
    await world.alice.approves(clicked)
    called = await world.submit(sample(CRITICAL), package_name="other")
    await world.hears(called.code)
    assert (await decides(world, "alice-ci", called))[0] == 200
    for card in (clicked, called):
        for token in ("alice", "alice-ci"):
            if (card, token) != (called, "alice-ci"):
                status, body = await decides(world, token, card)
                assert (status, "1 of 2 approvals" in body["detail"]) == (403, True)
    await world.alice.approves(called)
    await world.alice.is_told("1 of 2 approvals")
    told = await world.rows("SELECT DISTINCT actor FROM audit_log WHERE kind = 'decision.refused'")
    assert [one["actor"] for one in told] == [world.alice.id]
    for card, token in ((clicked, "bob"), (called, "carol")):
        status, record = await decides(world, token, card)
        assert status == 200
        await world.pull(card)
        assert [made["reviewer_key"] for made in await world.decisions(card)] == [
            world.alice.id, slack_id(token),
        ]  # fmt: skip
    assert (record["reviewer_name"], record["reviewer_email"]) == ("Carol", "carol@example.com")
    for card in (clicked, called):
        await card.thread_reads("Alice approved", f"{'Bob' if card is clicked else 'Carol'} approved", "is open")


@pytest.mark.parametrize("name", REFUSED)
async def test_a_token_of_somebody_who_may_not_decide(world: World, name: str) -> None:
    """403 with the sentence of their click, and the refusal is recorded as theirs."""
    card = await world.submit(sample(HIGH))
    reason, sentence = REFUSED[name]
    for choice in ("approve", "reject", "escalate"):
        status, body = await decides(world, name, card, choice)
        assert (status, sentence in body["detail"]) == (403, True)
    told = await world.rows("SELECT actor, detail FROM audit_log WHERE kind = 'decision.refused'")
    assert {(one["actor"], one["detail"]["reason"], one["detail"]["token"]) for one in told} == {
        (slack_id(name), reason, name)
    }
    assert await world.decisions(card) == []


async def test_an_address_that_slack_does_not_know_decides_nothing(world: World) -> None:
    """Nor does that of a deactivated account; 403 as for a click."""
    card = await world.submit(sample(HIGH))
    status, body = await decides(world, "nobody", card)
    assert (status, "Slack does not know this account" in body["detail"]) == (403, True)
    await world.bob.becomes(deleted=True)
    status, body = await decides(world, "bob", card)
    assert (status, "Slack does not know this account" in body["detail"]) == (403, True)


async def test_a_person_who_left_decides_nothing_by_token(world: World) -> None:
    """Slack says so, and the token is asked after like a click: at once."""
    card = await world.submit(sample(CRITICAL))
    await world.hears(card.code)
    for token in ("alice", "alice-ci"):
        await decides(world, token, card)
    await card.thread_reads("Alice approved")
    await world.regroup("reviewers", "bob", "carol")
    other = await world.submit(sample(HIGH))
    for token in ("alice", "alice-ci"):
        status, body = await decides(world, token, other)
        assert (status, "not on the list of reviewers" in body["detail"]) == (403, True)


async def test_nobody_approves_what_a_token_of_theirs_submitted(world: World) -> None:
    """Neither by click nor by another token; others may."""
    apv = {name: value for name, value in sample(HIGH).items() if name != "reporter"}
    headers = {"Authorization": f"Bearer {token_text('alice-ci')}"}
    async with world.http.post(f"{world.url}/hitl/reviews", json=apv, headers=headers) as answer:
        card = await world.card((await answer.json())["apv_code"])
    await world.alice.approves(card)
    await world.alice.is_told("You reported")
    assert (await decides(world, "alice", card))[0] == 403
    assert (await decides(world, "bob", card))[0] == 200
    await world.pull(card)
    await card.thread_reads("Bob approved", "is open")


async def test_a_token_ends_with_its_date(world: World) -> None:
    """From that day on, in UTC, it is unknown: 401 for everything, the live feed included."""
    assert await asks(world, "carol") == 200
    left = datetime(LAST_DAY.year, LAST_DAY.month, LAST_DAY.day, tzinfo=UTC) - world.clock()
    world.clock.advance(seconds=left.total_seconds() + 3600)
    assert await asks(world, "carol") == 200
    world.clock.advance(days=1)
    assert await asks(world, "carol") == 401
    card = await world.submit(sample(HIGH))
    assert await decides(world, "carol", card) == (401, {"detail": "A valid token is required"})
    assert (await decides(world, "bob", card))[0] == 200
    await world.pull(card)
    await card.thread_reads("Bob approved", "is open")


async def test_while_slack_is_away_a_persons_token_decides_nothing(world: World) -> None:
    """503, nothing is recorded, and the key of the request is still free."""
    card = await world.submit(sample(HIGH))
    world.slack.fail("users.lookupByEmail", "http503", times=None)
    key = {"Idempotency-Key": "a"}
    status, body = await decides(world, "bob", card, **key)
    assert (status, body["detail"]) == (503, "Slack could not say who may decide; nothing was recorded")
    assert await world.decisions(card) == []
    world.slack.clear_faults()
    first = await decides(world, "bob", card, **key)
    assert first[0] == 200
    await world.pull(card)
    status, again = await decides(world, "bob", card, **key)
    assert (status, again["decision_id"]) == (200, first[1]["decision_id"])
    await card.thread_reads("Bob approved", "is open")
