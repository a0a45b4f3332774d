"""How the page shows what any app sends: every kind of text and block, unknown ones, and very many."""

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import web

from bot.sandbox.server import SandboxServer
from bot.sandbox.slack import SlackSandbox
from tests.contracts.sandbox_slack.kit import Json, actions, button, listening, section
from tests.page.conftest import Opens
from tests.page.visit import expect

pytestmark = pytest.mark.asyncio(loop_scope="module")

CARD: Json = json.loads((Path(__file__).parents[1] / "unit/golden/card_fresh_high.json").read_text("utf-8"))


def posts(slack: SlackSandbox, channel: str, *blocks: Json, text: str = "a message") -> None:
    """Post a message of the app."""
    where = slack.channel(channel)
    numbered = [{"block_id": f"b{len(where.messages)}-{n}", **block} for n, block in enumerate(blocks)]
    slack.workspace.post(where, slack.bot, text, numbered)


@pytest.fixture
def slack(sandbox: SandboxServer) -> SlackSandbox:
    return sandbox.slack


def channel(slack: SlackSandbox, name: str) -> str:
    """A channel of the test's own."""
    slack.workspace.add_channel(name, list(slack.workspace.users.values()))
    return name


async def test_what_is_not_known_says_so(sandbox: SandboxServer, slack: SlackSandbox, opens: Opens) -> None:
    """An unknown block, element or kind of text is visibly unsupported, and the rest is shown."""
    here = channel(slack, "unknown")
    posts(slack, here, {"type": "video"}, section("*known*"), actions({"type": "datepicker", "action_id": "d"}))
    alice = await opens(sandbox.origin, channel=here)
    notes = alice.page.get_by_role("note")
    await expect(notes).to_have_text(["unsupported block: video", "unsupported element: datepicker"])
    await expect(alice.page.locator("article strong", has_text="known")).to_be_visible()


async def test_markup_is_slacks_and_nobody_elses(sandbox: SandboxServer, slack: SlackSandbox, opens: Opens) -> None:
    """Bold, code, links, people, dates and emoji are drawn; what was escaped, and HTML, is text."""
    here, alice_id = channel(slack, "markup"), slack.user("alice").id
    said = f"*bold* _it_ `co*de*` <https://example.com/a?b=1&amp;c=2|a link> <@{alice_id}> :tada: &lt;b&gt; &amp;amp;"
    posts(
        slack, here, section(said), section("<img src=x onerror=alert(1)> <!date^0^{date_num}|then> <javascript:x|y>")
    )
    bob = await opens(sandbox.origin, "bob", channel=here)
    first, second = bob.page.locator(".b-section").nth(0), bob.page.locator(".b-section").nth(1)
    await expect(first).to_have_text("bold it co*de* a link @alice 🎉 <b> &amp;")
    await expect(first.locator("strong")).to_have_text("bold")
    await expect(first.get_by_role("link", name="a link")).to_have_attribute("href", "https://example.com/a?b=1&c=2")
    await expect(second).to_contain_text("19")
    await expect(second.locator("img, [href^=javascript]")).to_have_count(0)


async def test_an_answer_that_misses_the_three_seconds_is_told(
    sandbox: SandboxServer, slack: SlackSandbox, opens: Opens
) -> None:
    """The message says that the app did not answer in time, and the button can be pressed again."""
    here = channel(slack, "slow")
    posts(slack, here, actions(button()))

    enough = asyncio.Event()

    async def thinks(_request: web.Request) -> web.Response:
        await enough.wait()
        return web.Response()

    slack.sender.time_limit = 0.2
    async with listening(thinks) as slack.request_url:
        alice = await opens(sandbox.origin, channel=here)
        press = alice.page.get_by_role("button", name="Approve")
        await press.click()
        told = alice.page.get_by_role("alert")
        await expect(told).to_have_text("The app did not answer within three seconds.")
        enough.set()
        slack.sender.time_limit = 60.0
        await press.click()
        await expect(told).to_have_count(0)


async def test_five_hundred_messages_are_drawn_as_they_are_looked_at(
    sandbox: SandboxServer, slack: SlackSandbox, opens: Opens
) -> None:
    """Only cards near the screen become nodes; every other can be found by its words and is drawn when scrolled to."""
    here = channel(slack, "full")
    for number in range(500):
        posts(slack, here, section(f"Card number {number}."), *CARD["blocks"], text=f"Card number {number}.")
    alice = await opens(sandbox.origin, channel=here)
    await expect(alice.page.locator("article").first).to_be_visible()
    assert await alice.page.evaluate("document.querySelectorAll('*').length") < 3_000
    assert await alice.page.locator("article").count() < 20
    assert await alice.page.locator(".messages > li").count() >= 500
    drawn = await alice.page.evaluate(
        "new Promise(seen => new PerformanceObserver(list => seen(list.getEntriesByName('drawn').length))"
        ".observe({ type: 'mark', buffered: true }))"
    )
    assert drawn == 1
    card = await alice.card("Card number 437.")
    await expect(card).to_be_in_viewport()
    await expect(card.get_by_role("button", name="Approve")).to_be_visible()
    slack.workspace.post(slack.channel(here), slack.bot, "the newest", [])
    await alice.page.get_by_role("button", name="new message").click()
    await expect(alice.page.locator("article").last).to_contain_text("the newest")


async def test_what_came_meanwhile_is_marked(sandbox: SandboxServer, slack: SlackSandbox, opens: Opens) -> None:
    """Another channel counts its unread messages and marks the first; a visit clears both."""
    here, there = channel(slack, "here"), channel(slack, "there")
    posts(slack, there, text="old")
    alice = await opens(sandbox.origin, channel=there)
    await alice.goes_to(here)
    posts(slack, there, text="new one")
    posts(slack, there, text="new two")
    link = alice.page.get_by_role("link", name=there)
    await expect(link).to_have_accessible_name(f"# {there} 2 unread")
    await link.click()
    await expect(alice.page.locator(".unread-line + li")).to_contain_text("new one")
    await expect(link).to_have_accessible_name(f"# {there}")


async def test_people_see_who_they_are(sandbox: SandboxServer, opens: Opens) -> None:
    """The switch shows which people are reviewers, lead, outsider and guest."""
    alice = await opens(sandbox.origin)
    people = alice.page.get_by_role("group", name="You are")
    for name, mark in (
        ("alice", "@reviewers"),
        ("bob", "@reviewers"),
        ("carol", "@leads"),
        ("olga", "no group"),
        ("gus", "guest"),
    ):
        await expect(people.locator("label", has=alice.page.get_by_role("radio", name=name))).to_contain_text(mark)


async def test_the_page_comes_back_with_its_sandbox(opens: Opens) -> None:
    """While the sandbox is down the page says so; when it is back, the page updates without reloading."""
    slack = SlackSandbox(bot_token="xoxb-sandbox", signing_secret="signing-secret")
    server = SandboxServer(slack)
    async with server:
        alice = await opens(server.origin)
        await expect(alice.page.get_by_text("live", exact=True)).to_be_visible()
    await expect(alice.page.get_by_text("reconnecting")).to_be_visible()
    posts(slack, "vuln-review", text="meanwhile")
    async with server:
        await expect(alice.page.locator("article")).to_contain_text("meanwhile")


async def test_a_panel_is_left_with_escape(sandbox: SandboxServer, opens: Opens) -> None:
    """The focus moves into the panel and back to its button."""
    alice = await opens(sandbox.origin)
    panel = await alice.opens("Faults")
    await expect(panel).to_be_focused()
    await alice.page.keyboard.press("Escape")
    await expect(panel).to_have_count(0)
    await alice.opens("Faults")
    await alice.page.keyboard.press("Tab")
    await alice.page.keyboard.press("Escape")
    await expect(panel).to_have_count(0)
    tool = alice.page.get_by_role("button", name="Faults")
    await expect(tool).to_be_focused()
    await expect(tool).to_have_attribute("aria-expanded", "false")


DRAWN = """async (text) => {
    const { markdown } = await import("./page/markdown.js");
    const place = document.createElement("div");
    place.append(...markdown(text));
    return [place.textContent, [...place.querySelectorAll("a")].map((found) => found.href)];
}"""


async def test_a_pull_requests_links_lead_to_pages_only(sandbox: SandboxServer, opens: Opens) -> None:
    """A web address becomes a link; a script, and what stands in code, stays text."""
    alice = await opens(sandbox.origin)
    text = "[a page](https://example.com/a) [a script](javascript:stop) `[code](https://example.com/b)`"
    said, links = await alice.page.evaluate(DRAWN, text)
    assert said == "a page [a script](javascript:stop) [code](https://example.com/b)"
    assert links == ["https://example.com/a"]
