"""The bot in a real browser: people decide on the page and see the result without reloading."""

import pytest

from tests.harness import CRITICAL, HIGH, World, sample
from tests.page.conftest import Opens
from tests.page.visit import expect

pytestmark = pytest.mark.asyncio(loop_scope="module")

WHY = "The shop pins it through another package; this bump alone breaks the build."


async def submitted(world: World, name: str = "requests-cve-2023-32681", **changes: object) -> str:
    """A review of its own for this test."""
    return (await world.submit(sample(name), **changes)).code


async def test_alice_approves_and_reads_the_pull_request(world: World, opens: Opens) -> None:
    """One click and one question; the card changes by itself, and the pull request shows body and coloured diff."""
    code = await submitted(world)
    alice = await opens(world.sandbox.origin)
    await alice.approves(code)
    card = await alice.card(code)
    await expect(card).to_contain_text("Approved by @alice")
    await expect(card.get_by_role("button", name="Approve")).to_have_count(0)
    await card.get_by_role("link", name="Open pull request").click()
    await expect(alice.page.get_by_role("main").get_by_role("heading", level=2)).to_contain_text("requests")
    await expect(alice.page.locator(".pull-about code").first).to_contain_text(f"apv/{code}-")
    description = alice.page.get_by_role("region", name="Description")
    await expect(description).to_contain_text(code)
    await expect(description.get_by_role("link", name="CVE-2023-32681")).to_be_visible()
    changes = alice.page.get_by_role("region", name="Changes")
    await expect(changes.locator(".added")).to_contain_text(["+requests==2.31.0"])
    await expect(changes.locator(".removed")).to_contain_text(["-requests==2.30.0"])
    added, removed = [
        await changes.locator(kind).first.evaluate("n => getComputedStyle(n).backgroundColor")
        for kind in (".added", ".removed")
    ]
    assert added != removed


async def test_the_maintainer_merges_on_the_page(world: World, opens: Opens) -> None:
    """The button merges at GitHub, and the card shows it."""
    code = await submitted(world, "pillow-pysec-2023-175")
    alice = await opens(world.sandbox.origin)
    await alice.approves(code)
    await (await alice.card(code)).get_by_role("link", name="Open pull request").click()
    await alice.page.get_by_role("button", name="Merge as maintainer").click()
    await expect(alice.page.locator("main .state")).to_have_text("merged")


@pytest.mark.parametrize(
    ("name", "why"), [("olga", "not on the list of reviewers"), ("gus", "Guest accounts cannot decide")]
)
async def test_who_may_not_is_told_so_privately(world: World, opens: Opens, name: str, why: str) -> None:
    """The outsider and the guest see the reason, nobody else does, and the card is unchanged."""
    code = await submitted(world, package_name=f"refused-{name}")
    refused = await opens(world.sandbox.origin, name)
    await refused.approves(code)
    await expect(refused.whispers.last).to_contain_text(why)
    await expect(refused.whispers.last).to_contain_text("Only visible to you")
    await refused.becomes("alice")
    await expect(refused.page.locator("article").first).to_be_visible()
    await expect(refused.whispers.filter(has_text=why)).to_have_count(0)
    await expect((await refused.card(code)).get_by_role("button", name="Approve")).to_be_visible()


async def test_a_critical_one_needs_two(world: World, opens: Opens) -> None:
    """Alice approves, the switch makes her Bob, and the second approval closes it."""
    code = await submitted(world, CRITICAL)
    visit = await opens(world.sandbox.origin)
    await visit.approves(code)
    await expect(await visit.card(code)).to_contain_text("1 of 2 approvals")
    await visit.becomes("bob")
    await visit.approves(code)
    await expect((await visit.card(code)).get_by_role("button", name="Approve")).to_have_count(0)
    await expect(await visit.card(code)).to_contain_text("2 of 2 approvals")


async def test_a_rejection_needs_a_reason_worth_reading(world: World, opens: Opens) -> None:
    """A short justification shows an error at its field and stays; a good one closes the review."""
    code = await submitted(world, package_name="rejected")
    bob = await opens(world.sandbox.origin, "bob")
    await bob.presses("Reject", code)
    await expect(bob.dialog).to_contain_text(code)
    field = bob.dialog.get_by_role("textbox", name="Justification")
    await bob.dialog.get_by_role("combobox").select_option(label="Other")
    await field.fill("no")
    await bob.dialog.get_by_role("button", name="Reject").click()
    await expect(field).to_have_attribute("aria-invalid", "true")
    await expect(field).to_be_focused()
    await expect(field).to_have_value("no")
    await field.fill(WHY)
    await bob.dialog.get_by_role("button", name="Reject").click()
    await expect(bob.dialog).to_have_count(0)
    card = await bob.card(code)
    await expect(card).to_contain_text("Rejected")
    await card.get_by_role("button", name="repl").click()
    await expect(card).to_contain_text(WHY)


async def test_an_escalation_reaches_the_incident_channel(world: World, opens: Opens) -> None:
    """Submitting the form marks the other channel as unread, and the alert is there."""
    code = await submitted(world, HIGH)
    alice = await opens(world.sandbox.origin)
    await alice.goes_to("incidents")
    await alice.goes_to("vuln-review")
    await alice.presses("Escalate", code)
    await alice.dialog.get_by_role("combobox").select_option(label="Needs a lead's judgement")
    await alice.dialog.get_by_role("textbox", name="Justification").fill(WHY)
    await alice.dialog.get_by_role("button", name="Escalate").click()
    await expect(alice.dialog).to_have_count(0)
    link = alice.page.get_by_role("link", name="incidents")
    await expect(link).to_contain_text("unread")
    await link.click()
    await expect(alice.page.locator("article", has_text=code).last).to_contain_text("escalated")
    await expect(link).not_to_contain_text("unread")


async def test_a_command_answers_only_whom_it_was_asked_by(world: World, opens: Opens) -> None:
    """`/apv queue` in the box shows the list, to its reader only."""
    code = await submitted(world, package_name="queued")
    alice, bob = await opens(world.sandbox.origin), await opens(world.sandbox.origin, "bob")
    await alice.writes("/apv queue")
    await expect(alice.whispers.last).to_contain_text(code)
    await bob.writes("seen by all")
    await expect(alice.page.locator("article").last).to_contain_text("seen by all")
    await expect(bob.whispers.filter(has_text=code)).to_have_count(0)


async def test_the_whole_diff_is_read_in_a_modal(world: World, opens: Opens) -> None:
    """View diff opens it; Escape closes it and gives the focus back to the button."""
    code = await submitted(world, package_name="viewed")
    alice = await opens(world.sandbox.origin)
    await alice.presses("View diff of", code)
    await expect(alice.dialog).to_contain_text("+requests==2.31.0")
    await alice.page.keyboard.press("Escape")
    await expect(alice.dialog).to_have_count(0)
    await expect((await alice.card(code)).get_by_role("button", name="View diff")).to_be_focused()


async def test_a_long_diff_is_turned_page_by_page(world: World, opens: Opens) -> None:
    """Next shows the following page in the same dialog, Previous the one before; Details open the same way."""
    lines = "".join(f"+line {n} of a long patch\n" for n in range(6000))
    code = await submitted(
        world, package_name="turned", patch_diff=f"--- /dev/null\n+++ b/x\n@@ -0,0 +1,6000 @@\n{lines}"
    )
    alice = await opens(world.sandbox.origin)
    await alice.presses("View diff of", code)
    await expect(alice.dialog).to_contain_text("+line 0 of")
    await alice.dialog.get_by_role("button", name="Next").click()
    await expect(alice.dialog).to_contain_text("page 2 of")
    await expect(alice.dialog).not_to_contain_text("+line 0 of")
    await alice.dialog.get_by_role("button", name="Previous").click()
    await expect(alice.dialog).to_contain_text("+line 0 of")
    await alice.page.keyboard.press("Escape")
    await alice.presses("Details of", code)
    await expect(alice.dialog).to_contain_text("Digest: ")
    await alice.page.keyboard.press("Escape")


async def test_a_decision_needs_no_mouse(world: World, opens: Opens) -> None:
    """From the card's button, Enter and Tab are enough; cancelling the dialog changes nothing."""
    code = await submitted(world, package_name="by-keyboard")
    alice = await opens(world.sandbox.origin)
    button = (await alice.card(code)).get_by_role("button", name="Approve")
    await button.focus()
    await alice.page.keyboard.press("Enter")
    await expect(alice.dialog.get_by_role("button", name="Approve")).to_be_focused()
    await alice.page.keyboard.press("Shift+Tab")
    await alice.page.keyboard.press("Enter")
    await expect(alice.dialog).to_have_count(0)
    await expect(button).to_be_focused()
    await alice.page.keyboard.press("Enter")
    await alice.page.keyboard.press("Enter")
    await expect((await alice.card(code)).get_by_role("button", name="Approve")).to_have_count(0)


async def test_the_home_tab_is_what_the_bot_publishes(world: World, opens: Opens) -> None:
    """Opening it asks the bot, and it shows the person's claimed reviews."""
    code = await submitted(world, package_name="claimed")
    alice = await opens(world.sandbox.origin)
    await alice.presses("Claim", code)
    await expect(await alice.card(code)).to_contain_text("Claimed by")
    await alice.goes_to("APV Bot")
    home = alice.page.get_by_role("region", name="Home")
    await expect(home.get_by_role("heading", name="Claimed by you")).to_be_visible()
    await expect(home).to_contain_text(code)
    await alice.becomes("carol")
    await expect(home).to_contain_text("No open reviews are claimed by you.")
