"""GitHub's webhook route under unsigned and odd requests: only signed ones are read, and none is trusted."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bot.service.pulls import Pointer
from handlers.webhooks import pointer
from tests import harness
from tests.harness import World

HOOK = "hook-of-the-tests"
PING = b'{"zen":"Keep it logically awesome.","hook_id":1}'


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with harness.world(database_url, tmp_path, github_webhook_secret=SecretStr(HOOK)) as made:
        yield made


def signed(raw: bytes, secret: str = HOOK, **headers: str) -> dict[str, str]:
    signature = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    given = {"X-Hub-Signature-256": f"sha256={signature}", "X-GitHub-Delivery": "d-1", "X-GitHub-Event": "ping"}
    return {"Content-Type": "application/json", **given, **headers}


async def posted(world: World, raw: bytes, headers: dict[str, str]) -> tuple[int, Any]:
    async with world.http.post(f"{world.url}/github/webhooks", data=raw, headers=headers) as answer:
        return answer.status, await answer.json()


UNSIGNED: list[dict[str, str]] = [
    {},
    {"X-Hub-Signature-256": ""},
    {"X-Hub-Signature-256": "sha256=" + "0" * 64},
    {"X-Hub-Signature-256": "sha256=" + "é" * 64},
    {"X-Hub-Signature-256": hmac.new(HOOK.encode(), PING, hashlib.sha256).hexdigest()},
    {"X-Hub-Signature": "sha1=" + hmac.new(HOOK.encode(), PING, "sha1").hexdigest()},
    signed(PING, "another secret"),
    signed(PING + b" "),
]


async def test_what_is_not_signed_is_refused(world: World) -> None:
    """401 before the body is parsed, and nothing is stored."""
    for headers in UNSIGNED:
        assert await posted(world, PING, headers) == (401, {"detail": "The request is not signed by GitHub"})
    assert await world.rows("SELECT * FROM github_deliveries") == []


async def test_signed_nonsense_is_refused(world: World) -> None:
    """400 with a sentence of ours."""
    for raw in (b"", b"[]", b"{", b"\xff", b"null", b'"x"', b"[" * 100_000):
        assert await posted(world, raw, signed(raw)) == (400, {"detail": "The body is not a JSON object"})


async def test_a_delivery_needs_its_id(world: World) -> None:
    """Without an id a repeated delivery could not be recognised."""
    for given in ("", "a b", "x" * 200):
        status, _ = await posted(world, PING, signed(PING, **{"X-GitHub-Delivery": given}))
        assert status == 400


async def test_a_ping_and_a_form_are_taken(world: World) -> None:
    """GitHub's ping and JSON inside a form are accepted; a repeated delivery is recognised."""
    assert await posted(world, PING, signed(PING)) == (200, {"status": "accepted"})
    assert await posted(world, PING, signed(PING)) == (200, {"status": "repeated"})
    form = b"payload=%7B%22zen%22%3A%22x%22%7D"
    kind = {"Content-Type": "application/x-www-form-urlencoded", "X-GitHub-Delivery": "d-2"}
    assert await posted(world, form, signed(form, **kind)) == (200, {"status": "accepted"})


ODD: list[dict[str, Any]] = [
    {"repository": {"full_name": "sample/shop"}, "pull_request": {"number": 2**70}},
    {"repository": {"full_name": "a\0b\ud800"}, "ref": "refs/heads/\0", "sha": "\udfff"},
    {"repository": {"full_name": "x"}, "check_run": [], "branches": [1, {"name": 2}], "pull_request": {"number": "1"}},
    {"repository": {"full_name": ["sample/shop"]}, "ref": 7},
]


async def test_odd_payloads_have_no_effect(world: World) -> None:
    """Bad numbers, text that no database stores, lists for objects: accepted, without effect."""
    for count, payload in enumerate(ODD):
        raw = json.dumps(payload).encode()
        given = signed(raw, **{"X-GitHub-Delivery": f"odd-{count}"})
        assert await posted(world, raw, given) == (200, {"status": "accepted"})
    await world.settle()


async def test_a_payload_cannot_merge_anything(world: World) -> None:
    """The payload's state is not trusted: a job asks GitHub, and a review without a pull request does not change."""
    card = await world.submit()
    says = {"number": 1, "state": "closed", "merged": True, "head": {"ref": f"apv/{card.code}-00000000"}}
    raw = json.dumps({"repository": {"full_name": "sample/shop"}, "pull_request": says}).encode()
    assert (await posted(world, raw, signed(raw)))[0] == 200
    await world.settle()
    assert (await world.review(card))["status"] == "pending"


@pytest.mark.parametrize(
    ("payload", "numbers", "branches", "commits"),
    [
        ({"pull_request": {"number": 3, "head": {"ref": "apv/x"}}}, {3}, {"apv/x"}, set()),
        ({"check_run": {"head_sha": "c1", "pull_requests": [{"number": 4}]}}, {4}, set(), {"c1"}),
        ({"check_run": {"head_sha": "c1", "check_suite": {"head_branch": "b"}}}, set(), {"b"}, {"c1"}),
        ({"check_suite": {"head_branch": "b", "head_sha": "c2"}}, set(), {"b"}, {"c2"}),
        ({"sha": "c3", "state": "success", "branches": [{"name": "b1"}, {"name": "b2"}]}, set(), {"b1", "b2"}, {"c3"}),
        ({"ref": "refs/heads/main", "after": "c4"}, set(), {"main"}, set()),
        ({"ref": "apv/y", "ref_type": "branch"}, set(), {"apv/y"}, set()),
    ],
)
def test_every_event_says_what_it_is_about(
    payload: dict[str, Any], numbers: set[int], branches: set[str], commits: set[str]
) -> None:
    """Pull requests, check runs and suites, statuses, pushes and deletions."""
    found = pointer({**payload, "repository": {"full_name": "acme/shop"}})
    assert found == Pointer("acme/shop", frozenset(numbers), frozenset(branches), frozenset(commits))
    assert pointer(payload) is None
