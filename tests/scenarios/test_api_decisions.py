"""Decisions over REST and the statistics, on a real server and a real PostgreSQL."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from sqlalchemy import text

from bot.policies.reading import Around, read
from handlers import http
from handlers.api import reviews as api
from handlers.api.auth import Auth
from storage.database import Database
from tests.web import HOLDER, Clock, apv, asks, gate, gets, nowhere, serving, serving_api, settings, submits, token

UNKNOWN = "9a7c2d4e-5b1f-4c3a-8e6d-0f2b4a6c8e10"
WHY = "The pin is exact and the tests pass."
RECORD = """
decision_id apv_id apv_code decision justification confidence modifications reviewer_name reviewer_email cve_id severity
patch_strategy wargame_verdict action_taken outcome_notes decided_at action_completed_at reviewer_verified source
version digest
"""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def anybody(database: Database, clock: Clock) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of a server without tokens: it may name any reviewer."""
    async with serving_api(database, clock, holder=None, api_auth="none") as client:
        yield client


def decision(review: dict[str, Any], **changes: object) -> dict[str, Any]:
    asked = {"apv_id": review["apv_id"], "decision": "approve", "justification": WHY, "reviewer_name": "Ana"}
    return {**asked, **changes}


async def review(client: aiohttp.ClientSession, **changes: object) -> dict[str, Any]:
    _, made = await submits(client, apv(**changes))
    found: dict[str, Any] = made
    return found


async def decides(client: aiohttp.ClientSession, asked: object, path: str = "", **how: Any) -> tuple[int, Any]:
    return await asks(client, "POST", f"/hitl/decisions{path}", json=asked, **how)


async def made(database: Database) -> int:
    async with database.transaction() as tx:
        return int((await tx.execute(text("SELECT count(*) FROM hitl_decisions"))).scalar_one())


# Deciding


async def test_a_decision_is_answered_by_its_record(anybody: aiohttp.ClientSession) -> None:
    """200 with every field of the contract; the decision closes the review."""
    one = await review(anybody, wargame_verdict="success")
    status, record = await decides(anybody, decision(one, decision=" APPROVE ", confidence=0.5, modifications={"a": 1}))
    assert status == 200
    assert set(record) == set(RECORD.split())
    shown = {n: record[n] for n in ("apv_code", "decision", "justification", "confidence", "modifications", "source")}
    assert shown == {
        "apv_code": "APV-2026-0001",
        "decision": "approve",
        "justification": WHY,
        "confidence": 0.5,
        "modifications": {"a": 1},
        "source": "api",
    }
    assert (record["reviewer_name"], record["reviewer_verified"], record["wargame_verdict"]) == (
        "Ana",
        False,
        "success",
    )
    assert (record["action_taken"], record["decided_at"]) == ("recorded", "2026-11-22T12:00:00Z")
    assert (record["version"], record["digest"]) == (1, one["digest"])
    assert (await gets(anybody, f"/hitl/reviews/{one['apv_id']}"))["status"] == "approved"
    assert await gets(anybody, f"/hitl/decisions/{record['decision_id']}") == record


@pytest.mark.parametrize(
    ("choice", "status", "action"),
    [
        ("approve", "approved", "recorded"),
        ("reject", "rejected", "recorded"),
        ("modify", "changes_requested", "changes_requested"),
        ("escalate", "escalated", "escalated"),
    ],
)
async def test_each_decision_has_its_effect(
    anybody: aiohttp.ClientSession, choice: str, status: str, action: str
) -> None:
    """The review's new status, and the record's `action_taken`."""
    one = await review(anybody)
    _, record = await decides(anybody, decision(one, decision=choice))
    assert record["action_taken"] == action
    assert (await gets(anybody, f"/hitl/reviews/{one['apv_code']}"))["status"] == status


@pytest.mark.parametrize(("holder", "name"), [("decider", "Ana"), ("ben", "Ben")])
async def test_a_token_decides_as_its_owner(database: Database, holder: str, name: str) -> None:
    """By Slack id or address: the record carries the profile's name and e-mail; the client's are kept beside it."""
    async with serving_api(database) as client:
        one = await review(client)
        asked = decision(one, reviewer_name="Eve", reviewer_email="eve@example.org", digest=one["digest"])
        _, record = await decides(client, asked, headers=HOLDER[holder])
    assert (record["reviewer_name"], record["reviewer_email"]) == (name, f"{name.lower()}@example.org")
    assert record["reviewer_verified"] is True
    async with database.transaction() as tx:
        kept = (await tx.execute(text("SELECT metadata FROM hitl_decisions"))).scalar_one()
        (told,) = (await tx.execute(text("SELECT detail FROM audit_log WHERE detail ? 'decision_id'"))).scalars()
    assert {"token": holder, "reviewer_name": "Eve", "reviewer_email": "eve@example.org"}.items() <= kept.items()
    assert told["token"] == holder


async def test_a_token_is_nobodys_before_slack_has_said_who_we_are(database: Database, clock: Clock) -> None:
    """503: whether its owner is a member of this workspace is not known yet."""
    app = http.application()
    api.add_routes(app, replace(gate(database, clock), team_id=lambda: ""), Auth.of(settings(), clock.seconds, clock))
    async with serving(app, **HOLDER["scanner"]) as client:
        one = await review(client)
        for holder in ("decider", "ben"):
            status, _ = await decides(client, decision(one, digest=one["digest"]), headers=HOLDER[holder])
            assert status == 503
    assert await made(database) == 0


async def test_a_machine_decides_under_its_tokens_name(database: Database) -> None:
    """A token without an owner may reject, and no name that it sends makes it a person."""
    async with serving_api(database, api_tokens=(token("scanner", "read+submit+decide"),)) as client:
        one = await review(client, reporter="nightly-scan")
        _, record = await decides(client, decision(one, decision="reject", reviewer_email="ana@example.org"))
    assert (record["reviewer_name"], record["reviewer_email"], record["reviewer_verified"]) == ("scanner", None, True)


async def test_one_token_is_one_person(database: Database) -> None:
    """A critical review needs two people: the same token with another name is refused with 403."""
    async with serving_api(database) as client:
        one = await review(client, severity="critical")
        asked = decision(one, digest=one["digest"])
        first, _ = await decides(client, asked, headers=HOLDER["decider"])
        second = await decides(client, asked | {"reviewer_name": "Ben"}, headers=HOLDER["decider"])
        third, _ = await decides(client, asked, headers=HOLDER["ben"])
    assert (first, second[0], third) == (200, 403, 200)
    assert "1 of 2 approvals" in second[1]["detail"]


async def test_without_tokens_a_person_is_their_e_mail(anybody: aiohttp.ClientSession, database: Database) -> None:
    """Upper and lower case do not matter; the audit log says that the name is not verified."""
    one = await review(anybody, severity="critical")
    await decides(anybody, decision(one, reviewer_email="Ana@Example.org"))
    status, _ = await decides(anybody, decision(one, reviewer_email="ana@example.ORG", reviewer_name="Somebody"))
    assert status == 403
    status, _ = await decides(anybody, decision(one, reviewer_name="Ben"))
    assert status == 200
    async with database.transaction() as tx:
        detail = (await tx.execute(text("SELECT detail FROM audit_log WHERE kind = 'review.approved'"))).scalar_one()
    assert detail["reviewer_verified"] is False


async def test_the_reporter_cannot_approve(anybody: aiohttp.ClientSession) -> None:
    """The rules are those of a click: 403 with the sentence that Slack would show."""
    one = await review(anybody, reporter="ana@example.org")
    status, body = await decides(anybody, decision(one, reviewer_email="ana@example.org"))
    assert (status, "You reported" in body["detail"]) == (403, True)


async def test_a_closed_review_takes_no_new_decision(anybody: aiohttp.ClientSession) -> None:
    """409."""
    one = await review(anybody)
    await decides(anybody, decision(one))
    status, body = await decides(anybody, decision(one, reviewer_name="Ben", decision="reject"))
    assert (status, "already approved" in body["detail"]) == (409, True)


async def test_a_digest_that_is_no_longer_current_is_refused(anybody: aiohttp.ClientSession) -> None:
    """409, and nothing is recorded; with the current digest the decision is recorded."""
    one = await review(anybody)
    two = await review(anybody, cve_title="Changed")
    assert (await decides(anybody, decision(one, digest=one["digest"])))[0] == 409
    assert (await decides(anybody, decision(one, digest=two["digest"])))[0] == 200


# Older clients


@pytest.mark.parametrize(
    "older",
    [
        {"comments": "ok"},
        {"comments": None},
        {"confidence_override": 0.25},
        {"comments": "", "confidence_override": None},
    ],
)
async def test_the_older_body_is_answered_by_201(anybody: aiohttp.ClientSession, older: dict[str, object]) -> None:
    """A comment of any length or none, in place of the justification."""
    one = await review(anybody)
    asked = {"apv_id": one["apv_code"], "decision": "REJECT", "reviewer_name": "Ana", **older}
    status, record = await decides(anybody, asked)
    assert (status, record["justification"]) == (201, older.get("comments") or "")
    assert record["confidence"] == (older.get("confidence_override") or 1.0)


@pytest.fixture
async def strict(database: Database, clock: Clock) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of a server whose policy file asks for a justification with each approval of a medium review."""
    policy = read("[severity.medium]\njustification = true\n", Around((), (), "C1", "C2"))
    governed = replace(gate(database, clock), policy=lambda: policy)
    app = http.application()
    api.add_routes(app, governed, Auth.of(settings(api_auth="none"), clock.seconds))
    async with serving(app) as client:
        yield client


@pytest.mark.parametrize("older", [{}, {"comments": None}, {"comments": ""}, {"comments": " \n "}])
async def test_an_older_approval_without_a_comment_is_refused_where_the_policy_wants_a_justification(
    strict: aiohttp.ClientSession, database: Database, older: dict[str, object]
) -> None:
    """403 with a sentence about the justification, and nothing is recorded."""
    one = await review(strict)
    asked = {"apv_id": one["apv_code"], "decision": "approve", "reviewer_name": "Ana", **older}
    status, body = await decides(strict, asked, "/")
    assert (status, "justification" in str(body.get("detail"))) == (403, True)
    assert await made(database) == 0
    assert (await gets(strict, f"/hitl/reviews/{one['apv_id']}"))["status"] == "pending"


@pytest.mark.parametrize(
    ("choice", "older"), [("approve", {"comments": "ok"}), ("reject", {}), ("reject", {"confidence_override": 0.5})]
)
async def test_an_older_comment_may_have_any_length_under_such_a_policy(
    strict: aiohttp.ClientSession, choice: str, older: dict[str, object]
) -> None:
    """A short comment justifies an approval, and a rejection needs none."""
    one = await review(strict)
    asked = {"apv_id": one["apv_code"], "decision": choice, "reviewer_name": "Ana", **older}
    status, record = await decides(strict, asked, "/")
    assert (status, record["decision"], record["justification"]) == (201, choice, older.get("comments", ""))


@pytest.mark.parametrize("prefix", ["/hitl", "/hitl/hitl"])
async def test_the_path_with_a_slash_is_answered_by_201(anybody: aiohttp.ClientSession, prefix: str) -> None:
    """For either body, and without a redirect."""
    one = await review(anybody)
    status, _ = await asks(anybody, "POST", f"{prefix}/decisions/", json=decision(one), allow_redirects=False)
    assert status == 201


# Invalid requests


async def test_an_unknown_apv_is_404_whatever_else_is_wrong(anybody: aiohttp.ClientSession) -> None:
    """The APV is looked up first."""
    assert await decides(anybody, {"apv_id": UNKNOWN}) == (404, {"detail": f"APV {UNKNOWN} not found"})


@pytest.mark.parametrize(
    ("change", "loc"),
    [
        ({"apv_id": 5}, ["body", "apv_id"]),
        ({"decision": "maybe"}, ["body", "decision"]),
        ({"decision": None}, ["body", "decision"]),
        ({"justification": "too short"}, ["body", "justification"]),
        ({"justification": " " * 20}, ["body", "justification"]),
        ({"justification": "x" * 65_537}, ["body", "justification"]),
        ({"justification": "not stored: \0"}, ["body", "justification"]),
        ({"confidence": 1.5}, ["body", "confidence"]),
        ({"confidence": "1"}, ["body", "confidence"]),
        ({"reviewer_name": "  "}, ["body", "reviewer_name"]),
        ({"reviewer_name": None}, ["body", "reviewer_name"]),
        ({"modifications": {"a": "\ud800"}}, ["body", "modifications", "a"]),
        ({"digest": 7}, ["body", "digest"]),
    ],
)
async def test_a_bad_body_is_named(
    anybody: aiohttp.ClientSession, database: Database, change: dict[str, object], loc: list[str]
) -> None:
    """422 with the place, never with the input; nothing is recorded."""
    one = await review(anybody)
    status, body = await decides(anybody, decision(one, **change))
    assert (status, [fault["loc"] for fault in body["detail"]]) == (422, [loc])
    assert {name for fault in body["detail"] for name in fault} == {"type", "loc", "msg"}
    assert await made(database) == 0


@pytest.mark.parametrize("sent", [b"", b"[]", b"{", b"\xff", b'{"apv_id": null}', b"[" * 100_000])
async def test_what_is_no_decision_at_all(anybody: aiohttp.ClientSession, sent: bytes) -> None:
    """422."""
    assert (await asks(anybody, "POST", "/hitl/decisions", data=sent))[0] == 422


async def test_a_justification_may_not_be_left_out(anybody: aiohttp.ClientSession) -> None:
    """Without it and without older fields it is missing; the path with a slash then takes the body as older."""
    one = await review(anybody)
    asked = {name: value for name, value in decision(one).items() if name != "justification"}
    status, body = await decides(anybody, asked)
    assert (status, body["detail"][0]["loc"]) == (422, ["body", "justification"])
    assert (await decides(anybody, asked, "/"))[0] == 201


async def test_a_body_of_three_mebibytes_is_refused(anybody: aiohttp.ClientSession) -> None:
    """413: no string in it may be that long."""
    assert (await asks(anybody, "POST", "/hitl/decisions", data=b" " * 3 * 1024 * 1024))[0] == 413


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", "/hitl/decisions", "decide"),
        ("GET", f"/hitl/decisions/{UNKNOWN}", "read"),
        ("GET", f"/hitl/decisions/history/{UNKNOWN}", "read"),
        ("GET", "/hitl/reviews/stats", "read"),
    ],
)
async def test_each_route_needs_its_scope(database: Database, method: str, path: str, scope: str) -> None:
    """401 without a token, 403 without the scope, another status with it."""
    holders = {"reader": "read", "writer": "submit", "decider": "decide"}
    async with serving_api(database, holder=None) as client:
        assert (await asks(client, method, path))[0] == 401
        for holder, has in holders.items():
            status, _ = await asks(client, method, path, headers=HOLDER[holder])
            assert (status == 403) == (has != scope), holder


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/hitl/decisions"),
        ("GET", f"/hitl/decisions/{UNKNOWN}"),
        ("GET", f"/hitl/decisions/history/{UNKNOWN}"),
        ("GET", "/hitl/reviews/stats"),
    ],
)
async def test_while_the_database_is_away(method: str, path: str) -> None:
    """503 with a sentence, without the database's own message."""
    away = Database(nowhere())
    async with serving_api(away, holder=None, api_auth="none") as client:
        answer = await asks(client, method, path, json={"apv_id": UNKNOWN} if method == "POST" else None)
    await away.close()
    assert answer == (503, {"detail": "The database is unavailable"})


# Reading


async def test_the_history_is_oldest_first(anybody: aiohttp.ClientSession, clock: Clock) -> None:
    """By UUID and by code; empty for an unknown APV, 404 for an unknown decision."""
    one = await review(anybody)
    await decides(anybody, decision(one, decision="escalate"))
    clock.advance(minutes=1)
    await decides(anybody, decision(one, reviewer_name="Ben"))
    for name in (one["apv_id"], one["apv_code"]):
        history = await gets(anybody, f"/hitl/decisions/history/{name}")
        assert [record["decision"] for record in history] == ["escalate", "approve"]
    assert await gets(anybody, f"/hitl/decisions/history/{UNKNOWN}") == []
    for name in (UNKNOWN, "nonsense"):
        assert await asks(anybody, "GET", f"/hitl/decisions/{name}") == (404, {"detail": f"Decision {name} not found"})


async def test_a_record_shows_what_was_judged(anybody: aiohttp.ClientSession) -> None:
    """Later content does not change the record."""
    one = await review(anybody, wargame_verdict="success")
    _, record = await decides(anybody, decision(one, decision="modify"))
    await review(anybody, wargame_verdict="failure", severity="low")
    shown = await gets(anybody, f"/hitl/decisions/{record['decision_id']}")
    assert (shown["wargame_verdict"], shown["severity"]) == ("success", "medium")


# Statistics


async def test_the_statistics_of_nothing_are_zero(anybody: aiohttp.ClientSession) -> None:
    """Every field of the contract is there and 0."""
    stats = await gets(anybody, "/hitl/reviews/stats")
    assert len(stats) == 19
    assert set(stats.values()) == {0}


async def test_the_statistics_are_exact(anybody: aiohttp.ClientSession, clock: Clock) -> None:
    """Counts of records; days and weeks in UTC; times to the closing decision; shares."""
    for days, choice, verdict, severity in (
        (0, "approve", "success", "high"),
        (1, "reject", "failure", "low"),
        (2, "modify", "success", "low"),
        (3, "approve", None, "medium"),
    ):
        one = await review(anybody, package_name=f"p{days}", severity=severity, wargame_verdict=verdict)
        clock.advance(minutes=10 * (days + 1))
        await decides(anybody, decision(one, decision="escalate"))
        await decides(anybody, decision(one, decision=choice, reviewer_name="Ben"))
        clock.advance(days=1)
    clock.advance(days=-1)
    for severity in ("critical", "low"):
        await review(anybody, package_name=severity, severity=severity)
    assert await gets(anybody, "/hitl/reviews/stats") == {
        "total": 6,
        "pending_reviews": 2,
        "total_decisions": 8,
        # The first was on a Sunday.
        "decisions_today": 2,
        "decisions_this_week": 6,
        "approved_count": 2,
        "rejected_count": 1,
        "modified_count": 1,
        "escalated_count": 4,
        "average_review_time_seconds": 1500,
        "median_review_time_seconds": 1500,
        "fastest_review_seconds": 600,
        "slowest_review_seconds": 2400,
        # An approval of a success, a rejection of a failure, and the escalation of that failure.
        "human_ai_agreement_rate": 0.375,
        "auto_merge_prevention_rate": 0.75,
        "critical_pending": 1,
        "high_pending": 0,
        "medium_pending": 0,
        "low_pending": 1,
    }


async def test_content_that_reopens_a_review_loses_no_time(anybody: aiohttp.ClientSession, clock: Clock) -> None:
    """Changes are requested and the content changes before anybody reads the statistics."""
    one = await review(anybody)
    clock.advance(seconds=90)
    await decides(anybody, decision(one, decision="modify"))
    await review(anybody, cve_title="Changed")
    stats = await gets(anybody, "/hitl/reviews/stats")
    assert (stats["median_review_time_seconds"], stats["pending_reviews"]) == (90, 1)


async def test_the_median_is_that_of_the_database(
    anybody: aiohttp.ClientSession, database: Database, clock: Clock
) -> None:
    """Rows of another program count too, whether the median was stored or not."""
    columns = "id, apv_code, severity, package_name, status, created_at"
    async with database.transaction() as tx:
        await tx.execute(text("ALTER TABLE apv_reviews DISABLE TRIGGER apv_reviews_start_new"))
        await tx.execute(
            text(f"""INSERT INTO apv_reviews ({columns}) SELECT gen_random_uuid(), 'APV-2025-' || n,
                (ARRAY['critical', 'high', 'medium', 'low'])[1 + n % 4], 'p' || n,
                CASE WHEN n % 5 = 0 THEN 'pending' ELSE 'rejected' END, '2025-01-01'::timestamptz
                FROM generate_series(1, 997) AS n""")
        )
        await tx.execute(
            text("""INSERT INTO hitl_decisions (id, apv_id, apv_code, decision, reviewer_name, reviewer_key, source,
                digest, version, created_at) SELECT gen_random_uuid(), id, apv_code, 'reject', 'Ana', 'U1', 'other', '',
                1, created_at + random() * random() * interval '40 days' FROM apv_reviews WHERE status = 'rejected'""")
        )
        expected = (
            await tx.execute(
                text("""SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY s) AS median, avg(s) AS average, min(s),
                max(s) FROM (SELECT extract(epoch FROM d.created_at - r.created_at)::float8 AS s
                FROM hitl_decisions d JOIN apv_reviews r ON r.id = d.apv_id) AS t""")
            )
        ).one()
    for kept in (1, 0):
        stats = await gets(anybody, "/hitl/reviews/stats")
        assert (stats["total"], stats["pending_reviews"], stats["total_decisions"]) == (997, 199, 798)
        found = [
            stats[f"{name}_seconds"]
            for name in ("median_review_time", "average_review_time", "fastest_review", "slowest_review")
        ]
        assert found == pytest.approx(list(expected), abs=1e-4)
        async with database.transaction() as tx:
            assert (await tx.execute(text("DELETE FROM hitl_review_median"))).rowcount == kept
