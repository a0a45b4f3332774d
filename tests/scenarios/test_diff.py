"""View diff: the whole patch in a modal, for everybody who sees the card."""

from tests.harness import MANUAL, World, sample


def long_diff(lines: int) -> str:
    head = f"--- a/new.txt\n+++ b/new.txt\n@@ -0,0 +1,{lines} @@\n"
    return head + "".join(f"+line {number} of a patch that goes on and on and on and on\n" for number in range(lines))


async def test_the_diff_is_shown_whole(world: World) -> None:
    """Everybody in the channel sees every line, the touched files and the digest."""
    card = await world.submit()
    view = await world.olga.opens("View diff", card)
    digest = (await world.review(card))["digest"]
    assert view.title == f"Diff of {card.code}"
    for line in sample("requests-cve-2023-32681")["patch_diff"].splitlines():
        assert line in view.words
    assert "requirements.txt · +1 -1" in view.words
    assert f"digest {digest[:8]}" in view.words
    assert "submit" not in view.content


async def test_a_diff_too_long_for_slack_says_how_much_is_left_out(world: World) -> None:
    """The modal and the card say how many lines are missing; the API has all of them."""
    card = await world.submit(patch_diff=long_diff(5000))
    view = await world.alice.opens("View diff", card)
    assert "line 0 of a patch" in view.words
    shown = view.words.count(" of a patch that goes on")
    assert 1000 < shown < 5000
    assert f"{5000 - shown:,} lines not shown. The API has the whole diff" in view.words
    assert "more lines under View diff" in card.words
    assert (await world.review(card))["patch_diff"] == long_diff(5000)


async def test_the_diff_of_a_decided_review_can_still_be_read(world: World) -> None:
    """The button stays on a closed card."""
    card = await world.submit()
    await world.alice.rejects(card, "Not vulnerable here.")
    await card.shows("Rejected")
    assert "requests==2.31.0" in (await world.bob.opens("View diff", card)).words
    await card.thread_reads("Not vulnerable here.")


async def test_what_has_no_patch_has_no_diff(world: World) -> None:
    """A review without a patch has no such button."""
    card = await world.submit(sample(MANUAL))
    assert card.buttons == ["Approve", "Reject", "Escalate", "Details", "Claim"]


async def test_a_modal_that_slack_does_not_open_is_reported(world: World) -> None:
    """The person is asked to click again, and the next click works."""
    card = await world.submit()
    for kind in ("http503", "expired_trigger_id", "drop_before"):
        for button in ("View diff", "Reject"):
            world.slack.fail("views.open", kind)
            assert (await world.alice.clicks(button, card)).ok
            await world.alice.is_told("Slack did not open the dialog, so nothing was recorded. Please click again.")
            assert world.alice.views == []
    await world.alice.opens("View diff", card)
