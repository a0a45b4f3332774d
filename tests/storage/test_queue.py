"""The queue of reviews: most urgent first, page by page, with filters."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from bot.domain.apv import PatchStrategy, Severity, Submission, WargameVerdict
from bot.domain.review import AWAITING, Status
from bot.service import claims, queries, submissions
from bot.service.gate import Gate
from bot.service.queries import Filter, Position
from bot.service.submissions import Submitter
from storage.database import Database
from tests.builders import ALICE, BOB, NOW, Clock, apv, asker, gate, run, submit


async def names(opened: Gate, what: Filter | None = None, **how: Any) -> list[str]:
    """The packages of a page, in its order."""
    page = await queries.page(opened, what or Filter(), limit=how.pop("limit", 100), **how)
    return [stored.apv.package_name for stored in page.reviews]


async def test_the_most_urgent_come_first(database: Database) -> None:
    """Severity, known exploitation, then the deadline, then age; one without a deadline is last of its kind."""
    clock = Clock()
    opened = gate(database, clock=clock)
    arrivals: list[tuple[str, Severity, bool]] = [
        ("low", Severity.LOW, False),
        ("high-old", Severity.HIGH, False),
        ("high-new", Severity.HIGH, False),
        ("high-exploited", Severity.HIGH, True),
        ("critical", Severity.CRITICAL, False),
        ("medium", Severity.MEDIUM, False),
        ("high-soon", Severity.HIGH, False),
        ("high-whenever", Severity.HIGH, False),
    ]
    for name, severity, kev in arrivals:
        clock.advance(minutes=1)
        await submit(opened, apv(package_name=name, severity=severity, kev=kev))
    await run(
        database,
        "UPDATE apv_reviews SET due_at = created_at WHERE package_name = 'high-soon'",
        "UPDATE apv_reviews SET due_at = NULL WHERE package_name = 'high-whenever'",
    )
    assert await names(opened) == [
        "critical", "high-exploited", "high-soon", "high-old", "high-new", "high-whenever", "medium", "low",
    ]  # fmt: skip
    assert [stored.apv.package_name for stored in (await queries.waiting(opened, None, limit=2)).reviews] == [
        "critical", "high-exploited",
    ]  # fmt: skip
    high = await queries.waiting(opened, Severity.HIGH, limit=10)
    assert (high.total, len(high.reviews), high.more) == (5, 5, False)


@pytest.fixture
async def crowded(database: Database) -> Gate:
    """Thirty reviews that differ only in their names and some in their deadlines; three have no deadline."""
    opened = gate(database)
    await submissions.submit(opened, [Submission(apv(package_name=f"p{n:02}")) for n in range(30)], Submitter("scan"))
    await run(
        database,
        "UPDATE apv_reviews SET due_at = due_at + (substr(package_name, 2)::int % 4) * interval '1 hour'",
        "UPDATE apv_reviews SET due_at = NULL WHERE package_name IN ('p07', 'p08', 'p21')",
        "UPDATE apv_reviews SET priority = 9 WHERE package_name IN ('p08', 'p11', 'p12')",
    )
    return opened


@pytest.mark.parametrize("size", [1, 4, 7, 30, 50])
async def test_walking_by_cursor_shows_each_once(crowded: Gate, size: int) -> None:
    """Page by page, in the overall order, whether deadlines are equal or missing."""
    whole = await names(crowded)
    assert len(set(whole)) == 30
    walked: list[str] = []
    after: Position | None = None
    while True:
        page = await queries.page(crowded, Filter(), limit=size, after=after)
        assert page.total == 30
        walked += [stored.apv.package_name for stored in page.reviews]
        assert page.more is (len(walked) < 30)
        if not page.more:
            break
        after = queries.position(page.reviews[-1])
    assert walked == whole


@pytest.mark.parametrize("offset", [0, 1, 29, 30, 31])
async def test_an_offset_skips_from_the_head(crowded: Gate, offset: int) -> None:
    """The other way to walk."""
    assert await names(crowded, offset=offset) == (await names(crowded))[offset:]


async def test_a_cursor_stays_while_reviews_come_and_go(crowded: Gate) -> None:
    """Reviews that are decided or arrive before it do not shift the next page."""
    first = await queries.page(crowded, Filter(), limit=10)
    rest = (await names(crowded))[10:]
    await run(crowded.database, "UPDATE apv_reviews SET status = 'approved' WHERE package_name IN ('p08', 'p11')")
    await submit(crowded, apv(package_name="urgent", severity=Severity.CRITICAL))
    assert await names(crowded, after=queries.position(first.reviews[-1])) == rest


async def test_only_what_awaits_a_decision_unless_asked(database: Database) -> None:
    """Every status can be asked for, and all of them."""
    opened = gate(database)
    for status in Status:
        await submit(opened, apv(package_name=status.value))
        await run(database, f"UPDATE apv_reviews SET status = '{status}' WHERE package_name = '{status}'")
    assert set(await names(opened)) == {status.value for status in AWAITING}
    assert len(await names(opened, Filter(statuses=None))) == len(Status)
    for status in Status:
        assert await names(opened, Filter(statuses=frozenset({status}))) == [status.value]
    two = frozenset({Status.MERGED, Status.REJECTED})
    assert set(await names(opened, Filter(statuses=two))) == {"merged", "rejected"}


FILTERS: list[tuple[dict[str, Any], set[str]]] = [
    ({}, {"jinja2", "Jinja-Extra", "100%_wool", "flask"}),
    ({"severity": Severity.LOW}, {"flask"}),
    ({"patch_strategy": PatchStrategy.MANUAL}, {"Jinja-Extra"}),
    ({"wargame_verdict": WargameVerdict.SUCCESS}, {"100%_wool"}),
    ({"package_name": "jinja"}, {"jinja2", "Jinja-Extra"}),
    ({"package_name": "INJA-"}, {"Jinja-Extra"}),
    ({"package_name": "%"}, {"100%_wool"}),
    ({"package_name": "_"}, {"100%_wool"}),
    ({"package_name": "/"}, set()),
    ({"package_name": "'; DROP TABLE apv_reviews; --"}, set()),
    ({"package_name": "jinja", "severity": Severity.LOW}, set()),
    ({"claimed_by": ALICE}, {"flask"}),
    ({"claimed_by": BOB}, set()),
]


@pytest.mark.parametrize(("limits", "expected"), FILTERS)
async def test_what_a_list_is_limited_to(database: Database, limits: dict[str, Any], expected: set[str]) -> None:
    """Each filter alone and together; a name matches anywhere in the text, without case and without wildcards."""
    opened = gate(database)
    await submit(opened, apv(package_name="jinja2"))
    await submit(opened, apv(package_name="Jinja-Extra", patch_strategy=PatchStrategy.MANUAL))
    await submit(opened, apv(package_name="100%_wool", wargame_verdict=WargameVerdict.SUCCESS))
    flask = await submit(opened, apv(package_name="flask", severity=Severity.LOW))
    await claims.claim(opened, asker(ALICE), flask.review.id)
    assert set(await names(opened, Filter(**limits))) == expected
    assert (await queries.page(opened, Filter(**limits), limit=1)).total == len(expected)


async def test_what_somebody_claimed_ends_with_its_decision(database: Database) -> None:
    """`mine` shows what is still theirs to do."""
    opened = gate(database)
    stored = await submit(opened)
    await claims.claim(opened, asker(ALICE), stored.review.id)
    assert (await queries.claimed_by(opened, ALICE, limit=5)).total == 1
    await run(database, "UPDATE apv_reviews SET status = 'approved'")
    assert (await queries.claimed_by(opened, ALICE, limit=5)).total == 0


async def test_a_review_is_found_by_its_names(database: Database) -> None:
    """By UUID or code, in any case; anything else finds nothing and is no error."""
    opened = gate(database)
    stored = await submit(opened)
    review = stored.review
    for name in (str(review.id), str(review.id).upper(), review.code, review.code.lower()):
        found = await queries.find(opened, name)
        assert found == stored
    for name in (
        "",
        "APV-2026-0002",
        "jinja2",
        "00000000-0000-0000-0000-000000000000",
        "\0",
        "\ud800",
        "%",
        "x" * 9999,
    ):
        assert await queries.find(opened, name) is None


async def test_the_queue_is_read_from_its_index(database: Database) -> None:
    """As fast with a million as with a hundred: no sort, and decided reviews are not read."""
    opened = gate(database)
    await submit(opened)
    copies = "SELECT 'APV-2025-' || n, 'low', 'p', 'rejected', 'd' FROM generate_series(1, 5000) n"
    await run(
        database,
        "ALTER TABLE apv_reviews DISABLE TRIGGER apv_reviews_start_new",
        f"INSERT INTO apv_reviews (apv_code, severity, package_name, status, digest) {copies}",
        "ANALYZE apv_reviews",
    )
    asked: list[tuple[str, Any]] = []
    event.listen(
        database.engine.sync_engine,
        "before_cursor_execute",
        lambda _c, _cursor, sql, values, *_: asked.append((sql, values)),
    )
    await queries.waiting(opened, None, limit=50)
    sql, values = asked[0]
    async with database.transaction() as tx:
        plan = (await tx.exec_driver_sql(f"EXPLAIN {sql}", values)).scalars().all()
    words = " ".join(plan)
    assert "ix_apv_reviews_queue" in words
    assert "Sort" not in words


async def test_a_position_is_a_place_in_the_order(database: Database) -> None:
    """A cursor holds nothing else."""
    stored = await submit(gate(database))
    assert queries.position(stored) == Position(7, NOW + timedelta(days=1), NOW, stored.review.id)
