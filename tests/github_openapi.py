"""What the stand-in for GitHub answers, held against GitHub's own OpenAPI description.

The description is the npm package @octokit/openapi; `make openapi` fetches it into build/, nothing of it is kept here.
"""

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from bot.sandbox.github import GitHubSandbox
from bot.sandbox.github.webhooks import WebhookDelivery

DESCRIPTION = Path(__file__).parents[1] / "build" / "github-openapi.json"
NEEDED = pytest.mark.skipif(
    not DESCRIPTION.is_file(), reason="GitHub's OpenAPI description is not there: `make openapi` fetches it (npm)"
)
HERE = "urn:github"
MAY_HOLD_SLASHES = frozenset({"branch", "commit_sha", "path", "ref", "sha", "tree_sha", "basehead"})

LABEL_DESCRIPTION = re.compile(r"labels\[\d+\]\.description$")
"""Described as text inside a pull request, and as text or null everywhere else; GitHub answers null."""


@dataclass(frozen=True)
class Operation:
    """One call as GitHub describes it."""

    id: str
    method: str
    template: str
    responses: dict[str, Any]

    @property
    def pattern(self) -> re.Pattern[str]:
        """What its path looks like."""
        parts = re.split(r"\{([^}]+)\}", self.template)
        return re.compile("".join(
            re.escape(part) if at % 2 == 0 else "[^?]+" if part in MAY_HOLD_SLASHES else "[^/]+"
            for at, part in enumerate(parts)
        ))  # fmt: skip


class Description:
    """GitHub's own, as it is published for 3.0 of OpenAPI."""

    def __init__(self, document: dict[str, Any]) -> None:
        _as_json_schema(document)
        self._document = document
        self._registry: Registry[Any] = Registry().with_resource(HERE, DRAFT202012.create_resource(document))
        self.operations = [
            Operation(call["operationId"], method.upper(), path, call["responses"])
            for path, calls in document["paths"].items()
            for method, call in calls.items()
            if isinstance(call, dict) and "operationId" in call
        ]
        self._validators: dict[tuple[str, int], Draft202012Validator | None] = {}

    def operation(self, method: str, path: str) -> Operation | None:
        """The call that this is, the one with the most literal path first."""
        fits = [o for o in self.operations if o.method == method and o.pattern.fullmatch(path)]
        return min(fits, key=lambda o: (o.template.count("{"), -len(o.template)), default=None)

    def faults(self, operation: Operation, status: int, body: object) -> list[str]:
        """Where an answer is not as described; nothing for what has no schema."""
        validator = self._validator(operation, status)
        return [] if validator is None else [
            f"{operation.id} {status}: {error.json_path}: {error.message[:200]}"
            for error in validator.iter_errors(body)
            if not LABEL_DESCRIPTION.search(error.json_path)
        ]  # fmt: skip

    def _validator(self, operation: Operation, status: int) -> Draft202012Validator | None:
        key = (operation.id, status)
        if key not in self._validators:
            response = self._resolved(operation.responses.get(str(status), {}))
            schema = response.get("content", {}).get("application/json", {}).get("schema")
            self._validators[key] = schema and Draft202012Validator(_absolute(schema), registry=self._registry)
        return self._validators[key]

    def webhook_faults(self, delivery: WebhookDelivery) -> list[str]:
        """The same of what GitHub sends by itself."""
        body = json.loads(delivery.body)
        action = f"-{body['action']}" if "action" in body else ""
        name = f"webhook-{delivery.event}{action}".replace("_", "-")
        assert name in self._document["components"]["schemas"], f"GitHub describes no {name}"
        validator = Draft202012Validator({"$ref": f"{HERE}#/components/schemas/{name}"}, registry=self._registry)
        return [f"{name}: {error.json_path}: {error.message[:200]}" for error in validator.iter_errors(body)]

    def _resolved(self, response: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in response:
            response = self._document["components"]["responses"][response["$ref"].rpartition("/")[2]]
        return response


@cache
def description() -> Description:
    """Read once a process: it has thirteen megabytes."""
    return Description(json.loads(DESCRIPTION.read_text("utf-8")))


def _absolute(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema that stands in a response, with its references made to reach the whole document."""
    return json.loads(json.dumps(schema).replace('"$ref": "#/', f'"$ref": "{HERE}#/'))  # type: ignore[no-any-return]


def _as_json_schema(document: dict[str, Any]) -> None:
    """OpenAPI 3.0 says `nullable` where JSON Schema has a type of its own."""
    waiting: list[Any] = [document]
    while waiting:
        found = waiting.pop()
        if isinstance(found, list):
            waiting.extend(found)
        elif isinstance(found, dict):
            waiting.extend(found.values())
            if "oneOf" in found:
                # Alternatives that are not told apart: a plain refusal fits several of them.
                found["anyOf"] = found.pop("oneOf")
            if found.get("nullable") is True:
                _nullable(found)


def _nullable(schema: dict[str, Any]) -> None:
    del schema["nullable"]
    plain = dict(schema)
    schema.clear()
    schema["anyOf"] = [plain, {"type": "null"}]


class DescribedGitHub(GitHubSandbox):
    """The stand-in, every answer of which is kept to be looked at."""

    def setup(self, app: web.Application, prefix: str) -> None:
        self.answers: list[tuple[str, str, int, object]] = []
        """Method, path, status and body of each."""

        @web.middleware
        async def keep(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            response = await handler(request)
            path = request.path.removeprefix(prefix)
            if path != request.path and isinstance(response, web.Response) and isinstance(response.body, bytes):
                body = json.loads(response.body) if response.content_type == "application/json" else None
                if body is not None:
                    self.answers.append((request.method, path, response.status, body))
            return response

        app.middlewares.append(keep)
        super().setup(app, prefix)

    def misdescribed(self) -> list[str]:
        """Every place in every answer that GitHub describes otherwise; looked at once where answers are alike."""
        known = description()
        found: dict[str, None] = {}
        for method, path, status, body in self.answers:
            operation = known.operation(method, path)
            if operation is not None:
                found |= dict.fromkeys(known.faults(operation, status, body))
        found |= dict.fromkeys(fault for sent in self.webhooks.deliveries for fault in known.webhook_faults(sent))
        return list(found)
