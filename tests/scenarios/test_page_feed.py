"""What the sandbox's page may hand to the bot: the samples and any scanner's report, taken whole or not at all."""

import json

import pytest

from bot.demo.stage import submit_form
from tests.harness import World

PIP_AUDIT = {
    "dependencies": [
        {
            "name": "requests",
            "version": "2.30.0",
            "vulns": [{"id": "PYSEC-2023-74", "fix_versions": ["2.31.0"], "aliases": ["CVE-2023-32681"]}],
        }
    ],
    "fixes": [],
}


async def test_samples_and_reports_become_cards(world: World) -> None:
    """The page offers the samples with their text; what is handed back, or a report, is in the channel soon."""
    address = f"{world.sandbox.origin}/submit"
    async with world.http.get(address) as answer:
        assert (await answer.json())["title"] is None
    world.sandbox.offer(submit_form(world.settings))
    async with world.http.get(address) as answer:
        offered = await answer.json()
    assert len(offered["samples"]) == 13
    for text, package in ((offered["samples"][-1]["text"], "werkzeug"), (json.dumps(PIP_AUDIT), "requests")):
        async with world.http.post(address, data=text.encode()) as answer:
            said = await answer.json()
        assert said["ok"]
        assert said["lines"][0] == "1 read, 1 new"
        card = await world.card(said["lines"][1].split()[0])
        await card.shows(package)
    # The report names a fixed version, so the bot makes the diff itself and says so.
    await card.thread_reads("diff of its version bump")


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"{", "not JSON"),
        (b"{}", "a JSON object"),
        (b'{"cve_id": "CVE-2024-1", "severity": "high"}', "package_name"),
    ],
)
async def test_faults_of_a_bad_file_are_shown(world: World, sent: bytes, why: str) -> None:
    """Nothing of a bad file is stored, and each fault is told."""
    world.sandbox.offer(submit_form(world.settings))
    async with world.http.post(f"{world.sandbox.origin}/submit", data=sent) as answer:
        said = await answer.json()
    assert not said["ok"]
    assert any(why in line for line in said["lines"]), said
    assert await world.rows("SELECT id FROM apv_reviews") == []


async def test_only_the_page_itself_hands_things_in(world: World) -> None:
    """A page from elsewhere is refused."""
    world.sandbox.offer(submit_form(world.settings))
    headers = {"Origin": "https://example.com"}
    async with world.http.post(f"{world.sandbox.origin}/submit", data=b"[]", headers=headers) as answer:
        assert answer.status == 403
