"""One table of people who may not approve, on every path: the button, the modal, the API."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests import harness
from tests.harness import HIGH, Card, Someone, World, api_token, sample, slack_id, token_text

WHY = "This is long enough to be a reason."
MACHINE = "renovate[bot]"
REFUSED = {
    "own_report": "You reported",
    "own_machine": "is your account",
    "already_voted": "is already recorded: 1 of 2 approvals",
    "not_a_lead": "only a lead can close it now",
}
"""The reason in the audit log, and what they are told, in the same words on each path."""
PATHS = ("button", "form", "API")


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """Two approvals are needed, each with its reason; Dan owns a machine account and the token `owner`."""
    file = tmp_path / "policy.toml"
    file.write_text(
        "[severity.high]\napprovals = 2\njustification = true\n"
        f'[[machine]]\naccount = "{MACHINE}"\nowners = ["{slack_id("dan")}"]\n'
    )
    tokens = (
        api_token("scanner", "read+submit+decide"),
        api_token("owner", "decide", slack_id("dan")),
        api_token("reader", "read+submit"),
    )
    async with harness.world(database_url, tmp_path, policy_file=file, api_tokens=tokens) as made:
        yield made


async def posts(world: World, card: Card, token: str | None, **changes: object) -> tuple[int, Any]:
    """Approve over the API, with this token or with none; `changes` are to the body."""
    digest = (await world.review(card))["digest"]
    asked = {"apv_id": card.code, "decision": "approve", "justification": WHY, "reviewer_name": "Somebody"} | changes
    asked["digest"] = digest
    # An empty header stands in place of the one that the client sends by itself.
    headers = {"Authorization": f"Bearer {token_text(token)}" if token else ""}
    async with world.http.post(f"{world.url}/hitl/decisions", json=asked, headers=headers) as answer:
        return answer.status, (await answer.json()).get("detail")


async def is_refused(world: World, path: str, card: Card, sentence: str) -> None:
    """Dan tries to approve, on the API with his token, and is told why not."""
    match path:
        case "button":
            assert (await world.dan.clicks("Approve", card)).status == 200
            await world.dan.is_told(sentence)
            assert world.dan.views == []
        case "form":
            view = await world.carol.opens("Approve", card)
            assert (await world.dan.fills(world.dan.takes_over(view), justification=WHY)).status == 200
            assert sentence in "".join(view.errors.values())
        case _:
            status, detail = await posts(world, card, "owner", reviewer_email=world.slack.user("carol").email)
            assert (status, sentence in detail) == (403, True), detail


async def prepared(world: World, reason: str, path: str) -> Card:
    """A separate review that Dan may not approve for this reason; he reported it himself, or with his token."""
    reporter = {"own_report": "owner" if path == "API" else world.dan.id, "own_machine": MACHINE}.get(reason, "scan")
    card = await world.submit(sample(HIGH), package_name=f"{reason}-{path}".lower(), reporter=reporter)
    if reason == "already_voted" and path == "form":
        assert (await posts(world, card, "owner"))[0] == 200
    elif reason == "already_voted":
        await world.dan.fills(await world.dan.opens("Approve", card), justification=WHY)
    elif reason == "not_a_lead":
        await world.bob.escalates(card, WHY)
        await world.hears(card.code)
    await world.settle()
    return card


async def state(world: World, card: Card) -> tuple[object, ...]:
    """Everything that a refusal must not change: the card, its thread, the decisions, the review."""
    await world.settle()
    shown = {name: value for name, value in (await world.review(card)).items() if name != "waiting_since"}
    return card.message.updates, card.thread, await world.decisions(card), shown


@pytest.mark.parametrize("path", PATHS)
async def test_a_rule_refuses_alike_on_each_path(world: World, path: str) -> None:
    """The same sentence and the same reason, which is all that is recorded; the card stays as it is."""
    for reason, sentence in REFUSED.items():
        card = await prepared(world, reason, path)
        before, audit = await state(world, card), await world.audit(card)
        await is_refused(world, path, card, sentence)
        assert await state(world, card) == before, reason
        assert await world.audit(card) == [*audit, "decision.refused"]
        (refusal,) = await world.rows(
            "SELECT actor, detail ->> 'reason' AS reason, detail ->> 'asked' AS asked FROM audit_log"
            " WHERE apv_code = :code AND kind = 'decision.refused'",
            code=card.code,
        )
        assert refusal == {"actor": world.dan.id, "reason": reason, "asked": "approve"}


async def test_a_name_without_a_token_is_refused(world: World) -> None:
    """Without a token, or its scope, nothing is judged at all, whoever is named: a lead, a bot, a guest, a stranger."""
    card = await world.submit(sample(HIGH))
    before, audit = await state(world, card), await world.audit(card)
    for name in ("carol", "olga", "gus", "dora", "robo", "stan"):
        named = {"reviewer_email": world.slack.user(name).email, "reviewer_name": Someone(world, name).id}
        assert (await posts(world, card, None, **named))[0] == 401
        assert (await posts(world, card, "unknown", **named))[0] == 401
        assert (await posts(world, card, "reader", **named))[0] == 403
    assert await state(world, card) == before
    assert await world.audit(card) == audit


async def test_a_token_is_its_owner_under_any_name(world: World) -> None:
    """It needs Slack's word as a click does; its second approval is refused under any name."""
    card = await world.submit(sample(HIGH))
    for method in ("users.info", "usergroups.users.list"):
        world.slack.fail(method, "http503", times=None)
    assert (await world.dan.clicks("Approve", card)).status == 503
    await world.dan.is_told("Slack could not say who may decide")
    assert (await posts(world, card, "owner"))[0] == 503
    world.slack.clear_faults()
    assert (await posts(world, card, "owner"))[0] == 200
    await card.shows("1 of 2 approvals")
    await card.thread_reads("Dan approved")
    before = await state(world, card)
    for name in ("alice", "carol", "olga", "gus", "dora", "robo", "stan"):
        named = {"reviewer_email": world.slack.user(name).email, "reviewer_name": Someone(world, name).id}
        status, detail = await posts(world, card, "owner", **named)
        assert (status, REFUSED["already_voted"] in detail) == (403, True), detail
    assert await state(world, card) == before
    assert [made["reviewer_name"] for made in await world.decisions(card)] == ["Dan"]


async def test_a_claimed_name_only_restricts(database_url: str, tmp_path: Path) -> None:
    """Where the API asks for no token, a name still cannot approve its own, its machine's, twice, or as a lead."""
    file = tmp_path / "policy.toml"
    file.write_text(
        '[people]\nleads = ["carol@example.org"]\n[severity.high]\napprovals = 2\n'
        f'[[machine]]\naccount = "{MACHINE}"\nowners = ["ana@example.org"]\n'
    )
    ana, carol = {"reviewer_email": "ANA@example.org"}, {"reviewer_email": "carol@example.org"}
    async with harness.world(database_url, tmp_path, policy_file=file, api_tokens=(), api_auth="none") as world:
        for reason, sentence in REFUSED.items():
            reporter = {"own_report": "ana@example.org", "own_machine": MACHINE}.get(reason, "scan")
            card = await world.submit(sample(HIGH), package_name=reason, reporter=reporter)
            if reason == "already_voted":
                assert (await posts(world, card, None, reviewer_email="ana@Example.org"))[0] == 200
            elif reason == "not_a_lead":
                assert (await posts(world, card, None, decision="escalate", **ana))[0] == 200
                await world.hears(card.code)
            before, audit = await state(world, card), await world.audit(card)
            status, detail = await posts(world, card, None, **(carol if reason == "not_a_lead" else ana))
            assert (status, sentence in detail) == (403, True), detail
            assert await state(world, card) == before
            assert await world.audit(card) == [*audit, "decision.refused"]
