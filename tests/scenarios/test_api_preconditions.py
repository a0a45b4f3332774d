"""Which content an approval is for: the digest, `ETag` and `If-Match`; what no cache keeps; what no proxy passes on."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from storage.database import Database
from tests.web import HOLDER, apv, asks, dressed, said_to, serving_api, submits

WHY = "The pin is exact and the tests pass."
OTHER = "e2" * 32


@pytest.fixture
async def client(database: Database) -> AsyncIterator[aiohttp.ClientSession]:
    async with serving_api(database) as made:
        yield made


async def decides(client: aiohttp.ClientSession, of: dict[str, Any], *tags: str, **changes: object) -> tuple[int, Any]:
    """Approve with these `If-Match` headers, and without a digest in the body."""
    asked = {"apv_id": of["apv_id"], "decision": "approve", "justification": WHY, "reviewer_name": "Ana", **changes}
    headers = [*HOLDER["decider"].items(), *(("If-Match", tag) for tag in tags)]
    return await asks(client, "POST", "/hitl/decisions", json=asked, headers=headers)


async def review(client: aiohttp.ClientSession, **changes: object) -> dict[str, Any]:
    _, made = await submits(client, apv(**changes))
    found: dict[str, Any] = made
    return found


async def test_an_approval_names_what_it_is_for(client: aiohttp.ClientSession) -> None:
    """428 without the digest; other decisions may do without it."""
    one = await review(client)
    status, body = await decides(client, one)
    assert (status, "digest" in body["detail"]) == (428, True)
    assert (await decides(client, one, digest=None))[0] == 428
    assert (await decides(client, one, decision="escalate"))[0] == 200


@pytest.mark.parametrize(
    "tags",
    [
        ['"{}"'],
        [f'"{OTHER}", "{{}}"'],
        [f',"{OTHER}",, "{{}}" ,'],
        [f'"{OTHER}"', '"{}"'],
        ['W/"x", "{}"'],
    ],
)
async def test_the_etag_is_the_digest(client: aiohttp.ClientSession, tags: list[str]) -> None:
    """It goes into If-Match as it came, alone or in a list, in one header or several."""
    one = await review(client)
    async with client.get(f"/hitl/reviews/{one['apv_code']}") as shown:
        assert shown.headers["ETag"] == f'"{one["digest"]}"'
    assert (await decides(client, one, *(tag.format(one["digest"]) for tag in tags)))[0] == 200


async def test_a_review_is_never_not_modified(client: aiohttp.ClientSession) -> None:
    """Status and votes change under the same digest, so a condition on the tag is not answered by 304."""
    one = await review(client)
    await decides(client, one, f'"{one["digest"]}"')
    condition = {"If-None-Match": f'"{one["digest"]}"'}
    async with client.get(f"/hitl/reviews/{one['apv_id']}", headers=condition) as shown:
        assert (shown.status, (await shown.json())["status"]) == (200, "approved")


@pytest.mark.parametrize(
    ("tags", "digest", "status"),
    [
        ([f'"{OTHER}"'], None, 409),
        (['W/"{}"'], None, 409),
        ([""], None, 409),
        (["*"], None, 428),
        (["*"], "{}", 200),
        (['"{}"'], OTHER, 409),
        ([f'"{OTHER}"'], "{}", 409),
        (['"{}"'], "{}", 200),
        ([], OTHER, 409),
        (["{}"], None, 422),
        (['"{}" "{}"'], None, 422),
        (['*, "{}"'], None, 422),
        (["'{}'"], "{}", 422),
    ],
)
async def test_what_is_named_must_be_in_force(
    client: aiohttp.ClientSession, tags: list[str], digest: str | None, status: int
) -> None:
    """409 for other content, also when only one of two names is wrong; weak tags never match; `*` names none."""
    one = await review(client)
    named = {} if digest is None else {"digest": digest.format(one["digest"])}
    got, body = await decides(client, one, *(tag.format(*[one["digest"]] * 2) for tag in tags), **named)
    assert got == status, body
    if status == 422:
        assert [fault["loc"] for fault in body["detail"]] == [["header", "If-Match"]]


async def test_a_tag_holds_for_every_decision(client: aiohttp.ClientSession) -> None:
    """A rejection of other content is refused too."""
    one = await review(client)
    assert (await decides(client, one, f'"{OTHER}"', decision="reject"))[0] == 409


async def test_a_repeat_for_other_content_is_none(client: aiohttp.ClientSession) -> None:
    """The body is the same, but its precondition does not hold."""
    one = await review(client)
    assert (await decides(client, one, f'"{one["digest"]}"'))[0] == 200
    assert (await decides(client, one, f'"{OTHER}"'))[0] == 409
    assert (await decides(client, one, f'"{one["digest"]}"'))[0] == 200


async def test_the_order_of_what_is_wrong(client: aiohttp.ClientSession) -> None:
    """First an unknown APV, then a bad body or header, then the missing digest, then the rules."""
    one = await review(client, reporter="decider")
    unknown = {"apv_id": "APV-2026-9999", "justification": ""}
    assert (await decides(client, one, "bad", **unknown))[0] == 404
    assert (await decides(client, one, justification=""))[0] == 422
    assert (await decides(client, one))[0] == 428
    assert (await decides(client, one, digest=one["digest"]))[0] == 403


@pytest.mark.parametrize("chosen", [{"api_digest": "optional"}, {"api_auth": "none", "api_digest": "required"}])
async def test_where_an_approval_need_not_name_a_digest(database: Database, chosen: dict[str, Any]) -> None:
    """Older clients approve there; what is named must still be in force."""
    async with serving_api(database, **chosen) as client:
        one, two = await review(client), await review(client, package_name="other")
        assert (await decides(client, one, digest=OTHER))[0] == 409
        assert (await decides(client, one))[0] == 200
        older = {"apv_id": two["apv_id"], "decision": "approve", "reviewer_name": "Ben", "comments": "ok"}
        assert (await asks(client, "POST", "/hitl/decisions/", json=older, headers=HOLDER["decider"]))[0] == 201


# Caches and pages


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/hitl/reviews", 200), ("/hitl/reviews/APV-2026-9999", 404), ("/hitl/reviews?limit=0", 422),
        ("/hitl/health", 200), ("/hitl/openapi.json", 200), ("/hitl/docs", 200), ("/hitl/docs/assets/start.js", 200),
        ("/hitl/nothing", 404), ("/hitl", 404), ("/hitl/hitl/reviews", 200), ("/hitl/decisions", 405),
    ],
)  # fmt: skip
async def test_no_cache_keeps_an_answer(client: aiohttp.ClientSession, path: str, status: int) -> None:
    """Errors included."""
    async with client.get(path) as answer:
        assert (answer.status, answer.headers["Cache-Control"]) == (status, "no-store")
        assert dressed(answer.headers)


async def test_no_cache_keeps_a_refusal_before_the_route(client: aiohttp.ClientSession) -> None:
    """Without a token, and where the request cannot be read at all; a path outside the API is none of its business."""
    async with client.get("/hitl/reviews", headers={"Authorization": ""}) as answer:
        assert (answer.status, answer.headers["Cache-Control"]) == (401, "no-store")
    said = await said_to(client, f"GET /hitl/reviews HTTP/1.1\r\nHost: x\r\nX: {'x' * 100_000}\r\n\r\n".encode())
    assert " 400 " in said.splitlines()[0]
    assert "Cache-Control: no-store" in said
    async with client.get("/nothing") as answer:
        assert "Cache-Control" not in answer.headers


async def test_a_page_of_an_allowed_origin_may_use_the_tags(database: Database) -> None:
    """It may send If-Match, and read the ETag."""
    origin = {"Origin": "https://console.example"}
    async with serving_api(database, cors_origins=("https://console.example",)) as client:
        asked = {**origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "if-match"}
        async with client.options("/hitl/decisions", headers=asked) as answer:
            assert "If-Match" in answer.headers["Access-Control-Allow-Headers"].split(", ")
            assert answer.headers["Cache-Control"] == "no-store"
        one = await review(client)
        async with client.get(f"/hitl/reviews/{one['apv_id']}", headers=origin) as answer:
            assert "ETag" in answer.headers["Access-Control-Expose-Headers"].split(", ")


# Without tokens


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "apv.example"},
        {"Host": "apv.example:8003"},
        {"Forwarded": "for=192.0.2.1"},
        {"X-Forwarded-For": "192.0.2.1"},
        {"X-Forwarded-Port": "443"},
        {"Via": "1.1 proxy"},
    ],
)
async def test_without_tokens_only_this_machine_asks(database: Database, headers: dict[str, str]) -> None:
    """403 for whatever would need a token; what needs none is answered."""
    body = {"apv_id": "APV-2026-9999"}
    async with serving_api(database, holder=None, api_auth="none") as client:
        for method, path in (("GET", "/hitl/reviews"), ("POST", "/hitl/reviews"), ("POST", "/hitl/decisions")):
            status, said = await asks(client, method, path, json=body if method == "POST" else None, headers=headers)
            assert (status, said["detail"].startswith("API_AUTH=none admits")) == (403, True)
        for path in ("/hitl/health", "/hitl/openapi.json"):
            assert (await asks(client, "GET", path, headers=headers))[0] == 200
        for host in ("localhost:8003", "127.0.0.1", "[::1]:8003", "localhost."):
            assert (await asks(client, "GET", "/hitl/reviews", headers={"Host": host}))[0] == 200
    async with serving_api(database) as client:
        assert (await asks(client, "GET", "/hitl/reviews", headers=headers))[0] == 200


async def test_without_a_host_nobody_asks(database: Database) -> None:
    """HTTP/1.0 may leave it out."""
    async with serving_api(database, holder=None, api_auth="none") as client:
        assert " 403 " in (await said_to(client, b"GET /hitl/reviews HTTP/1.0\r\n\r\n")).splitlines()[0]
