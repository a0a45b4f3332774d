"""Every surface of the page is accessible: axe finds nothing, light and dark, and nothing is cut off at 360 px.

`make pictures` keeps the pictures of this run in docs/images.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Literal

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe

from tests.harness import CRITICAL, HIGH, World, sample
from tests.page.conftest import Opens
from tests.page.visit import Visit, expect

pytestmark = pytest.mark.asyncio(loop_scope="module")

WHY = "The shop pins it through another package; this bump alone breaks the build."
SCHEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
PNG = b"\x89PNG"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def busy(running: World) -> AsyncIterator[World]:
    """A world in which some things were decided and some were not."""
    critical, escalated = await running.submit(sample(CRITICAL)), await running.submit(sample(HIGH))
    approved = await running.submit(sample("requests-cve-2023-32681"))
    for name in ("werkzeug-cve-2023-25577", "pillow-pysec-2023-175", "celery-cve-2021-23727"):
        await running.submit(sample(name))
    await running.alice.approves(critical)
    await running.bob.escalates(escalated, WHY)
    await running.alice.approves(approved)
    await running.pull(approved)
    await running.settle()
    running.slack.mark_read(*running.slack.unread())
    yield running


async def channel(visit: Visit) -> None:
    await expect(visit.page.get_by_role("article").first).to_be_visible()


async def incidents(visit: Visit) -> None:
    await visit.goes_to("incidents")
    await expect(visit.page.get_by_role("article").first).to_contain_text("Critical")


async def modal(visit: Visit) -> None:
    await visit.presses("Reject", "APV-")
    await expect(visit.dialog).to_be_visible()


async def confirm(visit: Visit) -> None:
    await visit.presses("Approve", "APV-")
    await expect(visit.dialog).to_be_visible()


async def details(visit: Visit) -> None:
    await visit.page.get_by_role("button", name="Details").first.click()
    await expect(visit.dialog).to_contain_text("Digest: ")


async def pull(visit: Visit) -> None:
    await visit.page.get_by_role("navigation", name="Pull requests").get_by_role("link").first.click()
    await expect(visit.page.get_by_role("region", name="Changes")).to_be_visible()


async def home(visit: Visit) -> None:
    await visit.goes_to("APV Bot")
    await expect(visit.page.get_by_role("heading", name="Most urgent")).to_be_visible()


async def faults(visit: Visit) -> None:
    await visit.opens("Faults")


async def feed(visit: Visit) -> None:
    await visit.opens("Submit an APV")


async def filled_in(visit: Visit) -> None:
    await modal(visit)
    await visit.dialog.get_by_role("combobox").select_option(label="Breaks the build or tests")
    await visit.dialog.get_by_role("textbox").fill(WHY)


Surface = Callable[[Visit], Awaitable[None]]
SURFACES: list[Surface] = [channel, incidents, modal, confirm, details, pull, home, faults, feed]


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def nothing_left_open(world: World) -> AsyncIterator[None]:
    """A modal is open for its person, whichever tab they come back in."""
    yield
    for view in world.slack.open_views("carol"):
        await world.slack.close_view("carol", view.id, all_of_them=True)


@pytest.mark.parametrize("surface", SURFACES)
async def test_it_is_for_every_eye(busy: World, opens: Opens, surface: Surface) -> None:
    """axe finds no fault in it, light or dark: names, roles, contrast; and at 360 px nothing is cut off."""
    visit = await opens(busy.sandbox.origin, "carol")
    await surface(visit)
    for scheme in SCHEMES:
        await visit.page.emulate_media(color_scheme=scheme)
        found = await Axe().run(visit.page)
        assert found.violations_count == 0, found.generate_report()
    await visit.page.set_viewport_size({"width": 360, "height": 740})
    assert await visit.overflow() <= 0


async def test_the_readmes_pictures_can_be_taken(busy: World, opens: Opens, tmp_path: Path) -> None:
    """The channel with its first card, a filled-in modal and the pull request, as they are now."""
    folder = Path(os.environ.get("PICTURES") or tmp_path)
    for surface, height in ((channel, 1010), (pull, 1230), (filled_in, 800)):
        look = {"viewport": {"width": 1240, "height": height}, "device_scale_factor": 1.5}
        visit = await opens(busy.sandbox.origin, "carol", look)
        await surface(visit)
        picture = folder / f"{surface.__name__.replace('filled_in', 'modal')}.png"
        await visit.page.screenshot(path=picture, animations="disabled")
        assert picture.read_bytes().startswith(PNG)
