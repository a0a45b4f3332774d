"""Faults that an operator injects from the page, how the bot recovers, and what is submitted from the page."""

import json

import pytest
from playwright.async_api import Locator

from tests.harness import World, sample
from tests.page.conftest import Opens
from tests.page.visit import Visit, expect

pytestmark = pytest.mark.asyncio(loop_scope="module")

REPORT = {
    "dependencies": [
        {
            "name": "urllib3",
            "version": "1.26.15",
            "vulns": [{"id": "PYSEC-2023-192", "fix_versions": ["1.26.17"], "aliases": ["CVE-2023-43804"]}],
        }
    ],
    "fixes": [],
}


async def pushes(visit: Visit, package: str) -> str:
    """Submit the sample of requests as another package and return the code that the page shows."""
    feed = await visit.opens("Submit an APV")
    await feed.get_by_role("combobox", name="Sample").select_option("requests-cve-2023-32681.json")
    text = feed.get_by_role("textbox", name="What to submit")
    await text.fill(json.dumps({**json.loads(await text.input_value()), "package_name": package}))
    return await taken(feed)


async def taken(feed: Locator) -> str:
    await feed.get_by_role("button", name="Submit an APV").click()
    await expect(feed.get_by_role("status")).to_contain_text("1 read, 1 new")
    return (await feed.get_by_role("listitem").inner_text()).split()[0]


async def switch(visit: Visit, name: str) -> Locator:
    faults = await visit.opens("Faults")
    return faults.get_by_role("switch", name=name)


@pytest.mark.parametrize("fault", ["Answers 429", "Does the work, then drops"])
async def test_slack_fails_and_the_card_comes_once_it_no_longer_does(world: World, opens: Opens, fault: str) -> None:
    """While the switch is on, the page counts the calls it hits; once it is off, there is one card."""
    alice = await opens(world.sandbox.origin)
    control = await switch(alice, fault)
    await control.check()
    await expect(alice.page.get_by_role("button", name="Faults")).to_contain_text("1 on")
    code = await pushes(alice, f"failing-{fault.split()[1]}")
    await alice.opens("Faults")
    await expect(alice.page.get_by_text("hit", exact=False).first).to_be_visible()
    await expect(alice.page.locator(".calls .failed", has_text="chat.postMessage").first).to_be_visible()
    await control.uncheck()
    await expect(alice.page.get_by_role("button", name="Faults")).not_to_contain_text("on")
    await expect(await alice.card(code)).to_contain_text("Medium")
    await world.settle()
    await expect(alice.page.locator(".messages > li", has_text=code)).to_have_count(1)


async def test_github_does_the_work_and_says_502(world: World, opens: Opens) -> None:
    """The approval stays, and once GitHub works again there is exactly one pull request."""
    alice = await opens(world.sandbox.origin)
    control = await switch(alice, "answers 502")
    await control.check()
    code = (await world.submit(sample("requests-cve-2023-32681"))).code
    await alice.approves(code)
    await expect(alice.page.get_by_text("hit", exact=False).first).to_be_visible()
    await control.uncheck()
    await expect((await alice.card(code)).get_by_role("link", name="Open pull request")).to_be_visible()
    await expect(alice.page.get_by_role("navigation", name="Pull requests").get_by_role("link")).to_have_count(1)


async def test_a_deleted_card_comes_back_with_the_next_change(world: World, opens: Opens) -> None:
    """After a deletion, a command about its review brings the card back."""
    code = (await world.submit(package_name="deleted")).code
    alice = await opens(world.sandbox.origin)
    await alice.card(code)
    faults = await alice.opens("Faults")
    await expect(faults.get_by_role("combobox").locator("option").first).to_contain_text(code)
    await faults.get_by_role("button", name="Delete").click()
    await expect(alice.page.locator(".messages > li", has_text=code)).to_have_count(0)
    await alice.writes(f"/apv claim {code}")
    await expect(alice.whispers.last).to_contain_text(f"You have claimed {code}")
    await expect(await alice.card(code)).to_contain_text("Claimed by")


async def test_an_archived_channel_sends_cards_elsewhere(world: World, opens: Opens) -> None:
    """The heading says so; a new card goes to the incident channel and can be decided there."""
    alice = await opens(world.sandbox.origin)
    control = await switch(alice, "#vuln-review is archived")
    await control.check()
    await expect(alice.page.get_by_role("main")).to_contain_text("archived")
    code = await pushes(alice, "archived")
    await alice.goes_to("incidents")
    await expect((await alice.card(code)).get_by_role("button", name="Approve")).to_be_visible()
    await (await switch(alice, "#vuln-review is archived")).uncheck()
    await alice.goes_to("vuln-review")
    await expect(alice.page.get_by_role("main")).not_to_contain_text("archived ·")


async def test_a_scanners_report_is_dropped_on_the_page(world: World, opens: Opens) -> None:
    """The page names the file and submits it unchanged; its finding becomes a card."""
    alice = await opens(world.sandbox.origin)
    feed = await alice.opens("Submit an APV")
    carried = await alice.page.evaluate_handle(
        "text => { const it = new DataTransfer(); it.items.add(new File([text], 'audit.json')); return it; }",
        json.dumps(REPORT),
    )
    await feed.locator("form").dispatch_event("drop", {"dataTransfer": carried})
    await expect(feed).to_contain_text("audit.json")
    code = await taken(feed)
    await expect(await alice.card(code)).to_contain_text("urllib3")


async def test_what_is_wrong_with_a_file_is_told_at_once(world: World, opens: Opens) -> None:
    """Each fault is named; no card appears."""
    alice = await opens(world.sandbox.origin)
    feed = await alice.opens("Submit an APV")
    await feed.get_by_role("textbox", name="What to submit").fill('{"cve_id": "CVE-2024-1", "severity": "odd"}')
    await feed.get_by_role("button", name="Submit an APV").click()
    for words in ("Nothing was stored.", "severity", "package_name"):
        await expect(feed.get_by_role("status")).to_contain_text(words)
