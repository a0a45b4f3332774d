"""A person at the sandbox's page in a real browser: what they see, press and type."""

import contextlib
from dataclasses import dataclass

from playwright.async_api import Locator, Page, expect
from playwright.async_api import TimeoutError as NotYet

__all__ = ["NAMES", "Visit", "expect"]

NAMES = ("chromium", "chromium-browser", "google-chrome")
"""What the system's browser may be called."""

# As patient as the other scenarios: a loaded machine is no fault of the page's.
expect.set_options(timeout=60_000)


@dataclass
class Visit:
    """One browser tab."""

    page: Page
    origin: str

    async def comes(self, as_: str = "alice", **where: str) -> None:
        """Open the page as somebody, at a place (`channel=`, `home=`)."""
        place = "&".join(f"{name}={value}" for name, value in where.items())
        await self.page.goto(f"{self.origin}/#as={as_}&{place}")
        await expect(self.page.locator("main h2")).to_be_visible()

    async def becomes(self, name: str) -> None:
        await self.page.get_by_role("radio", name=name).check()

    async def goes_to(self, place: str) -> None:
        """Follow a link of the side."""
        await self.page.locator(".side").get_by_role("link", name=place).first.click()

    async def card(self, code: str) -> Locator:
        """The message about this review, scrolled to, as cards are drawn when they come near the screen."""
        place = self.page.locator(".messages > li:not(:has(.whisper))", has_text=code).first
        await expect(place).to_be_attached()
        # It moves while its neighbours are drawn, as they do for a person, who scrolls on.
        for _ in range(30):
            await place.evaluate("node => node.scrollIntoView({ block: 'center' })")
            with contextlib.suppress(NotYet):
                await place.get_by_role("article").first.wait_for(timeout=500)
                break
        await expect(place.get_by_role("article").first).to_be_visible()
        await place.evaluate("node => node.scrollIntoView({ block: 'nearest' })")
        return place

    async def presses(self, button: str, code: str) -> None:
        await (await self.card(code)).get_by_role("button", name=f"{button} {code}").first.click()

    async def approves(self, code: str) -> None:
        """Press Approve and agree to Slack's question."""
        await self.presses("Approve", code)
        await self.dialog.get_by_role("button", name="Approve").click()

    @property
    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog")

    @property
    def whispers(self) -> Locator:
        """The messages that only this person sees."""
        return self.page.locator("article.whisper")

    async def writes(self, text: str) -> None:
        await self.page.get_by_role("textbox", name="Message or command").fill(text)
        await self.page.keyboard.press("Enter")

    async def opens(self, tool: str) -> Locator:
        """Open a tool's panel."""
        await self.page.get_by_role("button", name=tool).first.click()
        panel = self.page.get_by_role("complementary", name=tool)
        await expect(panel).to_be_visible()
        return panel

    async def overflow(self) -> int:
        """The number of pixels by which the page is wider than its window."""
        width: int = await self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        return width
