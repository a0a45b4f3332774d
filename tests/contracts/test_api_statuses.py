"""Every route returns each of its documented statuses, with the documented body."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from jsonschema import Draft202012Validator

from handlers import http
from handlers.api import decisions
from storage.database import Database
from tests.web import apv, asks, nowhere, said_to, serving_api

MAIN = {200, 400, 401, 403, 429, 503}
"""The statuses of each route that needs a token."""


@dataclass(frozen=True)
class Operation:
    """One method on one path: a valid request, with names of `prepared` in braces, and the statuses beside MAIN."""

    method: str
    path: str
    sound: str
    holder: str
    unentitled: str
    others: frozenset[int] = frozenset()
    body: Mapping[str, Any] | None = None
    asked: Mapping[int, Mapping[str, Any]] | None = None
    """By status, what to send instead: `path`, `json` or a number of `bytes`."""

    @property
    def statuses(self) -> set[int]:
        return MAIN | self.others


WHY = "The two lines do what the advisory says."
UNNAMED = {"decision": "approve", "justification": WHY, "reviewer_name": "Ana", "apv_id": "{code}"}
APPROVAL = {**UNNAMED, "digest": "{digest}"}
STALE = {**APPROVAL, "digest": "0" * 64}
OPERATIONS = (
    Operation(
        "POST", "/hitl/reviews", "/hitl/reviews", "writer", "reader", frozenset({201, 413, 422}), apv(),
        {
            201: {"json": apv(package_name="unseen")}, 413: {"bytes": http.BODY_LIMIT + 1},
            422: {"json": apv(severity="worst")},
        },
    ),
    Operation(
        "GET", "/hitl/reviews", "/hitl/reviews", "reader", "writer", frozenset({422}),
        asked={422: {"path": "/hitl/reviews?limit=many"}},
    ),
    Operation("GET", "/hitl/reviews/stats", "/hitl/reviews/stats", "reader", "writer"),
    Operation(
        "GET", "/hitl/reviews/{id}", "/hitl/reviews/{code}", "reader", "writer", frozenset({404}),
        asked={404: {"path": "/hitl/reviews/APV-2026-9999"}},
    ),
    Operation(
        "POST", "/hitl/decisions", "/hitl/decisions", "decider", "reader",
        frozenset({201, 404, 409, 413, 422, 428}), APPROVAL,
        {
            201: {"path": "/hitl/decisions/"}, 404: {"json": {**APPROVAL, "apv_id": "APV-2026-9999"}},
            409: {"json": STALE}, 413: {"bytes": decisions.BODY_LIMIT + 1},
            422: {"json": {**APPROVAL, "decision": "perhaps"}}, 428: {"json": UNNAMED},
        },
    ),
    Operation(
        "GET", "/hitl/decisions/{id}", "/hitl/decisions/{decision}", "reader", "writer", frozenset({404}),
        asked={404: {"path": "/hitl/decisions/nothing"}},
    ),
    Operation(
        "GET", "/hitl/decisions/history/{apv_id}", "/hitl/decisions/history/{code}", "reader", "writer",
    ),
)  # fmt: skip
ROWS = [(operation, status) for operation in OPERATIONS for status in sorted(operation.statuses)]


@asynccontextmanager
async def provoked(database: Database, operation: Operation, status: int) -> AsyncIterator[aiohttp.ClientSession]:
    """The API in the state that causes this status, and a client with or without the scope."""
    holder = {401: None, 403: operation.unentitled}.get(status, operation.holder)
    on = Database(nowhere()) if status == 503 else database
    limit = "1/m" if status == 429 else "off"
    async with serving_api(on, holder=holder, rate_limit=limit) as client:
        yield client
    if on is not database:
        await on.close()


async def prepared(database: Database) -> dict[str, str]:
    """A waiting review and a decided one: the code and digest of the first and the id of the decision."""
    async with AsyncExitStack() as stack:
        writer = await stack.enter_async_context(serving_api(database, holder="writer"))
        decider = await stack.enter_async_context(serving_api(database, holder="decider"))
        _, waits = await asks(writer, "POST", "/hitl/reviews", json=apv())
        _, other = await asks(writer, "POST", "/hitl/reviews", json=apv(package_name="other"))
        approval = {**APPROVAL, "apv_id": other["apv_code"], "digest": other["digest"]}
        _, made = await asks(decider, "POST", "/hitl/decisions", json=approval)
    return {"code": waits["apv_code"], "decision": made["decision_id"], "digest": waits["digest"]}


async def answered(client: aiohttp.ClientSession, operation: Operation, status: int, names: dict[str, str]) -> Any:
    """The status and body of the request that should cause this status."""
    instead = (operation.asked or {}).get(status, {})
    path = instead.get("path", operation.sound).format_map(names)
    if status == 400:
        # aiohttp refuses a header this long before it looks for a route.
        head = f"{operation.method} {path} HTTP/1.1\r\nHost: x\r\nX-Long: {'x' * 100_000}\r\n\r\n"
        said = await said_to(client, head.encode())
        return int(said.split()[1]), json.loads(said.partition("\r\n\r\n")[2])
    if status == 413:
        return await asks(client, operation.method, path, data=b" " * instead["bytes"])
    body = instead.get("json", operation.body)
    sent = {} if body is None else {"json": _filled_in(body, names)}
    if status == 429:
        await asks(client, operation.method, path, **sent)
    return await asks(client, operation.method, path, **sent)


def _filled_in(body: Mapping[str, Any], names: dict[str, str]) -> object:
    text = json.dumps(body)
    for name, value in names.items():
        text = text.replace(f"{{{name}}}", value)
    return json.loads(text)


@pytest.mark.parametrize(("operation", "status"), ROWS, ids=[f"{o.method} {o.path} {s}" for o, s in ROWS])
async def test_each_status_of_each_route(database: Database, operation: Operation, status: int) -> None:
    """The body matches the documented schema."""
    names = await prepared(database)
    async with provoked(database, operation, status) as client:
        _, document = await asks(client, "GET", "/hitl/openapi.json")
        got, body = await answered(client, operation, status, names)
    assert got == status, body
    described = document["paths"][operation.path][operation.method.lower()]["responses"][str(status)]
    schema = described["content"]["application/json"]["schema"]
    Draft202012Validator({**schema, "components": document["components"]}).validate(body)


async def test_no_other_status_is_named(database: Database) -> None:
    """The table above matches the document; the health route needs no token and returns 200 only."""
    async with serving_api(database, holder=None) as client:
        _, document = await asks(client, "GET", "/hitl/openapi.json")
        health, _ = await asks(client, "GET", "/hitl/health")
    named = {
        (method, path): {int(status) for status in operation["responses"]}
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert health == 200
    assert named == {(o.method.lower(), o.path): o.statuses for o in OPERATIONS} | {("get", "/hitl/health"): {200}}
