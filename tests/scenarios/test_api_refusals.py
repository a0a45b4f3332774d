"""Decisions over the API beside those in Slack: who is refused, and what everybody sees."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests import harness
from tests.harness import HIGH, Card, World, api_token, sample, slack_id, token_text
from tests.scenarios.test_refusals import refusals

WHY = "The pin is exact and the tests pass."
MACHINE = "renovate[bot]"
DECIDERS = {"pipeline": "bob", "owner": "dan", "second": "carol"}
"""Whose the tokens are; `lead` is nobody's."""


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """Two approvals are needed; Dan, to whom one token belongs, owns a machine account; a machine's token is a lead."""
    file = tmp_path / "policy.toml"
    file.write_text(
        "[severity.high]\napprovals = 2\n"
        '[people]\nleads = ["token:lead"]\n'
        f'[[machine]]\naccount = "{MACHINE}"\nowners = ["{slack_id("dan")}"]\n'
    )
    tokens = (
        api_token("scanner", "read+submit"),
        api_token("reader", "read+submit"),
        api_token("lead", "read+decide"),
        *(api_token(name, "read+submit+decide", slack_id(person)) for name, person in DECIDERS.items()),
    )
    async with harness.world(database_url, tmp_path, policy_file=file, api_tokens=tokens) as made:
        yield made


async def decides(world: World, name: str, card: Card, decision: str = "approve", **more: object) -> tuple[int, str]:
    """POST a decision with this token: the status and the `detail`."""
    digest = (await world.review(card))["digest"]
    asked = {"apv_id": card.code, "decision": decision, "justification": WHY, "reviewer_name": "Ana", "digest": digest}
    headers = {"Authorization": f"Bearer {token_text(name)}"}
    async with world.http.post(f"{world.url}/hitl/decisions", json=asked | more, headers=headers) as answer:
        said: Mapping[str, Any] = await answer.json()
        return answer.status, str(said.get("detail", ""))


async def test_refusals_over_the_api(world: World) -> None:
    """An unknown token, one without the scope, the reporter, a machine's owner, a repeated voter and a non-lead."""
    reported = await world.submit(sample(HIGH), reporter="pipeline")
    proposed = await world.submit(sample("requests-cve-2023-32681"), severity="high", reporter=MACHINE)
    assert await decides(world, "nobody", reported) == (401, "A valid token is required")
    assert await decides(world, "reader", reported) == (403, "The token lacks the scope decide")
    for name, card, sentence in (("pipeline", reported, "You reported"), ("owner", proposed, "is your account")):
        status, detail = await decides(world, name, card)
        assert (status, sentence in detail) == (403, True)
        await world.settle()
        assert card.message.updates == 0
        assert card.thread == []
    assert (await decides(world, "second", reported))[0] == 200
    status, detail = await decides(world, "second", reported, justification="Once more, with another reason.")
    assert (status, "already recorded: 1 of 2 approvals" in detail) == (403, True)
    await world.alice.escalates(reported, WHY)
    await world.hears("Escalated")
    status, detail = await decides(world, "owner", reported)
    assert (status, "only a lead can close it now" in detail) == (403, True)
    assert [(r["actor"], r["reason"]) for r in await refusals(world, reported)] == [
        (world.bob.id, "own_report"),
        (world.carol.id, "already_voted"),
        (world.dan.id, "not_a_lead"),
    ]
    assert [(r["actor"], r["reason"]) for r in await refusals(world, proposed)] == [(world.dan.id, "own_machine")]
    assert [d["reviewer_name"] for d in await world.decisions(reported)] == ["Carol", "Alice"]
    assert await world.decisions(proposed) == []
    await reported.thread_reads("Carol approved", "Alice escalated")


async def test_everybody_sees_what_was_decided_there(world: World) -> None:
    """As after a click, the card and its thread show the decision, and the pull request opens."""
    card = await world.submit(sample(HIGH))
    assert await decides(world, "second", card, reviewer_name="Somebody Else") == (200, "")
    await card.shows("1 of 2 approvals", f"<@{world.carol.id}>")
    await world.alice.approves(card)
    pull = await world.pull(card)
    await card.shows(f"#{pull.number}")
    status, detail = await decides(world, "owner", card, "reject")
    assert (status, "already approved" in detail) == (409, True)
    await card.thread_reads("Carol approved", "Alice approved", "is open")


async def test_a_lead_may_be_a_token(world: World) -> None:
    """A token that the policy names as a lead closes an escalated review."""
    card = await world.submit(sample(HIGH))
    await world.alice.escalates(card, WHY)
    await world.hears("Escalated")
    assert await decides(world, "lead", card, "reject") == (200, "")
    await card.shows("Rejected")
    await card.thread_reads("Alice escalated", "lead rejected")
