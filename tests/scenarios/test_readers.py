"""Who may read reviews and diffs in Slack: full members of the workspace, or those whom the policy names."""

from pathlib import Path

import pytest

from tests import harness
from tests.harness import HIGH, Card, Someone, World, sample

KEPT_OUT = {
    "gus": "Guest accounts cannot read reviews.",
    "dora": "This account is deactivated, so it cannot read reviews.",
    "robo": "Bots cannot read reviews.",
    "stan": "Only members of this workspace can read reviews",
}


async def reads_nothing(who: Someone, card: Card, sentence: str) -> None:
    """Neither diff nor details nor lists nor the Home tab show anything of a review."""
    for button in ("View diff", "Details"):
        await who.clicks(button, card)
        await who.is_told(sentence)
    for command in ("queue", f"show {card.code}", "mine", "stats"):
        assert (await who.types(command)).startswith(sentence)
    assert (await who.world.slack.open_home(who.name)).ok
    home = who.world.slack.home(who.name)
    assert home is not None
    assert home.words.strip().startswith(sentence)
    assert who.views == []


@pytest.mark.parametrize(("name", "sentence"), KEPT_OUT.items(), ids=list(KEPT_OUT))
async def test_who_is_no_full_member_reads_nothing(world: World, name: str, sentence: str) -> None:
    """Even where they are in the channel and see the card; the help is for everybody."""
    card = await world.submit(sample(HIGH))
    outsider = Someone(world, name)
    await reads_nothing(outsider, card, sentence)
    assert "/apv queue" in await outsider.types("help")
    assert await world.audit(card) == ["review.submitted"]


async def test_a_full_member_reads_though_they_may_not_decide(world: World) -> None:
    """Built in, everybody in the workspace may read."""
    card = await world.submit(sample(HIGH))
    assert card.code in await world.olga.types(f"show {card.code}")
    assert "Diff of" in (await world.olga.opens("View diff", card)).words
    assert card.code in (await world.olga.opens("Details", card)).words


async def test_the_policy_names_the_readers(database_url: str, tmp_path: Path) -> None:
    """Those who may decide may read too; nobody else does, full member or not."""
    file = tmp_path / "policy.toml"
    file.write_text('[people]\nreaders = ["U0NOBODY"]\n', "utf-8")
    async with harness.world(database_url, tmp_path, policy_file=file) as world:
        card = await world.submit(sample(HIGH))
        assert card.code in await world.alice.types(f"show {card.code}")
        await reads_nothing(world.olga, card, "You are not on the list of readers")
