"""People who may not approve by the policy are refused by the button, the modal, and another person's modal."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.sandbox.slack import SlackSandbox
from tests import harness
from tests.harness import HIGH, Card, Someone, World, sample

WHY = "This is long enough to be a reason."
MACHINE = "renovate[bot]"


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """Two approvals are needed, each with its reason; Dan owns a machine account."""
    dan = SlackSandbox(bot_token=harness.BOT_TOKEN, signing_secret="any").user("dan").id
    file = tmp_path / "policy.toml"
    file.write_text(
        "[severity.high]\napprovals = 2\njustification = true\n"
        f'[[machine]]\naccount = "{MACHINE}"\nowners = ["{dan}"]\n'
    )
    async with harness.world(database_url, tmp_path, policy_file=file) as made:
        yield made


async def reasons(world: World, card: Card) -> list[str]:
    kind = "SELECT detail ->> 'reason' AS reason FROM audit_log WHERE apv_code = :code AND kind = 'decision.refused'"
    return [row["reason"] for row in await world.rows(f"{kind} ORDER BY seq", code=card.code)]


async def refused_on_each_path(world: World, card: Card, name: str, opener: Someone, sentence: str) -> None:
    """The button opens no modal for them, and a modal that somebody else opened refuses them."""
    someone = Someone(world, name)
    assert (await someone.clicks("Approve", card)).ok
    await someone.is_told(sentence)
    assert someone.views == []
    view = await opener.opens("Approve", card)
    await someone.fills(someone.takes_over(view), justification=WHY)
    assert sentence in "".join(view.errors.values())


async def test_reporter_owner_and_who_has_voted_are_refused(world: World) -> None:
    """Each is told why, only the refusal is recorded, and others may still decide."""
    card = await world.submit(sample(HIGH), reporter=world.bob.id)
    await refused_on_each_path(world, card, "bob", world.alice, "You reported")
    await world.alice.fills(await world.alice.opens("Approve", card), justification=WHY)
    await card.shows("1 of 2 approvals")
    await refused_on_each_path(world, card, "alice", world.carol, "already recorded: 1 of 2 approvals")
    assert await reasons(world, card) == ["own_report"] * 2 + ["already_voted"] * 2
    assert len(await world.decisions(card)) == 1
    await card.thread_reads("Alice approved")
    proposed = await world.submit(sample("requests-cve-2023-32681"), severity="high", reporter=MACHINE)
    await refused_on_each_path(world, proposed, "dan", world.alice, "is your account")
    assert await reasons(world, proposed) == ["own_machine"] * 2


async def test_non_leads_are_refused_while_escalated(world: World) -> None:
    """Approve and Reject, by the button and by a form that was open before."""
    card = await world.submit(sample(HIGH))
    approval, rejection = await world.bob.opens("Approve", card), await world.alice.opens("Reject", card)
    await world.dan.escalates(card, WHY)
    await world.hears("Escalated")
    await card.shows("Only leads vote now")
    only_a_lead = "only a lead can close it now"
    await world.bob.fills(approval, justification=WHY)
    await world.alice.fills(rejection, reason="Other", justification=WHY)
    for view in (approval, rejection):
        assert only_a_lead in "".join(view.errors.values())
    for button in ("Approve", "Reject"):
        await world.bob.clicks(button, card)
        await world.bob.is_told(only_a_lead)
    assert await reasons(world, card) == ["not_a_lead"] * 4
    await card.thread_reads("Dan escalated")
