"""Snoozing: with a reason, never past the deadline, and it ends automatically."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests import harness
from tests.harness import HIGH, World, sample


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """A bot whose policy reminds every hour; a high review is due after a day."""
    file = tmp_path / "policy.toml"
    file.write_text("[severity.high]\nreminders = { after = 60, backoff = 1.0, at_most = 20 }\n", "utf-8")
    async with harness.world(database_url, tmp_path, policy_file=file) as made:
        yield made


async def test_a_snoozed_review_is_silent_and_last(world: World) -> None:
    """It is on the card and last in the queue, pauses reminders, and its end is announced."""
    card, other = await world.submit(sample(HIGH)), await world.submit(sample("requests-cve-2023-32681"))
    told = await world.alice.types(f"snooze {card.code} 3h waiting for the vendor")
    assert told == f"You have snoozed {card.code} for 3 h."
    await card.shows("Snoozed until", "waiting for the vendor")
    queued = await world.bob.types("queue")
    assert queued.index(other.code) < queued.index(card.code)
    await world.passes(hours=3, minutes=1)
    await card.told_in_thread("is over")
    await world.passes(hours=1)
    await card.told_in_thread("has waited 4 hours")
    assert "Snoozed" not in card.words
    await card.thread_reads("Alice snoozed", f"The snooze of {card.code} is over.", "has waited 4 hours")
    audit = await world.audit(card)
    assert audit == ["review.submitted", "review.snoozed", "review.woken", "deadline.reminder"]


async def test_a_snooze_has_an_end_and_a_reason(world: World) -> None:
    """In hours, before the deadline, by people who may decide; it can be ended early."""
    card = await world.submit(sample(HIGH))
    assert "a snooze ends before the deadline" in await world.alice.types(f"snooze {card.code} 24h later")
    assert "Say why" in await world.alice.types(f"snooze {card.code} 4h")
    assert "For how long" in await world.alice.types(f"snooze {card.code} later")
    assert "not on the list" in await world.olga.types(f"snooze {card.code} 4h later")
    assert await world.alice.types(f"wake {card.code}") == f"{card.code} is not snoozed."
    await world.alice.types(f"snooze {card.code} 4h later")
    assert await world.bob.types(f"wake {card.code}") == f"You have woken {card.code}."
    await world.settle()
    assert "Snoozed" not in card.words
    await card.thread_reads("Alice snoozed", f"Bob woke {card.code}.")


async def test_what_slack_escapes_in_a_command_is_stored_as_it_was_typed(world: World) -> None:
    """Slack sends `&`, `<` and `>` of a command as entities."""
    card = await world.submit(sample(HIGH))
    await world.alice.types(f"snooze {card.code} 4h the fix &lt;3.0 &amp; the docs")
    (row,) = await world.rows("SELECT snooze_reason FROM apv_reviews")
    assert row["snooze_reason"] == "the fix <3.0 & the docs"
    await card.told_in_thread("snoozed")
