"""View diff and Details: everything that one decides on, in modals, for everybody who sees the card."""

import pytest

from tests.harness import HIGH, MANUAL, World, sample


def long_diff(lines: int, text: str = "of a patch that goes on and on and on and on") -> str:
    head = f"--- a/new.txt\n+++ b/new.txt\n@@ -0,0 +1,{lines} @@\n"
    return head + "".join(f"+line {number} {text}\n" for number in range(lines))


async def test_the_diff_is_shown_whole(world: World) -> None:
    """Everybody in the channel sees every line, the touched files and the digest."""
    card = await world.submit()
    view = await world.olga.opens("View diff", card)
    digest = (await world.review(card))["digest"]
    assert view.title == f"Diff of {card.code}"
    for line in sample("requests-cve-2023-32681")["patch_diff"].splitlines():
        assert line in view.words
    assert "requirements.txt · +1 -1" in view.words
    assert f"digest `{digest[:16]}`" in view.words
    assert "page 1 of 1" in view.words
    assert "submit" not in view.content


async def test_a_long_diff_is_read_page_by_page(world: World) -> None:
    """Next and Previous turn the pages of one modal, in both directions; together they show every line once."""
    card = await world.submit(patch_diff=long_diff(5000))
    assert "more lines under View diff" in card.words
    view = await world.alice.opens("View diff", card)
    pages = [view.words]
    while "Next" in view.buttons:
        assert (await world.slack.click_in_view("alice", view.id, text="Next")).ok
        pages.append(view.words)
    assert f"page {len(pages)} of {len(pages)}" in pages[-1]
    shown = [line for page in pages for line in page.split("\n") if line.startswith("+line")]
    assert shown == [f"+line {n} of a patch that goes on and on and on and on" for n in range(5000)]
    assert (await world.slack.click_in_view("alice", view.id, text="Previous")).ok
    assert view.words.replace("Next", "") == pages[-2].replace("Next", "")
    assert world.alice.views == [view]


async def test_a_page_of_odd_characters_can_be_turned(world: World) -> None:
    """The click that turns a page brings the page with it, and quotes and emoji make it long."""
    card = await world.submit(patch_diff=long_diff(1000, '"{\U0001f480}\\\u202e"' * 30))
    view = await world.alice.opens("View diff", card)
    for number in (2, 3, 4):
        assert (await world.slack.click_in_view("alice", view.id, text="Next")).ok
        assert f"page {number} of" in view.words


async def test_a_page_of_changed_content_says_so(world: World) -> None:
    """The next page is never one of another version unannounced, whether it is turned to or opened from an old card."""
    card = await world.submit(patch_diff=long_diff(5000))
    old = card.message.blocks
    view = await world.alice.opens("View diff", card)
    await world.post_apv({**sample("requests-cve-2023-32681"), "patch_diff": long_diff(4000), "kev": True})
    await card.shows("version 2")
    await card.thread_reads("is now version 2")
    assert (await world.slack.click_in_view("alice", view.id, text="Next")).ok
    for words in ("has changed since you opened this. Version 2 is shown now.", "page 1 of", "+4,000 -0"):
        assert words in view.words
    assert (await world.slack.click_in_view("alice", view.id, text="Next")).ok
    assert "page 2 of" in view.words
    assert "has changed" not in view.words
    assert (await world.bob.clicks("Details", card, blocks=old)).ok
    assert "Version 2 is shown now." in world.bob.views[-1].words


async def test_details_show_all_of_the_digest(world: World) -> None:
    """Everybody reads them, also once the review is decided: evidence, description and the whole digest."""
    evidence = {"attack": "reached\u202e", "steps": ["one", "two"]}
    card = await world.submit(
        wargame_evidence=evidence, cve_description="All of it.\n" * 2000, purl="pkg:pypi/requests@2.30.0"
    )
    await world.alice.rejects(card, "Not vulnerable here.")
    await card.shows("Rejected")
    view = await world.olga.opens("Details", card)
    pages = [view.words]
    while "Next" in view.buttons:
        assert (await world.slack.click_in_view("olga", view.id, text="Next")).ok
        pages.append(view.words)
    said = "\n".join(pages)
    assert said.count("All of it.") == 2000
    for words in (
        (await world.review(card))["digest"],
        "reached[U+202E]",
        "pkg:pypi/requests@2.30.0",
        "requirements.txt · +1 -1",
    ):
        assert words in said
    await card.thread_reads("Not vulnerable here.")


async def test_a_page_that_slack_does_not_show_is_not_acknowledged(world: World) -> None:
    """Slack tells the person in the modal that the click failed; the next click works, a second one does no harm."""
    card = await world.submit(patch_diff=long_diff(5000))
    view = await world.alice.opens("View diff", card)
    for kind in ("http503", "drop_before"):
        world.slack.fail("views.update", kind)
        assert not (await world.slack.click_in_view("alice", view.id, text="Next")).ok
        assert "page 1 of" in view.words
    turned = await world.slack.click_in_view("alice", view.id, text="Next")
    assert (await world.slack.redeliver(turned)).ok
    assert "page 2 of" in view.words


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


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cve_title", "Cookies \u202eare shared"),
        ("fixed_version", "2.2.5\u200b"),
        ("patch_description", "Pins\u2066 Flask"),
        ("validation_warnings", ["sessions\u200b end"]),
        ("wargame_evidence", {"attack": "a\u200db"}),
    ],
)
async def test_what_a_report_hides_in_its_words_is_warned_of(world: World, field: str, value: object) -> None:
    """The card's words are plain, so it says that characters were left out; Details shows which."""
    card = await world.submit(sample(HIGH), **{field: value})
    await card.shows("⚠️ The report contains hidden characters")
    assert "[U+2" in (await world.alice.opens("Details", card)).words
