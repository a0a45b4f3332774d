"""Other ways in than the API: scanner reports, and rows that another program inserts."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from bot.cli.running import Failure
from tests.harness import World, sample

DATA = Path(os.environ.get("APV_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data")
needs_data = pytest.mark.skipif(
    not (DATA / "scanners").is_dir(), reason="no folder of real reports (APV_TEST_DATA, ../shared/data)"
)
PIP_AUDIT = {
    "dependencies": [
        {
            "name": "jinja2",
            "version": "2.10",
            "vulns": [
                {"id": "PYSEC-2019-217", "fix_versions": ["2.10.1"], "aliases": ["CVE-2019-10906"], "description": "A."}
            ],
        },
        {"name": "left", "version": "1.0", "vulns": [{"id": "PYSEC-2020-1", "fix_versions": [], "description": "B."}]},
        {"name": "fine", "version": "1.0", "vulns": []},
    ],
    "fixes": [],
}


def written(folder: Path, report: object) -> Path:
    path = folder / "report.json"
    path.write_text(json.dumps(report), "utf-8")
    return path


async def test_a_finding_becomes_a_review_without_a_patch(world: World, tmp_path: Path) -> None:
    """The card says that the severity is assumed and what fixes it; an approval is recorded and opens nothing."""
    fixed, unfixed = await world.submit_file(written(tmp_path, PIP_AUDIT))
    bump, manual = await world.card(fixed), await world.card(unfixed)
    for words in ("Medium (assumed)", "jinja2 2.10 → 2.10.1", "CVE-2019-10906", "Version bump", "approving records"):
        assert words in bump.words
    assert "Manual change" in manual.words
    for card in (bump, manual):
        assert card.buttons == ["Approve", "Reject", "Escalate", "Details", "Claim"]
        await world.alice.approves(card)
        await card.shows("Approved", "It has no patch, so there is no pull request to open.")
        await card.thread_reads("no pull request to open")
        assert [d["action_taken"] for d in await world.decisions(card)] == ["recorded"]
    await world.settle()
    assert world.github.pulls() == []
    assert await world.rows("SELECT * FROM pgqueuer") == []


async def test_the_same_report_again_adds_nothing(world: World, tmp_path: Path) -> None:
    """A scanner that runs every night makes one card per finding."""
    report = written(tmp_path, PIP_AUDIT)
    codes = await world.submit_file(report)
    assert await world.submit_file(report) == codes
    for code in codes:
        assert (await world.card(code)).message.updates == 0
    await world.settle()
    assert len(world.cards()) == len(codes) == 2


async def test_a_report_with_a_fault_is_not_stored_at_all(world: World, tmp_path: Path) -> None:
    """Nothing is half-stored."""
    broken: dict[str, Any] = json.loads(json.dumps(PIP_AUDIT))
    broken["dependencies"][1]["vulns"][0]["id"] = 7
    with pytest.raises(Failure):
        await world.submit_file(written(tmp_path, broken))
    assert await world.rows("SELECT * FROM apv_reviews") == []


@needs_data
async def test_a_real_report_becomes_cards(world: World) -> None:
    """Each vulnerability of a real Trivy report is a card that Slack takes."""
    codes = await world.submit_file(DATA / "scanners" / "trivy-5-findings.json")
    assert len(codes) == 5
    for code in codes:
        card = await world.card(code)
        assert "nvd.nist.gov/vuln/detail/CVE-" in card.words
        assert "Approve" in card.buttons
    world.slack.mark_read(*world.slack.messages("incidents"))


async def test_a_row_of_another_program_is_a_review_like_any_other(world: World) -> None:
    """Inserted with the documented columns alone, it is posted, and its patch becomes a pull request."""
    await world.rows(
        "INSERT INTO apv_reviews (id, apv_code, cve_id, severity, package_name, package_version, patch_strategy,"
        " patch_content, wargame_verdict, wargame_confidence, wargame_evidence, confirmation_score, status,"
        " created_at, updated_at, metadata) VALUES (gen_random_uuid(), 'APV-2026-777', 'CVE-2023-32681', 'critical',"
        " 'requests', '2.30.0', 'version_bump', :diff, 'success', 0.9, '{}', 0.8, 'pending', now(), now(), '{}')"
        " RETURNING id",
        diff=sample("requests-cve-2023-32681")["patch_diff"],
    )
    async with world.another_bot("worker"):
        card = await world.card("APV-2026-777")
        await world.hears("New critical APV")
        await card.shows("0 of 2 approvals", "Critical", "sample/shop")
        await world.alice.approves(card)
        await world.bob.approves(card)
        await world.pull(card)
        await card.thread_reads("1 of 2 approvals", "2 of 2 approvals", "Pull request #1")
        await world.settle()
