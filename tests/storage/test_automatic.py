"""Approval without a person, on the database: whose submission it is, and what people said of the APV before."""

from dataclasses import replace

import pytest

from bot.domain.apv import Severity, WargameVerdict
from bot.domain.policy import Policy
from bot.domain.replay import Past
from bot.domain.review import Choice, Status
from bot.domain.scopes import glob
from bot.jobs import MakeBump
from bot.policies.reading import Around, read
from bot.service import bumps
from storage import replay
from storage.database import Database
from tests.builders import ALICE, BOB, NOW, PATCH, adopt, apv, click, gate, now_of, run, submit

RULES: Policy = read(
    '[auto_approval]\nenabled = true\nsubmitter = ["scan"]\nseverity = ["low"]\n',
    Around((ALICE, BOB), (), "C0REVIEW", "C0INCIDENT"),
)
GOOD = apv(severity=Severity.LOW, wargame_verdict=WargameVerdict.SUCCESS, wargame_confidence=0.95)
OTHER = PATCH.replace("jinja2==3.1.3", "jinja2==3.1.4")


async def test_a_named_submitters_bump_is_approved_when_it_arrives(database: Database) -> None:
    """Not another's, not of another file."""
    opened = gate(database, rules=RULES)
    assert (await submit(opened, GOOD)).review.status is Status.APPROVED
    assert (await submit(opened, replace(GOOD, package_name="a"), by="intruder")).review.status is Status.PENDING
    named = replace(GOOD, package_name="b", reporter="scan")
    assert (await submit(opened, named, by="intruder")).review.status is Status.PENDING
    elsewhere = replace(GOOD, package_name="c", patch_diff=PATCH.replace("requirements.txt", "setup.py"))
    assert (await submit(opened, elsewhere)).review.status is Status.PENDING


@pytest.mark.parametrize("choice", [Choice.REJECT, Choice.ESCALATE, Choice.MODIFY])
async def test_what_a_person_objected_to_stays_with_people(database: Database, choice: Choice) -> None:
    """In every later version and review of the same APV, and nowhere else."""
    opened = gate(database, rules=RULES)
    first = (await submit(opened, replace(GOOD, wargame_confidence=0.1))).review
    assert first.status is Status.PENDING
    await click(opened, ALICE, first, choice)
    again = (await submit(opened, replace(GOOD, patch_diff=OTHER))).review
    assert again.status in {Status.PENDING, Status.ESCALATED}
    assert (await submit(opened, replace(GOOD, package_name="other"))).review.status is Status.APPROVED
    past = {each.review.id: each.origin for each in await replayed(database)}
    assert past[again.id].objected
    assert past[again.id].submitter == "scan"


async def replayed(database: Database) -> list[Past]:
    async with database.transaction() as tx:
        return await replay.since(tx, NOW)


BUMP = replace(GOOD, patch_diff=None)


@pytest.mark.parametrize(("by", "status"), [("scan", Status.APPROVED), ("intruder", Status.PENDING)])
async def test_a_diff_that_the_bot_made_has_the_submitter_of_its_report(
    database: Database, by: str, status: Status
) -> None:
    opened = gate(database, rules=RULES)
    waiting = (await submit(opened, BUMP, by=by)).review
    assert waiting.status is Status.PENDING
    await bumps.record_diff(opened, MakeBump(waiting.id, waiting.digest, waiting.version), PATCH, "Made by the bot.")
    assert (await now_of(opened, waiting)).status is status


@pytest.mark.parametrize("named", ["scan", "*", "database"])
async def test_a_row_of_another_program_names_no_submitter(database: Database, named: str) -> None:
    """Its reporter is only what it says, and no pattern names who is not known."""
    opened = gate(database, rules=replace(RULES, auto=replace(RULES.auto, submitters=glob((named,)))))
    submitted = (await submit(opened, replace(GOOD, wargame_confidence=0.1))).review
    columns = "severity, package_name, package_ecosystem, patch_strategy, patch_content, wargame_verdict, repository"
    await run(
        database,
        f"INSERT INTO apv_reviews (apv_code, cve_id, reporter, wargame_confidence, {columns}) "
        f"SELECT 'APV-2026-9001', 'CVE-2026-1', 'scan', 0.99, {columns} FROM apv_reviews WHERE id = '{submitted.id}'",
    )
    assert await adopt(opened) == 1
    (found,) = [each.review for each in await replayed(database) if each.review.code == "APV-2026-9001"]
    assert found.status is Status.PENDING
