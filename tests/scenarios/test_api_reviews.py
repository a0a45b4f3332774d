"""Submitting, listing and showing reviews over REST, on a real server and a real PostgreSQL."""

import gzip
import json
import math
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from sqlalchemy import text

from bot import samples
from storage.database import Database
from tests.builders import adopt
from tests.web import APV, HOLDER, Clock, apv, apvs, asks, gate, gets, nowhere, said_to, serving_api, submits

UNKNOWN = "9a7c2d4e-5b1f-4c3a-8e6d-0f2b4a6c8e10"

NAMES = """
apv_id apv_code priority status version digest cve_id aliases cve_title cve_description cvss_score cvss_vector
epss_score epss_percentile kev severity cwe_ids package_name package_version package_ecosystem purl fixed_version
vulnerable_code_signature vulnerable_code_type affected_files confirmed confirmation_confidence confirmation_score
static_confidence dynamic_confidence false_positive_probability patch_strategy patch_description patch_diff
patch_confidence patch_risk_level validation_passed validation_confidence validation_warnings pr_number pr_url
pr_branch wargame_verdict wargame_confidence wargame_run_url wargame_evidence repository base_ref reporter references
due_at waiting_since created_at updated_at metadata
"""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def scanner(database: Database, clock: Clock) -> AsyncIterator[aiohttp.ClientSession]:
    """A client that may read and submit."""
    async with serving_api(database, clock) as client:
        yield client


async def codes(client: aiohttp.ClientSession, **query: object) -> list[str]:
    return [review["apv_code"] for review in (await gets(client, "/hitl/reviews", **query))["reviews"]]


async def packages(client: aiohttp.ClientSession, **query: object) -> list[str]:
    return [review["package_name"] for review in (await gets(client, "/hitl/reviews", **query))["reviews"]]


async def stored(database: Database) -> int:
    async with database.transaction() as tx:
        return int((await tx.execute(text("SELECT count(*) FROM apv_reviews"))).scalar_one())


# Submitting


async def test_one_apv_is_answered_by_its_review(scanner: aiohttp.ClientSession) -> None:
    """A new APV is 201 with every field of the contract; omitted fields have their defaults."""
    status, review = await submits(scanner, apv(patch_diff="--- a/x\n+++ b/x\n"))
    assert status == 201
    assert set(NAMES.split()) <= set(review)
    shown = {n: review[n] for n in ("apv_code", "status", "version", "priority", "repository", "patch_strategy")}
    assert shown == {
        "apv_code": "APV-2026-0001",
        "status": "pending",
        "version": 1,
        "priority": 4,
        "repository": "sample/shop",
        "patch_strategy": "code_rewrite",
    }
    assert review["patch_diff"] == "--- a/x\n+++ b/x\n"
    assert len(review["digest"]) == 64


async def test_times_are_utc_with_z_and_waiting_is_in_hours(scanner: aiohttp.ClientSession, clock: Clock) -> None:
    """Times end in Z; `waiting_since` grows by one an hour; the deadline is the severity's."""
    _, review = await submits(scanner, apv())
    clock.advance(hours=3)
    later = await gets(scanner, f"/hitl/reviews/{review['apv_code']}")
    assert (review["created_at"], review["due_at"]) == ("2026-11-22T12:00:00Z", "2026-11-29T12:00:00Z")
    assert (review["waiting_since"], later["waiting_since"]) == (0, 3)


async def test_the_token_is_the_reporter_where_none_is_named(scanner: aiohttp.ClientSession) -> None:
    """The token's name is the reporter, unless the APV names one."""
    _, reviews = await submits(scanner, [apv(), apv(package_name="flask", reporter="ana@example.com")])
    assert [review["reporter"] for review in reviews] == ["scanner", "ana@example.com"]


async def test_the_same_again_changes_nothing(scanner: aiohttp.ClientSession) -> None:
    """Known content is 200 and the same review."""
    _, first = await submits(scanner, apv())
    assert await submits(scanner, apv()) == (200, first)


async def test_changed_content_raises_the_version(scanner: aiohttp.ClientSession) -> None:
    """Changed content of a waiting review is 200, the same review, one version up, another digest."""
    _, first = await submits(scanner, apv())
    status, second = await submits(scanner, apv(cve_title="Leaks a header"))
    assert (status, second["apv_id"], second["version"]) == (200, first["apv_id"], 2)
    assert second["digest"] != first["digest"]


async def test_a_review_sent_back_as_read_is_the_same(scanner: aiohttp.ClientSession) -> None:
    """Every sample, and a finding without severity, is the same when sent back: 200, no new version."""
    sent = [json.loads(sample) for _, sample in samples.apvs()]
    for one in sent:
        one["repository"] = "sample/shop"
    _, reviews = await submits(scanner, [*sent, apv(severity="medium", severity_assumed=True, wargame_evidence=[1e16])])
    assert await submits(scanner, reviews) == (200, reviews)


async def test_a_list_is_answered_in_the_order_sent(scanner: aiohttp.ClientSession) -> None:
    """The response is a list too; 201 if any is new, else 200; the same APV twice is one review."""
    await submits(scanner, apv(package_name="known"))
    status, reviews = await submits(scanner, [apv(package_name=name) for name in ("zope", "known", "attrs", "zope")])
    assert status == 201
    assert [review["package_name"] for review in reviews] == ["zope", "known", "attrs", "zope"]
    assert reviews[0]["apv_id"] == reviews[3]["apv_id"]
    assert (await submits(scanner, reviews))[0] == 200
    assert await submits(scanner, []) == (200, [])


async def test_unknown_fields_are_kept(scanner: aiohttp.ClientSession) -> None:
    """Unknown fields go into `metadata`."""
    _, review = await submits(scanner, apv(scanner_run=17, metadata={"team": "web"}))
    assert review["metadata"] == {"team": "web", "scanner_run": 17}


async def test_a_thousand_at_once_and_no_more(scanner: aiohttp.ClientSession, database: Database) -> None:
    """1,000 APVs in one list are stored; 1,001 are 422 and none is stored."""
    status, body = await submits(scanner, apvs(1_001))
    assert (status, body["detail"][0]["loc"], await stored(database)) == (422, ["body"], 0)
    status, reviews = await submits(scanner, apvs(1_000))
    assert (status, len(reviews), await stored(database)) == (201, 1_000, 1_000)


async def test_every_fault_is_named_and_nothing_stored(scanner: aiohttp.ClientSession, database: Database) -> None:
    """Each fault has type, place and sentence, without the input."""
    status, body = await submits(scanner, {"package_name": 5, "severity": "dreadful", "cvss_score": 11})
    assert status == 422
    assert {tuple(fault["loc"]) for fault in body["detail"]} == {
        ("body", name) for name in ("package_name", "package_ecosystem", "cve_id", "severity", "cvss_score")
    }
    assert all(set(fault) == {"type", "loc", "msg"} for fault in body["detail"])
    assert "dreadful" not in str(body)
    assert await stored(database) == 0


async def test_one_bad_apv_refuses_the_list(scanner: aiohttp.ClientSession, database: Database) -> None:
    """A list is stored whole or not at all; the fault names the position."""
    status, body = await submits(scanner, [apv(), apv(package_name=None)])
    assert (status, body["detail"][0]["loc"]) == (422, ["body", 1, "package_name"])
    assert await stored(database) == 0


async def test_what_only_the_database_knows_is_named_like_other_faults(scanner: aiohttp.ClientSession) -> None:
    """A foreign repository and a taken code are 422 with their place, in a list and alone."""
    await submits(scanner, apv(apv_code="APV-2026-7"))
    await submits(scanner, apv(package_name="flask"))
    foreign, taken = apv(repository="evil/repo"), apv(package_name="flask", apv_code="APV-2026-7")
    for sent, place in (
        (foreign, ["body", "repository"]),
        ([apv(), foreign], ["body", 1, "repository"]),
        (taken, ["body", "apv_code"]),
        ([apv(), taken], ["body", 1, "apv_code"]),
    ):
        status, body = await submits(scanner, sent)
        assert (status, body["detail"][0]["loc"]) == (422, place)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"cve_id": \n "CVE-2023-1", }', "line 2, column 16"),
        (b"", "line 1, column 1"),
        (b"\xff\xfe{", "not JSON"),
        (b'{"a": "\xff"}', "not JSON in UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b"1" * 5_000, "too many digits"),
        (b'"an APV"', "must be a JSON object"),
        (b'{"cvss_score": NaN}', "not NaN or infinity"),
    ],
)
async def test_malformed_json_is_told_where(scanner: aiohttp.ClientSession, body: bytes, words: str) -> None:
    """A body that is not JSON, or not an APV, is 422 with a sentence."""
    status, answer = await asks(scanner, "POST", "/hitl/reviews", data=body)
    assert status == 422
    assert words in str(answer["detail"])
    assert all(fault["loc"][0] == "body" for fault in answer["detail"])


async def test_sixteen_mebibytes_and_no_more(scanner: aiohttp.ClientSession) -> None:
    """A body of 16 MiB is accepted, one byte more is 413, compressed or not."""
    full = json.dumps(apv()).encode().ljust(16 * 1024 * 1024)
    assert (await asks(scanner, "POST", "/hitl/reviews", data=full))[0] == 201
    too_large = (413, {"detail": "The body is too large for this route"})
    assert await asks(scanner, "POST", "/hitl/reviews", data=full + b" ") == too_large
    packed = {"data": gzip.compress(full + b" "), "headers": {"Content-Encoding": "gzip"}}
    assert await asks(scanner, "POST", "/hitl/reviews", **packed) == too_large


async def test_a_body_that_belies_its_headers_is_refused(scanner: aiohttp.ClientSession) -> None:
    """A body that is not compressed as its header says is 400, not 500."""
    status, body = await asks(
        scanner, "POST", "/hitl/reviews", data=b"plain", headers={"Content-Encoding": "gzip"}, compress=None
    )
    assert (status, body) == (400, {"detail": "The body cannot be read"})


# Listing


async def test_the_list_is_most_urgent_first(scanner: aiohttp.ClientSession, clock: Clock) -> None:
    """Worst first, exploited before others as bad, then the longest waiting."""
    for name, more in (
        ("low", {"severity": "low"}),
        ("high", {"severity": "high"}),
        ("high-later", {"severity": "high"}),
        ("high-exploited", {"severity": "high", "kev": True}),
        ("critical", {"severity": "critical"}),
    ):
        await submits(scanner, apv(package_name=name, **more))
        clock.advance(minutes=1)
    page = await gets(scanner, "/hitl/reviews")
    names = [review["package_name"] for review in page["reviews"]]
    assert names == ["critical", "high-exploited", "high", "high-later", "low"]
    rest = {name: page[name] for name in page if name != "reviews"}
    assert rest == {"total": 5, "skip": 0, "limit": 50, "offset": 0, "next_cursor": None}


@pytest.mark.parametrize("path", ["/hitl/reviews", "/hitl/reviews/", "/hitl/hitl/reviews", "/hitl/hitl/reviews/"])
async def test_every_path_of_the_list_is_the_list(scanner: aiohttp.ClientSession, path: str) -> None:
    """With and without the slash, and under the doubled prefix, the routes are the same."""
    status, review = await asks(scanner, "POST", path, json=apv())
    assert status == 201
    assert (await gets(scanner, path))["reviews"] == [review]
    assert await gets(scanner, f"/hitl/hitl/reviews/{review['apv_id']}") == review


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["Django", "flask", "100%_sure"]),
        ({"severity": "HIGH"}, ["Django"]),
        ({"severity": "moderate"}, ["flask"]),
        ({"patch_strategy": "version_bump"}, ["flask"]),
        ({"patch_strategy": "MANUAL"}, ["100%_sure"]),
        ({"wargame_verdict": "success"}, ["Django"]),
        ({"wargame_verdict": "PATCH_EFFECTIVE"}, ["Django"]),
        ({"wargame_verdict": "INCONCLUSIVE"}, ["flask"]),
        ({"wargame_verdict": "PATCH_INSUFFICIENT"}, ["100%_sure"]),
        ({"package_name": "JANG"}, ["Django"]),
        ({"package_name": "%_"}, ["100%_sure"]),
        ({"status": "escalated"}, ["flask"]),
        ({"status": "pending"}, ["Django", "100%_sure"]),
        ({"status": "rejected"}, ["closed"]),
        ({"status": "all"}, ["Django", "flask", "100%_sure", "closed"]),
        ({"severity": "high", "package_name": "flask"}, []),
        ({"colour": "red", "page": "2"}, ["Django", "flask", "100%_sure"]),
    ],
)
async def test_the_list_is_filtered(
    scanner: aiohttp.ClientSession, database: Database, query: dict[str, str], found: list[str]
) -> None:
    """Each parameter filters the list, in any case; unknown names are ignored."""
    await submits(
        scanner,
        [
            apv(package_name="Django", severity="high", patch_diff="x", wargame_verdict="success"),
            apv(package_name="flask", fixed_version="3", wargame_verdict="inconclusive"),
            apv(package_name="100%_sure", severity="low", wargame_verdict="failure"),
            apv(package_name="closed", severity="low"),
        ],
    )
    async with database.transaction() as tx:
        await tx.execute(text("UPDATE apv_reviews SET status = 'escalated' WHERE package_name = 'flask'"))
        await tx.execute(text("UPDATE apv_reviews SET status = 'rejected' WHERE package_name = 'closed'"))
    page = await gets(scanner, "/hitl/reviews", **query)
    assert sorted(r["package_name"] for r in page["reviews"]) == sorted(found)
    assert page["total"] == len(found)


CURSORS = (
    "null",
    "[]",
    '[1, "1", "2", "3"]',
    f'[true, null, "2026-11-22T00:00:00+00:00", "{UNKNOWN}"]',
    f'[1, null, "2026-11-22T00:00:00+00:00", {UUID(UNKNOWN).int}]',
    f'[99, null, "2026-11-22T00:00:00+00:00", "{UNKNOWN}"]',
    f'[1, null, "0001-01-01T00:00:00+23:00", "{UNKNOWN}"]',
    "[" * 4_000,
)
"""Well encoded, but not a position."""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("limit", v) for v in ("0", "201", "-1", "ten", "", "1.5", "1_0", "٣", "9" * 5_000)],
        *[("skip", v) for v in ("-1", "x", "99999999999")],
        ("offset", "-1"),
        ("severity", "dreadful"),
        ("severity", ""),
        ("patch_strategy", "prayer"),
        ("wargame_verdict", "won"),
        ("status", "open"),
        ("package_name", "a\0b"),
        *[("cursor", v) for v in ("", "x", "!!", "é")],
        *[("cursor", urlsafe_b64encode(v.encode()).decode()) for v in CURSORS],
    ],
)
async def test_a_bad_value_is_named(scanner: aiohttp.ClientSession, name: str, value: str) -> None:
    """A bad value is 422 with its name, and the value is not repeated."""
    status, body = await asks(scanner, "GET", "/hitl/reviews", params={name: value, "limit_": "0"})
    assert status == 422
    assert [fault["loc"] for fault in body["detail"]] == [["query", name]]
    assert all(set(fault) == {"type", "loc", "msg"} for fault in body["detail"])


async def test_every_bad_value_is_named_at_once(scanner: aiohttp.ClientSession) -> None:
    """Two bad values are two faults."""
    _, body = await asks(scanner, "GET", "/hitl/reviews", params={"limit": "0", "severity": "dreadful"})
    assert {fault["loc"][1] for fault in body["detail"]} == {"limit", "severity"}


async def test_pages_by_number(scanner: aiohttp.ClientSession) -> None:
    """`skip` and `offset` mean the same, and the total does not depend on them."""
    await submits(scanner, apvs(5))
    every = await codes(scanner)
    page = await gets(scanner, "/hitl/reviews", skip=3, limit=1)
    assert [review["apv_code"] for review in page["reviews"]] == every[3:4]
    assert (page["total"], page["skip"], page["offset"], page["limit"]) == (5, 3, 3, 1)
    assert await codes(scanner, offset=3) == every[3:]
    assert await codes(scanner, offset=5) == []


async def test_pages_by_cursor_see_each_review_once(
    scanner: aiohttp.ClientSession, clock: Clock, database: Database
) -> None:
    """A cursor continues after its page while more urgent reviews arrive, with and without deadlines."""
    await submits(scanner, [*apvs(5), *apvs(2, cve_id="CVE-2024-0001", severity="low")])
    async with database.transaction() as tx:
        await tx.execute(text("UPDATE apv_reviews SET due_at = NULL WHERE package_name IN ('package-1', 'package-3')"))
    every = await codes(scanner)
    seen, query = [], {"limit": 2}
    for arrival in range(10):
        page = await gets(scanner, "/hitl/reviews", **query)
        seen += [review["apv_code"] for review in page["reviews"]]
        if page["next_cursor"] is None:
            break
        query = {"limit": 2, "cursor": page["next_cursor"]}
        clock.advance(minutes=1)
        await submits(scanner, apv(package_name=f"urgent-{arrival}", severity="critical"))
    assert seen == every


async def test_a_cursor_counts_for_more_than_skip(scanner: aiohttp.ClientSession) -> None:
    """The cursor overrides `skip`, and the response says `skip` 0."""
    await submits(scanner, apvs(4))
    first = await gets(scanner, "/hitl/reviews", limit=2)
    second = await gets(scanner, "/hitl/reviews", cursor=first["next_cursor"], skip=2)
    assert (len(second["reviews"]), second["skip"], second["total"]) == (2, 0, 4)


async def test_the_last_page_has_no_cursor(scanner: aiohttp.ClientSession) -> None:
    """A full last page has no `next_cursor`."""
    await submits(scanner, apvs(2))
    assert (await gets(scanner, "/hitl/reviews", limit=2))["next_cursor"] is None


# Showing


async def test_a_review_has_two_names(scanner: aiohttp.ClientSession) -> None:
    """The UUID and the `apv_code`, in any case, name the same review."""
    _, review = await submits(scanner, apv())
    for name in (review["apv_id"], review["apv_id"].upper(), review["apv_code"], review["apv_code"].lower()):
        assert await gets(scanner, f"/hitl/reviews/{name}") == review


@pytest.mark.parametrize("name", ["APV-2026-9999", UNKNOWN, "nonsense", "a%00b", "%ED%A0%80", "%F0%9F%92%A9"])
async def test_an_unknown_review_is_not_found(scanner: aiohttp.ClientSession, name: str) -> None:
    """An unknown name is 404 with a sentence."""
    status, body = await asks(scanner, "GET", f"/hitl/reviews/{name}")
    assert status == 404
    assert body["detail"].startswith("APV ")
    assert body["detail"].endswith(" not found")


async def test_the_sentence_names_what_was_not_found(scanner: aiohttp.ClientSession) -> None:
    """The response repeats the id as it was sent."""
    answer = await asks(scanner, "GET", "/hitl/reviews/APV-2026-9999")
    assert answer == (404, {"detail": "APV APV-2026-9999 not found"})


async def test_numbers_that_json_lacks_are_shown_as_null(scanner: aiohttp.ClientSession, database: Database) -> None:
    """NaN that another program wrote into the row does not make an answer that is not JSON."""
    _, review = await submits(scanner, apv(wargame_confidence=0.5))
    async with database.transaction() as tx:
        await tx.execute(text("UPDATE apv_reviews SET wargame_confidence = 'NaN'"))
    async with scanner.get(f"/hitl/reviews/{review['apv_id']}") as response:
        shown = json.loads(await response.text(), parse_constant=lambda _: math.nan)
    assert shown["wargame_confidence"] is None


async def test_a_row_of_another_program_is_shown_once_taken_in(
    scanner: aiohttp.ClientSession, database: Database, clock: Clock
) -> None:
    """A row with only the required columns gets a digest, a priority, a deadline and every field."""
    async with database.transaction() as tx:
        columns = "apv_code, severity, package_name, patch_content, created_at"
        values = "'APV-2026-5', 'high', 'flask', 'a diff', :now"
        await tx.execute(text(f"INSERT INTO apv_reviews ({columns}) VALUES ({values})"), {"now": clock()})
    assert await adopt(gate(database, clock)) == 1
    review = await gets(scanner, "/hitl/reviews/APV-2026-5")
    assert set(NAMES.split()) <= set(review)
    assert (review["patch_diff"], review["priority"], review["due_at"]) == ("a diff", 7, "2026-11-23T12:00:00Z")
    assert review["repository"] == "sample/shop"


async def test_the_older_consoles_health(database: Database) -> None:
    """`/hitl/health` needs no token."""
    async with serving_api(database, holder=None) as anyone:
        for path in ("/hitl/health", "/hitl/hitl/health"):
            assert await gets(anyone, path) == {
                "status": "healthy",
                "timestamp": "2026-11-22T12:00:00Z",
                "mode": "LIVE",
            }


# Who may


ROUTES = [("POST", "/hitl/reviews", "submit"), ("GET", "/hitl/reviews", "read"), ("GET", "/hitl/reviews/x", "read")]
ALLOWED = {"submit": {"scanner", "writer"}, "read": {"scanner", "reader"}}


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
async def test_each_route_needs_its_scope(database: Database, method: str, path: str, scope: str) -> None:
    """No token or a wrong one is 401, a token without the scope 403, before the body is checked."""
    async with serving_api(database, holder=None) as client:
        for wrong in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic scanner-token"}):
            async with client.request(method, path, data=b"x", headers=wrong) as response:
                assert (response.status, response.headers["WWW-Authenticate"]) == (401, "Bearer")
                assert set(await response.json()) == {"detail"}
        for holder, headers in HOLDER.items():
            status, body = await asks(client, method, path, data=b"x", headers=headers)
            assert (status == 403) is (holder not in ALLOWED[scope])
            assert status in {403, 422, 404, 200}, body


async def test_a_token_of_any_bytes_is_only_wrong(database: Database) -> None:
    """A token that is not UTF-8 is 401, not 500."""
    async with serving_api(database, holder=None) as client:
        request = b"GET /hitl/reviews HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer \xff\r\n\r\n"
        status = await said_to(client, request)
    assert status.startswith("HTTP/1.1 401 ")


async def test_without_tokens_the_address_is_the_principal(database: Database) -> None:
    """`API_AUTH=none` admits everybody on this machine; the address is the reporter."""
    async with serving_api(database, holder=None, api_auth="none") as anyone:
        status, review = await submits(anyone, apv())
        assert (status, review["reporter"]) == (201, "127.0.0.1")
        assert await codes(anyone) == [review["apv_code"]]


async def test_without_tokens_other_pages_cannot_write(database: Database) -> None:
    """A page of another origin that is open in a browser here may not submit unless it is listed."""
    how: dict[str, Any] = {"json": apv(), "headers": {"Origin": "https://evil.example"}}
    async with serving_api(database, holder=None, api_auth="none") as anyone:
        assert (await asks(anyone, "POST", "/hitl/reviews", **how))[0] == 403
    async with serving_api(database, holder=None, api_auth="none", cors_origins=("https://evil.example",)) as anyone:
        assert (await asks(anyone, "POST", "/hitl/reviews", **how))[0] == 201


async def test_too_many_requests_are_told_to_wait(database: Database, clock: Clock) -> None:
    """The burst passes, the next is 429 with `Retry-After`; other clients and later requests pass."""
    async with serving_api(database, clock, rate_limit="3/m") as client:
        statuses = [(await asks(client, "GET", "/hitl/reviews"))[0] for _ in range(4)]
        assert statuses == [200, 200, 200, 429]
        async with client.get("/hitl/reviews") as response:
            assert (response.status, response.headers["Retry-After"]) == (429, "20")
            assert await response.json() == {"detail": "Too many requests"}
        assert (await asks(client, "GET", "/hitl/reviews", headers=HOLDER["reader"]))[0] == 200
        assert (await asks(client, "GET", "/hitl/health"))[0] == 200
        clock.advance(seconds=20)
        assert [(await asks(client, "GET", "/hitl/reviews"))[0] for _ in range(2)] == [200, 429]


async def test_guessing_tokens_is_slowed_down(database: Database, clock: Clock) -> None:
    """Wrong tokens count against the client's address; other addresses and valid tokens are not slowed down."""
    async with serving_api(database, clock, holder=None, rate_limit="2/s") as client:
        guesses = [{"Authorization": f"Bearer guess-{i}"} for i in range(3)]
        statuses = [(await asks(client, "GET", "/hitl/reviews", headers=guess))[0] for guess in guesses]
        assert statuses == [401, 401, 429]
        assert (await asks(client, "GET", "/hitl/reviews", headers=HOLDER["reader"]))[0] == 200
        connector = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
        async with aiohttp.ClientSession(client._base_url, connector=connector) as other:
            assert (await asks(other, "GET", "/hitl/reviews", headers=guesses[0]))[0] == 401


# From a browser


ORIGIN = "https://console.example"
PREFLIGHT = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}


async def test_a_preflight_needs_no_token(database: Database) -> None:
    """A listed origin learns the methods and headers it may use."""
    async with serving_api(database, holder=None, cors_origins=(ORIGIN,)) as client:
        async with client.options("/hitl/reviews", headers=PREFLIGHT) as response:
            assert response.status == 204
            assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
            assert {"GET", "POST"} <= set(response.headers["Access-Control-Allow-Methods"].split(", "))
            assert "Authorization" in response.headers["Access-Control-Allow-Headers"]
        async with client.options("/hitl/nothing", headers=PREFLIGHT) as response:
            assert response.status == 404


async def test_answers_name_listed_origins_alone(database: Database) -> None:
    """A listed origin may read responses and errors, another may not; `Vary` keeps them apart in caches."""
    async with serving_api(database, holder=None, cors_origins=(ORIGIN,)) as client:
        async with client.get("/hitl/reviews", headers={"Origin": ORIGIN}) as response:
            assert (response.status, response.headers["Access-Control-Allow-Origin"]) == (401, ORIGIN)
            assert response.headers["Vary"] == "Origin"
        for method in ("GET", "OPTIONS"):
            headers = {**PREFLIGHT, "Origin": "https://evil.example"}
            async with client.request(method, "/hitl/reviews", headers=headers) as response:
                assert "Access-Control-Allow-Origin" not in response.headers


async def test_without_origins_there_is_no_cors(database: Database) -> None:
    """With `CORS_ORIGINS` unset a preflight is 405."""
    async with serving_api(database) as client, client.options("/hitl/reviews", headers=PREFLIGHT) as response:
        assert response.status == 405
        assert "Access-Control-Allow-Origin" not in response.headers


# While things are away


@pytest.mark.parametrize(("method", "path"), [(method, path) for method, path, _ in ROUTES])
async def test_while_the_database_is_away(method: str, path: str) -> None:
    """503 with a sentence, and no exception's text."""
    database = Database(nowhere())
    async with serving_api(database) as client:
        answer = await asks(client, method, path, data=json.dumps(APV))
    await database.close()
    assert answer == (503, {"detail": "The database is unavailable"})


async def test_before_the_embedded_database_has_started() -> None:
    """503, as for any unavailable database."""
    async with serving_api(Database()) as client:
        assert await asks(client, "GET", "/hitl/reviews") == (503, {"detail": "The database is unavailable"})


async def test_before_the_database_is_migrated(empty_database_url: str) -> None:
    """503 that says to migrate."""
    database = Database(empty_database_url)
    async with serving_api(database) as client:
        status, body = await asks(client, "GET", "/hitl/reviews")
    await database.close()
    assert (status, "migrate" in body["detail"]) == (503, True)
