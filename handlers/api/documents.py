"""The OpenAPI document, made from the endpoints and their models, and the pages that show it.

The pages load nothing from other hosts; their Content-Security-Policy forbids it.
"""

import asyncio
import json
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import TypeAlias

from aiohttp import web
from apispec import APISpec
from pydantic.json_schema import models_json_schema

from bot.domain.apv import Json
from handlers.api.models import ErrorResponse
from handlers.api.routes import PREFIXES, Endpoint, Model

Schemas: TypeAlias = dict[tuple[str, str], dict[str, Json]]
"""The schema of each model, by its name and its mode, `validation` (request) or `serialization` (response)."""

ABOUT = """Reviews of vulnerability patches and the decisions on them. Every response has an `X-Request-ID`; every error
has a `detail`. All paths work with and without a trailing slash, and under `/hitl/hitl` too."""
SCHEMA = "#/components/schemas/{model}"
ALWAYS = (400, 401, 403, 429, 503)
"""The errors of each endpoint that needs a token."""
SENTENCES = {
    200: "OK",
    201: "Created",
    400: "The request cannot be read",
    401: "The token is missing or wrong",
    403: "The token lacks the scope, or the policy refuses the decision",
    404: "Not found",
    409: "The review is closed, or its content changed",
    413: "The body is too large",
    422: "The request is invalid; `detail` lists every fault",
    428: "The approval does not name the digest of the content it is for",
    429: "Rate limit exceeded; see `Retry-After`",
    503: "The database is unavailable",
}

ASSETS = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "redoc.standalone.js": "text/javascript",
    "start.js": "text/javascript",
}
PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>apv-bot API</title>{head}</head>
<body><div id="page"></div>{scripts}</body>
</html>
"""
START = """const page = document.getElementById("page");
if (window.SwaggerUIBundle) SwaggerUIBundle({url: "/hitl/openapi.json", domNode: page, deepLinking: true});
if (window.Redoc) Redoc.init("/hitl/openapi.json", {disableSearch: true, hideDownloadButton: false}, page);
"""
# The pages set inline styles, and ReDoc starts a worker; nothing else is allowed.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def openapi(endpoints: Sequence[Endpoint]) -> dict[str, Json]:
    """The OpenAPI 3.1 document of these endpoints."""
    spec = APISpec(
        title="apv-bot",
        version=version("apv-bot"),
        openapi_version="3.1.0",
        info={"description": " ".join(ABOUT.split())},
    )
    spec.components.security_scheme("token", {"type": "http", "scheme": "bearer"})
    asked = {model for endpoint in endpoints for model in endpoint.body}
    answered = {ErrorResponse} | {model for endpoint in endpoints for model in endpoint.answers.values()}
    named, definitions = models_json_schema(
        [
            *((m, "validation") for m in sorted(asked, key=_name)),
            *((m, "serialization") for m in sorted(answered, key=_name)),
        ],
        ref_template=SCHEMA,
    )
    for name, schema in sorted(definitions.get("$defs", {}).items()):
        spec.components.schema(name, schema)
    schemas: Schemas = {(model.__name__, mode): schema for (model, mode), schema in named.items()}
    for endpoint in endpoints:
        operation = {endpoint.method.lower(): _operation(endpoint, schemas)}
        spec.path(path=f"/hitl{endpoint.path}", operations=operation)
    made: dict[str, Json] = spec.to_dict()
    return made


def _name(model: Model) -> str:
    return model.__name__


def _operation(endpoint: Endpoint, schemas: Schemas) -> dict[str, Json]:
    operation: dict[str, Json] = {
        "operationId": endpoint.name,
        "summary": endpoint.about,
        "responses": _responses(endpoint, schemas),
    }
    if endpoint.parameters:
        operation["parameters"] = [
            {
                "name": p.name, "in": p.where, "required": p.where == "path", "schema": dict(p.schema),
                **({"description": p.about} if p.about else {}),
            }
            for p in endpoint.parameters
        ]  # fmt: skip
    if endpoint.body:
        schema = _either([dict(schemas[model.__name__, "validation"]) for model in endpoint.body])
        many: dict[str, Json] = {"type": "array", "items": schema, "maxItems": 1000}
        asked = _either([schema, many]) if endpoint.lists else schema
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": asked}}}
    if endpoint.scope is not None:
        operation["security"] = [{"token": []}]
        operation["description"] = f"Needs a token with the scope `{endpoint.scope}`."
    return operation


def _responses(endpoint: Endpoint, schemas: Schemas) -> dict[str, Json]:
    responses: dict[str, Json] = {}
    answers: dict[int, Model] = {**dict.fromkeys(ALWAYS if endpoint.scope else (), ErrorResponse), **endpoint.answers}
    for status, model in sorted(answers.items()):
        schema = dict(schemas[model.__name__, "serialization"])
        if status < 300 and (endpoint.lists or endpoint.listed):
            many: dict[str, Json] = {"type": "array", "items": schema}
            schema = _either([schema, many]) if endpoint.lists else many
        response: dict[str, Json] = {
            "description": SENTENCES[status], "content": {"application/json": {"schema": schema}},
        }  # fmt: skip
        if endpoint.headers and status < 300:
            response["headers"] = {
                name: {"description": about, "schema": {"type": "string"}} for name, about in endpoint.headers.items()
            }
        responses[str(status)] = response
    return responses


def _either(schemas: list[dict[str, Json]]) -> dict[str, Json]:
    return schemas[0] if len(schemas) == 1 else {"anyOf": [*schemas]}


def add_routes(app: web.Application, endpoints: Sequence[Endpoint]) -> None:
    """Serve the document and its two pages, without a token."""

    @cache
    def document() -> str:
        return json.dumps(openapi(endpoints), separators=(",", ":"))

    pages = {"docs": _page("swagger-ui-bundle.js", "swagger-ui.css"), "redoc": _page("redoc.standalone.js")}

    async def shown(_request: web.Request) -> web.Response:
        # In a thread: the first request makes the document, which takes longer than a click may wait.
        return web.Response(text=await asyncio.to_thread(document), content_type="application/json")

    async def page(request: web.Request) -> web.Response:
        name = request.path.rstrip("/").rpartition("/")[2]
        headers = {"Content-Security-Policy": POLICY}
        return web.Response(text=pages[name], content_type="text/html", headers=headers)

    async def asset(request: web.Request) -> web.Response:
        name = request.match_info["asset"]
        if name not in ASSETS:
            raise web.HTTPNotFound
        if name == "start.js":
            return web.Response(text=START, content_type=ASSETS[name])
        return web.Response(
            body=_compressed(name), content_type=ASSETS[name], charset="utf-8", headers={"Content-Encoding": "gzip"}
        )

    for prefix in PREFIXES:
        for end in ("", "/"):
            app.router.add_get(f"{prefix}/openapi.json{end}", shown)
            for name in pages:
                app.router.add_get(f"{prefix}/{name}{end}", page)
    app.router.add_get("/hitl/docs/assets/{asset}", asset)


def _page(script: str, style: str | None = None) -> str:
    there = "/hitl/docs/assets"
    head = f'<link rel="stylesheet" href="{there}/{style}">' if style else ""
    scripts = "".join(f'<script src="{there}/{name}"></script>' for name in (script, "start.js"))
    return PAGE.format(head=head, scripts=scripts)


@cache
def _compressed(name: str) -> bytes:
    return (files("handlers.api") / "assets" / f"{name}.gz").read_bytes()
