"""Submissions on a real database: one review for one APV, however often and however concurrently it is submitted."""

import asyncio
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.apv import Apv, PatchStrategy, Severity, Submission, WargameVerdict, digest, identity
from bot.domain.faults import Fault, NotAccepted
from bot.domain.review import Choice, Dossier, Status
from bot.service import pulls, queries, submissions
from bot.service.gate import Gate
from bot.service.submissions import Receipt, Submitter
from storage import submissions as stored_submissions
from storage.database import Database
from tests.builders import (
    ALICE,
    BOB,
    CAROL,
    NOW,
    Clock,
    adopt,
    apv,
    blocked,
    click,
    everything,
    gate,
    log,
    now_of,
    policy,
    push,
    queued,
    rows,
    run,
    submit,
)

CHANGED = apv(cve_title="Worse than it looked")


async def hand_in(opened: Gate, *items: Submission) -> list[Receipt]:
    return await submissions.submit(opened, items, Submitter("scan"))


async def refused(opened: Gate, *items: Submission) -> tuple[Fault, ...]:
    """The faults of a refused list, of which nothing was stored."""
    before = await everything(opened.database)
    with pytest.raises(NotAccepted) as caught:
        await hand_in(opened, *items)
    assert await everything(opened.database) == before
    return caught.value.faults


def codes(receipts: list[Receipt]) -> list[str]:
    return [receipt.dossier.review.code for receipt in receipts]


async def all_of(opened: Gate) -> list[Dossier]:
    everything_there = queries.Filter(statuses=None)
    return list((await queries.page(opened, everything_there, limit=2000)).reviews)


async def test_a_new_apv_becomes_a_review(database: Database) -> None:
    """With a code, a digest, a priority and a deadline; its card is queued, and critical ones are told at once."""
    opened = gate(database)
    (receipt,) = await hand_in(opened, Submission(apv(), metadata={"ticket": "SEC-1"}))
    review = receipt.dossier.review
    assert receipt.created
    assert (review.code, review.status, review.version) == ("APV-2026-0001", Status.PENDING, 1)
    assert (review.created_at, review.due_at) == (NOW, NOW + timedelta(minutes=1440))
    assert (receipt.dossier.priority, receipt.dossier.metadata) == (7, {"ticket": "SEC-1"})
    assert review.digest == digest(receipt.dossier.apv) == digest(apv())
    assert review.reporter == "scan"
    assert await queued(database) == ["slack.card", "github.base"]
    assert await log(database, review) == ["review.submitted"]
    await submit(opened, apv(severity=Severity.CRITICAL, package_name="worse"))
    assert await queued(database) == ["slack.card", "github.base", "slack.card", "slack.alert", "github.base"]


@pytest.mark.parametrize(("severity", "minutes"), list(zip(Severity, (240, 1_440, 10_080, 43_200), strict=True)))
async def test_the_deadline_is_by_severity(database: Database, severity: Severity, minutes: int) -> None:
    """Minutes to decide, counted from arrival."""
    stored = await submit(gate(database), apv(severity=severity))
    assert stored.review.due_at == NOW + timedelta(minutes=minutes)


FULL = replace(
    apv(),
    base_ref="main",
    reporter="nightly",
    severity_assumed=True,
    cve_description="Line\r\none\ttwo — ü 漢 🐍 \\ \" ' % :name",
    cvss_vector="CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N",
    cvss_score=9.0,
    epss_score=1e-05,
    epss_percentile=0.1,
    kev=False,
    cwe_ids=("CWE-79", "CWE-80"),
    purl="pkg:pypi/jinja2@3.1.2",
    references=("https://example.org/a", "https://example.org/b"),
    vulnerable_code_signature="do_xmlattr",
    vulnerable_code_type="function",
    affected_files=("src/jinja2/filters.py",),
    confirmed=True,
    confirmation_confidence=0.30000000000000004,
    confirmation_score=1.0,
    static_confidence=0.0,
    dynamic_confidence=0.6,
    false_positive_probability=0.7,
    patch_diff="--- a/x\r\n+++ b/x\r\n@@ -1 +1 @@\r\n-a \r\n+b\t\n\\ No newline at end of file",
    patch_strategy=PatchStrategy.CODE_REWRITE,
    patch_description="Refuse spaces.",
    patch_confidence=0.8,
    patch_risk_level="low",
    validation_passed=True,
    validation_confidence=0.9,
    validation_warnings=("slow",),
    wargame_verdict=WargameVerdict.PARTIAL,
    wargame_confidence=0.95,
    wargame_run_url="https://example.org/run/1",
    wargame_evidence={"z": [1, 2.5, None, True], "a": {"deep": "ü"}, "big": 10**20},
)


@pytest.mark.parametrize("reported", [FULL, apv(), replace(apv(), wargame_evidence=[]), replace(FULL, patch_diff="")])
async def test_what_was_reported_is_read_back_to_the_letter(database: Database, reported: Apv) -> None:
    """Every field, and therefore the same digest; a diff keeps its line ends."""
    assert {f.name for f in fields(Apv)} == set(Apv.__slots__)
    stored = await submit(gate(database), reported)
    assert stored.apv == replace(reported, reporter=reported.reporter or "scan")
    assert digest(stored.apv) == stored.review.digest == digest(reported)
    assert stored.review.has_patch is bool(reported.patch_diff)


async def test_every_content_that_was_ever_shown_is_kept(database: Database) -> None:
    """So that a decision's digest can be opened years later."""
    opened = gate(database)
    await submit(opened)
    await submit(opened, CHANGED)
    kept = await rows(database, "SELECT version, digest, content ->> 'cve_title' AS title FROM apv_contents ORDER BY 1")
    assert [(row["version"], row["digest"], row["title"]) for row in kept] == [
        (1, digest(apv()), apv().cve_title),
        (2, digest(CHANGED), CHANGED.cve_title),
    ]


STATUSES = list(Status)


async def standing(opened: Gate, status: Status, *, pushed: bool = False) -> Dossier:
    """A review of `apv()` that has come to this status."""
    stored = await submit(opened)
    branch = ", pr_branch = 'apv/x'" if pushed else ""
    await run(opened.database, f"UPDATE apv_reviews SET status = '{status.value}'{branch}", "DELETE FROM pgqueuer")
    return stored


@pytest.mark.parametrize("status", STATUSES)
async def test_the_same_content_changes_nothing_in_any_status(database: Database, status: Status) -> None:
    """Any sender gets 200 and the review as it is, and no row changes."""
    opened = gate(database)
    await standing(opened, status)
    before = await everything(database)
    (receipt,) = await hand_in(opened, Submission(replace(apv(), reporter="another-scan"), metadata={"run": 2}))
    assert not receipt.created
    assert receipt.dossier.review.status is status
    assert await everything(database) == before


REVISED = {
    Status.PENDING: Status.PENDING,
    Status.ESCALATED: Status.ESCALATED,
    Status.CHANGES_REQUESTED: Status.PENDING,
    Status.APPROVED: Status.PENDING,
}


@pytest.mark.parametrize(("status", "after"), REVISED.items())
async def test_changed_content_revises_what_waits(database: Database, status: Status, after: Status) -> None:
    """The same review and card, version + 1, votes void; the card and its thread are updated."""
    opened = gate(database)
    before = (await standing(opened, status)).review
    (receipt,) = await hand_in(opened, Submission(CHANGED))
    review = receipt.dossier.review
    assert not receipt.created
    assert (review.id, review.code, review.version, review.status, review.votes) == (
        before.id, before.code, 2, after, (),
    )  # fmt: skip
    assert review.digest == digest(CHANGED)
    assert review.created_at == before.created_at
    assert await log(database, review) == ["review.submitted", "review.revised"]
    assert await queued(database) == ["slack.card", "slack.reply", "github.base"]


ENDED = [(s, False) for s in STATUSES if s not in REVISED] + [(Status.APPROVED, True)]


@pytest.mark.parametrize(("status", "pushed"), ENDED)
async def test_changed_content_opens_a_new_review_where_the_old_has_ended(
    database: Database, status: Status, pushed: bool
) -> None:
    """It names the former review; the former review and its pull request are left alone."""
    clock = Clock()
    opened = gate(database, clock=clock)
    former = (await standing(opened, status, pushed=pushed)).review
    untouched = await now_of(opened, former)
    clock.advance(minutes=1)
    (receipt,) = await hand_in(opened, Submission(CHANGED, metadata={"ticket": "SEC-2"}))
    review = receipt.dossier.review
    assert receipt.created
    assert (review.code, review.version, review.status) == ("APV-2026-0002", 1, Status.PENDING)
    assert receipt.dossier.metadata == {"ticket": "SEC-2", "follows": former.code}
    assert await now_of(opened, former) == untouched
    again = await submit(opened, replace(CHANGED, cve_title="And worse"))
    assert again.review.id == review.id, "the newest of an APV's reviews is the one in force"


async def test_a_push_and_new_content_cannot_cross(database: Database) -> None:
    """Once a push has begun, changed content is a review of its own."""
    opened = gate(database)
    review = (await submit(opened)).review
    await click(opened, ALICE, review)
    assert await pulls.begin_push(opened, push(review))
    (receipt,) = await hand_in(opened, Submission(CHANGED))
    assert receipt.created
    assert (await now_of(opened, review)).status is Status.APPROVED


async def test_a_failure_that_pushed_nothing_lets_new_content_in(database: Database) -> None:
    """A better patch goes to the same review."""
    opened = gate(database)
    review = (await submit(opened)).review
    await click(opened, ALICE, review)
    await pulls.begin_push(opened, push(review))
    await pulls.failed(opened, push(review), "The patch does not apply.", pushed=False)
    (receipt,) = await hand_in(opened, Submission(CHANGED))
    assert not receipt.created
    assert (receipt.dossier.review.status, receipt.dossier.review.note) == (Status.PENDING, None)


@pytest.mark.parametrize("state", ["queued", "failed"])
async def test_new_content_drops_the_pull_request_of_the_old(database: Database, state: str) -> None:
    """Queued or held: nobody should retry a job that is obsolete."""
    opened = gate(database)
    review = (await submit(opened)).review
    await click(opened, ALICE, review)
    await run(database, f"UPDATE pgqueuer SET status = '{state}' WHERE entrypoint = 'github.pull'")
    await submit(opened, CHANGED)
    assert "github.pull" not in await queued(database)
    now = await now_of(opened, review)
    await click(opened, ALICE, now)
    (job,) = await rows(database, "SELECT dedupe_key FROM pgqueuer WHERE entrypoint = 'github.pull'")
    assert job["dedupe_key"] == push(now).key


async def test_after_a_closed_escalation_new_content_is_for_everyone(database: Database) -> None:
    """A lead asked for changes; when they come, any reviewer may approve."""
    opened = gate(database, rules=policy(leads=(CAROL,)))
    review = (await submit(opened)).review
    await click(opened, BOB, review, Choice.ESCALATE)
    await click(opened, CAROL, review, Choice.MODIFY)
    await submit(opened, CHANGED)
    await click(opened, ALICE, await now_of(opened, review))
    assert (await now_of(opened, review)).status is Status.APPROVED


async def test_another_severity_moves_the_deadline(database: Database) -> None:
    """Still counted from arrival; the same severity leaves a deadline that somebody moved."""
    clock = Clock()
    opened = gate(database, clock=clock)
    await submit(opened)
    await run(database, "UPDATE apv_reviews SET due_at = due_at + interval '1 day'")
    clock.advance(hours=1)
    stored = await submit(opened, CHANGED)
    assert stored.review.due_at == NOW + timedelta(days=2)
    stored = await submit(opened, replace(CHANGED, severity=Severity.CRITICAL))
    assert stored.review.due_at == NOW + timedelta(minutes=240)
    assert stored.priority == 9


async def test_a_list_is_answered_in_the_order_sent(database: Database) -> None:
    """New, known and changed ones together; a duplicate within one list is one review."""
    opened = gate(database)
    await submit(opened, apv(package_name="known"))
    await submit(opened, apv(package_name="changed"))
    receipts = await hand_in(
        opened,
        Submission(apv(package_name="new")),
        Submission(apv(package_name="changed", cve_title="Changed")),
        Submission(apv(package_name="known")),
        Submission(apv(package_name="new")),
        Submission(apv(package_name="newer")),
    )
    assert [r.created for r in receipts] == [True, False, False, False, True]
    assert codes(receipts) == ["APV-2026-0003", "APV-2026-0002", "APV-2026-0001", "APV-2026-0003", "APV-2026-0004"]


async def test_an_empty_list_is_nothing(database: Database) -> None:
    """It is not an error."""
    assert await hand_in(gate(database)) == []


async def test_a_list_is_all_or_nothing(database: Database) -> None:
    """Every fault is named with its place, and nothing of the list is stored."""
    opened = gate(database, repositories=frozenset({"sample/shop"}))
    faults = await refused(
        opened,
        Submission(apv()),
        Submission(apv(repository="evil/fork")),
        Submission(apv(package_name="other")),
        Submission(apv(repository="")),
    )
    message = "is not an allowed repository"
    assert [f.loc for f in faults] == [(1, "repository"), (3, "repository")]
    assert {(f.type, f.msg) for f in faults} == {("repository_not_allowed", message)}
    assert len(await hand_in(opened, Submission(apv(repository="Sample/SHOP")))) == 1


async def test_a_code_that_is_asked_for_is_given(database: Database) -> None:
    """The counter skips it."""
    opened = gate(database)
    assert (await submit(opened, code="APV-2026-0002")).review.code == "APV-2026-0002"
    assert (await submit(opened, apv(package_name="one"))).review.code == "APV-2026-0001"
    assert (await submit(opened, apv(package_name="two"))).review.code == "APV-2026-0003"


async def test_the_same_code_is_the_same_apv(database: Database) -> None:
    """Everything else that changed is content."""
    opened = gate(database)
    first = await submit(opened, code="APV-2026-0007")
    second = await submit(opened, apv(package_version="3.1.0"), code="APV-2026-0007")
    assert second.review.id == first.review.id
    assert second.review.version == 2
    third = await submit(opened, apv(package_version="3.1.0"))
    assert third.review.id == first.review.id, "and it is known by its new identity"


async def test_a_code_of_another_apv_is_a_fault(database: Database) -> None:
    """One that has a review of its own cannot take another's code."""
    opened = gate(database)
    await submit(opened, code="APV-2026-0007")
    await submit(opened, apv(package_name="other"))
    (fault,) = await refused(
        opened, Submission(apv(package_name="third")), Submission(apv(package_name="other"), "APV-2026-0007")
    )
    assert fault == Fault(
        "apv_code_taken", (1, "apv_code"), "APV-2026-0007 is the code of another APV; this one is APV-2026-0001"
    )


async def test_a_code_of_a_review_that_has_ended_opens_a_new_one(database: Database) -> None:
    """With the next free code, because the former review keeps the old one."""
    clock = Clock()
    opened = gate(database, clock=clock)
    former = await submit(opened, code="APV-2026-0007")
    clock.advance(minutes=1)
    await click(opened, ALICE, former.review, Choice.REJECT)
    stored = await submit(opened, CHANGED, code="APV-2026-0007")
    assert stored.review.code == "APV-2026-0001"
    assert stored.metadata == {"follows": "APV-2026-0007"}
    assert (await submit(opened, CHANGED, code="APV-2026-0007")).review == stored.review


async def test_each_year_counts_from_one(database: Database) -> None:
    """By our clock, in UTC."""
    clock = Clock()
    opened = gate(database, clock=clock)
    await submit(opened)
    clock.advance(days=365)
    assert (await submit(opened, apv(package_name="other"))).review.code == "APV-2027-0001"


async def test_one_apv_submitted_by_many_at_once_is_one_review(database: Database) -> None:
    """One of them creates it; the others find it."""
    opened = gate(database)
    receipts = await asyncio.gather(*[hand_in(opened, Submission(apv())) for _ in range(12)])
    assert sum(receipt.created for (receipt,) in receipts) == 1
    assert len({receipt.dossier.review.id for (receipt,) in receipts}) == 1
    assert len(await all_of(opened)) == 1


async def test_two_contents_of_one_apv_at_once_are_two_versions(database: Database) -> None:
    """In whichever order, the second revises the first."""
    opened = gate(database)
    await asyncio.gather(hand_in(opened, Submission(apv())), hand_in(opened, Submission(CHANGED)))
    (stored,) = await all_of(opened)
    assert stored.review.version == 2
    assert await log(database, stored.review) == ["review.submitted", "review.revised"]


async def test_a_click_and_new_content_at_once_never_approve_what_nobody_saw(database: Database) -> None:
    """In either order, a vote is for the content that was shown or is refused as stale."""
    opened = gate(database)
    review = (await submit(opened)).review
    async with database.transaction() as tx:
        await stored_submissions.latest_of(tx, identity(apv()))
        both = [
            asyncio.create_task(hand_in(opened, Submission(CHANGED))),
            asyncio.create_task(click(opened, ALICE, review)),
        ]
        await blocked(database, 2)
    await asyncio.gather(*both)
    now = await now_of(opened, review)
    assert (now.version, now.status, now.votes) == (2, Status.PENDING, ())
    assert "github.pull" not in await queued(database)


async def test_codes_are_unique_however_many_come_at_once(database: Database) -> None:
    """Without a gap, and without one code twice."""
    opened = gate(database)
    lists = [[Submission(apv(package_name=f"p{n}-{i}")) for i in range(5)] for n in range(8)]
    receipts = await asyncio.gather(*[hand_in(opened, *items) for items in lists])
    given = [code for some in receipts for code in codes(some)]
    assert sorted(given) == [f"APV-2026-{n:04d}" for n in range(1, 41)]


async def test_lists_that_overlap_the_other_way_round_do_not_deadlock(database: Database) -> None:
    """Names are locked in one order, whatever the order sent."""
    opened = gate(database)
    items = [Submission(apv(package_name=f"p{i}"), f"APV-2026-{i:04d}") for i in range(1, 21)]
    sent = [items, items[::-1], items[::2], items[::-3]]
    receipts = await asyncio.gather(*[hand_in(opened, *some) for some in sent * 2])
    assert sum(receipt.created for some in receipts for receipt in some) == 20


async def test_a_thousand_in_one_list(database: Database) -> None:
    """The most that one request may hold: all are stored, each with its card queued."""
    opened = gate(database)
    receipts = await hand_in(opened, *[Submission(apv(package_name=f"p{i}")) for i in range(1000)])
    assert codes(receipts) == [f"APV-2026-{i:04d}" for i in range(1, 1001)]
    assert await queued(database) == ["slack.card", "github.base"] * 1000


async def test_lists_of_a_thousand_with_codes_fit_the_servers_locks(database: Database) -> None:
    """A server has room for some 6,400 locks in all transactions together; ours need few."""
    opened = [gate(database).database.transaction() for _ in range(8)]

    async def names_of(n: int) -> None:
        async with opened[n] as tx:
            await stored_submissions.lock_names(tx, [f"{n}-{i}" for i in range(2000)])
            held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            assert (await rows(database, held))[0]["count"] <= 256

    await asyncio.gather(*[names_of(n) for n in range(8)])


FOREIGN: dict[str, str] = {
    "id": "'00000000-0000-0000-0000-0000000000aa'",
    "apv_code": "'APV-2026-0042'",
    "cve_id": "'CVE-2024-22195'",
    "severity": "'critical'",
    "package_name": "'jinja2'",
    "package_version": "'3.1.2'",
    "patch_strategy": "'version_bump'",
    "patch_content": "'--- a/x'",
    "wargame_verdict": "'success'",
    "wargame_confidence": "0.9",
    "wargame_evidence": "'{\"run\": 1}'",
    "confirmation_score": "0.8",
    "status": "'pending'",
    "created_at": "'2026-01-02T03:04:05Z'",
    "updated_at": "'2026-01-02T03:04:05Z'",
    "metadata": '\'{"from": "elsewhere"}\'',
}
"""What another program INSERTs: the contract's columns and no others."""
LEAST = {name: FOREIGN[name] for name in ("apv_code", "severity", "package_name")}


async def insert(database: Database, values: Mapping[str, str] = FOREIGN, **changes: str) -> None:
    row = {**values, **changes}
    await run(database, f"INSERT INTO apv_reviews ({', '.join(row)}) VALUES ({', '.join(row.values())})")


async def test_a_row_of_another_program_is_taken_in(database: Database) -> None:
    """Digest, priority, deadline and repository are filled in, and the review is posted like any other."""
    opened = gate(database)
    await insert(database)
    assert await queries.find(opened, "APV-2026-0042") is None, "not before it has a digest"
    assert await adopt(opened) == 1
    stored = await queries.find(opened, "APV-2026-0042")
    assert stored is not None
    review, reported = stored.review, stored.apv
    assert (review.status, review.version, review.digest) == (Status.PENDING, 1, digest(reported))
    assert review.due_at == review.created_at + timedelta(minutes=240)
    assert (stored.priority, stored.metadata) == (9, {"from": "elsewhere"})
    assert (reported.repository, reported.package_ecosystem, reported.patch_diff) == ("sample/shop", "", "--- a/x")
    assert (reported.wargame_evidence, reported.confirmation_score) == ({"run": 1}, 0.8)
    assert await queued(database) == ["slack.card", "slack.alert", "github.base"]
    assert await log(database, review) == ["review.submitted"]
    assert await adopt(opened) == 0


async def test_the_minimal_row_of_another_program(database: Database) -> None:
    """Every other column has a default; such a review is decided like any other."""
    opened = gate(database)
    await insert(database, LEAST)
    assert await adopt(opened) == 1
    (stored,) = await all_of(opened)
    for user in (ALICE, BOB):
        await click(opened, user, stored.review)
    assert (await now_of(opened, stored.review)).status is Status.APPROVED


async def test_a_deadline_that_another_program_set_stands(database: Database) -> None:
    """`due_at` alone is the deadline."""
    await insert(database, due_at="'2026-01-03T00:00:00Z'")
    await adopt(gate(database))
    (row,) = await rows(database, "SELECT due_at::text FROM apv_reviews")
    assert row["due_at"].startswith("2026-01-03")


async def test_two_sweepers_take_a_row_in_once(database: Database) -> None:
    """One card, one entry."""
    opened = gate(database)
    for n in range(20):
        await insert(database, LEAST, apv_code=f"'APV-2026-{n:04d}'", severity="'low'")
    assert sum(await asyncio.gather(*[adopt(opened) for _ in range(4)])) == 20
    assert await queued(database) == ["slack.card"] * 20
    assert len(await rows(database, "SELECT 1 FROM audit_log")) == 20


@pytest.mark.long
async def test_more_than_one_sweep_can_hold_is_taken_in_at_once(database: Database) -> None:
    """No row waits for the next sweep because others came first."""
    opened = gate(database)
    some = "SELECT 'APV-2026-' || n, 'low', 'p' || n FROM generate_series(1000, 1204) n"
    await run(database, f"INSERT INTO apv_reviews (apv_code, severity, package_name) {some}")
    assert await adopt(opened) == 205


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
async def test_a_score_that_is_no_number_is_none(database: Database, number: str) -> None:
    """PostgreSQL's floats know what JSON does not: the row is taken in without the score."""
    opened = gate(database)
    await insert(database, wargame_confidence=f"'{number}'", confirmation_score=f"'{number}'")
    assert await adopt(opened) == 1
    (stored,) = await all_of(opened)
    assert (stored.apv.wargame_confidence, stored.apv.confirmation_score) == (None, None)
    assert await rows(database, "SELECT wargame_confidence FROM apv_reviews") == [{"wargame_confidence": None}]


async def test_a_row_that_cannot_be_taken_in_stops_no_other(database: Database) -> None:
    """A row with values that only the bot may set is left, and the row after it is still adopted."""
    opened = gate(database)
    await insert(database, LEAST, details='\'{"no": "such field"}\'', created_at="'2026-01-01T00:00:00Z'")
    await insert(database, LEAST, apv_code="'APV-2026-0043'")
    assert await adopt(opened) == 1
    assert [stored.review.code for stored in await all_of(opened)] == ["APV-2026-0043"]


async def test_a_code_that_another_program_has_just_used_is_its_apvs(database: Database) -> None:
    """Even before a sweep has seen the row: a submission with that code is of that APV."""
    opened = gate(database)
    await insert(database)
    stored = await submit(opened, code="APV-2026-0042")
    assert stored.review.code == "APV-2026-0042"
    assert stored.review.version == 2
    assert await log(database, stored.review) == ["review.submitted", "review.revised"]


async def test_our_codes_step_over_those_of_other_programs(database: Database) -> None:
    """Whether the sweep has seen their rows or not."""
    opened = gate(database)
    await insert(database, LEAST, apv_code="'APV-2026-0001'")
    assert (await submit(opened)).review.code == "APV-2026-0002"


BAD: list[dict[str, Any]] = [
    {"severity": "'dire'"},
    {"patch_strategy": "'prayer'"},
    {"wargame_verdict": "'won'"},
    {"package_name": "NULL"},
]


@pytest.mark.parametrize("changes", BAD)
async def test_what_no_review_can_be_is_refused_at_the_insert(database: Database, changes: dict[str, Any]) -> None:
    """The other program gets the error, and the bot never sees the row."""
    with pytest.raises(Exception, match="constraint"):
        await insert(database, **changes)


async def test_nobody_takes_over_the_code_of_another_principals_review(database: Database) -> None:
    """Another APV under a code that somebody else's review has is refused, and that review stays as it was."""
    opened = gate(database)
    first = await submit(opened, code="APV-2026-0007", by="nightly-scan")
    with pytest.raises(NotAccepted) as caught:
        await submit(opened, apv(package_name="requests", cve_id="CVE-2023-32681"), code="APV-2026-0007", by="other")
    (fault,) = caught.value.faults
    assert fault.type == "apv_code_taken"
    assert await now_of(opened, first.review) == first.review
