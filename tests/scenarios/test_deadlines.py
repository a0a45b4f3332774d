"""Timed actions in Slack: reminders, escalation steps before the deadline, expiry after it, each once."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests import harness
from tests.harness import HIGH, World, sample

POLICY = """
[severity.high]
deadline = "bod-26-04"
reminders = { after = 60, backoff = 2.0, at_most = 2 }
expires = 1440

[[severity.high.escalation]]
before = 120
to = ["U0LEAD"]
"""


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """A bot whose policy uses the directive, reminders, escalation steps and expiry."""
    file = tmp_path / "policy.toml"
    file.write_text(POLICY, "utf-8")
    async with harness.world(database_url, tmp_path, policy_file=file) as made:
        yield made


async def test_the_card_says_which_row_applied(world: World) -> None:
    """The card shows the row's days and the assumed inputs."""
    reported = sample(HIGH) | {"kev": True, "exposed": False, "automatable": False, "technical_impact": "partial"}
    card = await world.submit(reported)
    await card.shows("BOD 26-04 row 2, 14 days: in KEV, not exposed, not automatable, partial impact")


@pytest.mark.long
async def test_timed_actions_happen_once_over_all_workers(world: World) -> None:
    """Two reminders with back-off, one escalation step, the breach and expiry, each with two more workers."""
    card = await world.submit(sample(HIGH) | {"kev": True, "exposed": True})
    await world.passes(minutes=61)
    await card.told_in_thread("has waited 1 hour for a decision. Nobody has claimed it.")
    await world.passes(minutes=120)
    await card.told_in_thread("has waited 3 hours")
    await world.passes(days=3, minutes=-181 - 119)
    await world.hears("is still undecided")
    await card.told_in_thread("is still undecided; U0LEAD: please look at it.")
    assert any("<@U0LEAD>" in str(reply.blocks) for reply in world.slack.thread("vuln-review", card.message.ts))
    await world.passes(minutes=120)
    await world.hears("missed its deadline")
    await world.passes(days=1)
    await card.shows("Expired")
    await card.thread_reads(
        "1 hour", "3 hours", "still undecided", "missed its deadline", "expired: nobody decided in time"
    )
    assert "Approve" not in card.words
    assert (await world.review(card))["status"] == "expired"
    assert len(world.slack.messages("incidents")) == 2
