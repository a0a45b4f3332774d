"""The API is as documented: the examples run, the OpenAPI document is valid, and a fuzzer finds no other response."""

import asyncio
import json
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import schemathesis
from aiohttp import web
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from jsonschema import Draft202012Validator
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from bot.service.feed import Feed
from handlers import http
from handlers.api import feed
from handlers.api import reviews as api
from handlers.api.auth import Auth
from storage.database import Database
from tests import web as our
from tests.web import Clock, asks, dressed, gate, serving

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/api.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```sh\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
TOKEN, REVIEWER = "all-token", "decider-token"
PER_OPERATION = 12
"""Valid requests of the fuzzer, and as many invalid ones: few enough for every run."""


def application(database: Database) -> web.Application:
    """The API, its documents and the feed; the token has every scope."""
    clock = Clock()
    tokens = (our.token("all", "read+submit+decide"), our.token("decider", "decide"))
    auth, opened = Auth.of(our.settings(api_tokens=tokens), clock.seconds), gate(database, clock)
    app = http.application()
    api.add_routes(app, opened, auth)
    feed.add_route(app, Feed(opened), auth, clock)
    return app


@pytest.fixture
async def served(database: Database) -> AsyncIterator[aiohttp.ClientSession]:
    async with serving(application(database), Authorization=f"Bearer {TOKEN}") as client:
        yield client


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_every_example_runs(served: aiohttp.ClientSession) -> None:
    """In the order of the document, in one shell each; `curl -f` fails on any error."""
    env = os.environ | {"API": str(served._base_url).rstrip("/"), "TOKEN": TOKEN, "REVIEWER": REVIEWER, "no_proxy": "*"}
    for example in EXAMPLES:
        shell = await asyncio.create_subprocess_exec(
            "sh", "-c", example, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        said, _ = await shell.communicate()
        assert shell.returncode == 0, f"{example}\n{said.decode()}"


async def test_every_route_has_its_example(served: aiohttp.ClientSession, database: Database) -> None:
    """Every method and path has an example in docs/api.md."""
    asked = set()
    for example in EXAMPLES:
        method = "POST" if " -d " in example else "GET"
        path = re.findall(r'"\$API(/[^"?]*)', example)[-1]
        path = re.sub(r"(?<=history/)[^/]+", "{apv_id}", path)
        asked.add(
            f"{method} " + re.sub(r"/(APV-2026-4711|\$DECISION)", "/{id}", path).replace("swagger-ui.css", "{asset}")
        )
    routes = {
        f"{route.method} {route.resource.canonical.rstrip('/')}"
        for route in application(database).router.routes()
        if route.method != "HEAD" and route.resource and "/hitl/hitl" not in route.resource.canonical
    }
    assert asked == routes


async def test_the_document_is_openapi_3_1(served: aiohttp.ClientSession) -> None:
    """It holds every route of the API, its schemas are valid, and every reference resolves."""
    status, document = await asks(served, "GET", "/hitl/openapi.json")
    assert (status, document["openapi"]) == (200, "3.1.0")
    assert {f"{method} {path}" for path, methods in document["paths"].items() for method in methods} == {
        "post /hitl/reviews", "get /hitl/reviews", "get /hitl/reviews/stats", "get /hitl/reviews/{id}",
        "get /hitl/health", "post /hitl/decisions", "get /hitl/decisions/{id}", "get /hitl/decisions/history/{apv_id}",
    }  # fmt: skip
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    named = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(document)))
    assert named == set(document["components"]["schemas"])


@pytest.mark.parametrize("path", ["/hitl/docs", "/hitl/redoc", "/hitl/docs/", "/hitl/hitl/docs"])
async def test_the_pages_ask_no_other_host(database: Database, path: str) -> None:
    """Their assets are served here without a token, and their policy allows no other host."""
    async with serving(application(database)) as stranger:
        async with stranger.get(path, allow_redirects=False) as answer:
            assert (answer.status, dressed(answer.headers)) == (200, True)
            policy, page = answer.headers["Content-Security-Policy"], await answer.text()
        assert "http" not in page + policy
        assert "default-src 'none'" in policy
        named = re.findall(r'(?:src|href)="([^"]+)"', page)
        assert len(named) >= 2
        for asset in named:
            async with stranger.get(asset) as answer:
                assert answer.status == 200
        async with stranger.get("/hitl/docs/assets/nothing.js") as answer:
            assert answer.status == 404


CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)


@pytest.mark.long
async def test_a_fuzzer_finds_no_answer_beside_the_document(served: aiohttp.ClientSession) -> None:
    """Schemathesis over every operation: no 5xx, and every response as documented."""
    base = str(served._base_url).rstrip("/")
    _, document = await asks(served, "GET", "/hitl/openapi.json")
    await asyncio.to_thread(_fuzz, base, document)


def _fuzz(base: str, document: dict[str, Any]) -> None:
    found: list[Any] = list(schemathesis.openapi.from_dict(document).get_all_operations())
    operations = [one.ok() for one in found]
    assert len(operations) == 8
    for operation in operations:
        for mode in GenerationMode:

            @settings(
                max_examples=PER_OPERATION,
                derandomize=True,
                deadline=None,
                database=None,
                phases=(Phase.explicit, Phase.generate),
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(generation_mode=mode))
            def called(case: Any) -> None:
                case.call_and_validate(base_url=base, headers={"Authorization": f"Bearer {TOKEN}"}, checks=list(CHECKS))

            with suppress(Unsatisfiable):  # nothing of a route without parameters can be wrong
                called()
