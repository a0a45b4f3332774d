"""The document about the API, made from the table of routes and its models, and the pages that show it.

Everything a page needs is served from here: the policy that goes with it lets a browser ask no other host.
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
from handlers.api.models import Refusal
from handlers.api.routes import PREFIXES, Model, Route

Schemas: TypeAlias = dict[tuple[str, str], dict[str, Json]]
"""References to the schemas of models, by name and by whether they are read (`validation`) or written."""

ABOUT = """Reviews of vulnerability patches, and the decisions on them. Every answer carries `X-Request-ID`; every
error has a `detail`. All paths answer with and without a slash at their end, and under `/hitl/hitl` too."""
SCHEMA = "#/components/schemas/{model}"
ALWAYS: dict[int, tuple[str, Model]] = {
    400: ("The request cannot be read: too long a line, or no HTTP", Refusal),
    401: ("No token, or a wrong one", Refusal),
    403: ("The token lacks the scope, or the policy says no", Refusal),
    429: ("Over the rate limit: see Retry-After", Refusal),
    503: ("The database is away", Refusal),
}
SENTENCES = {
    200: "Done", 201: "Made", 400: "The body cannot be read", 404: "Not found", 409: "No decision is awaited, or on "
    "other content", 413: "The body is too large", 422: "Something sent is wrong: every fault and its place",
}  # fmt: skip

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
# The pages style themselves as they run, and ReDoc works in the background; nothing else is let in.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def openapi(routes: Sequence[Route]) -> dict[str, Json]:
    """OpenAPI 3.1 of these routes."""
    spec = APISpec(
        title="apv-bot",
        version=version("apv-bot"),
        openapi_version="3.1.0",
        info={"description": " ".join(ABOUT.split())},
    )
    spec.components.security_scheme("token", {"type": "http", "scheme": "bearer"})
    asked = {model for route in routes for model in route.body}
    answered = {Refusal} | {model for route in routes for model in route.answers.values()}
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
    for route in routes:
        spec.path(path=f"/hitl{route.path}", operations={route.method.lower(): _operation(route, schemas)})
    made: dict[str, Json] = spec.to_dict()
    return made


def _name(model: Model) -> str:
    return model.__name__


def _operation(route: Route, schemas: Schemas) -> dict[str, Json]:
    operation: dict[str, Json] = {
        "operationId": route.name,
        "summary": route.about,
        "responses": _responses(route, schemas),
    }
    if route.parameters:
        operation["parameters"] = [
            {
                "name": p.name, "in": p.where, "required": p.where == "path", "schema": dict(p.schema),
                **({"description": p.about} if p.about else {}),
            }
            for p in route.parameters
        ]  # fmt: skip
    if route.body:
        schema = _either([dict(schemas[model.__name__, "validation"]) for model in route.body])
        many: dict[str, Json] = {"type": "array", "items": schema, "maxItems": 1000}
        asked = _either([schema, many]) if route.lists else schema
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": asked}}}
    if route.scope is not None:
        operation["security"] = [{"token": []}]
        operation["description"] = f"Needs a token with the scope `{route.scope}`."
    return operation


def _responses(route: Route, schemas: Schemas) -> dict[str, Json]:
    responses: dict[str, Json] = {}
    always = ALWAYS if route.scope else {}
    answers = {**{status: model for status, (_, model) in always.items()}, **route.answers}
    for status, model in sorted(answers.items()):
        schema = dict(schemas[model.__name__, "serialization"])
        if status < 300 and (route.lists or route.listed):
            many: dict[str, Json] = {"type": "array", "items": schema}
            schema = _either([schema, many]) if route.lists else many
        sentence = SENTENCES.get(status) or ALWAYS[status][0]
        responses[str(status)] = {"description": sentence, "content": {"application/json": {"schema": schema}}}
    return responses


def _either(schemas: list[dict[str, Json]]) -> dict[str, Json]:
    return schemas[0] if len(schemas) == 1 else {"anyOf": [*schemas]}


def add_routes(app: web.Application, routes: Sequence[Route]) -> None:
    """Serve the document and its two pages, to everybody."""

    @cache
    def document() -> str:
        return json.dumps(openapi(routes), separators=(",", ":"))

    pages = {
        "docs": _page("swagger-ui-bundle.js", "swagger-ui.css"),
        "redoc": _page("redoc.standalone.js"),
    }

    async def shown(_request: web.Request) -> web.Response:
        # Made for the first who asks, which takes longer than a click may be kept waiting.
        return web.Response(text=await asyncio.to_thread(document), content_type="application/json")

    async def page(request: web.Request) -> web.Response:
        name = request.path.rstrip("/").rpartition("/")[2]
        headers = {"Content-Security-Policy": POLICY}
        return web.Response(text=pages[name], content_type="text/html", headers=headers)

    async def asset(request: web.Request) -> web.Response:
        name = request.match_info["asset"]
        if name not in ASSETS:
            raise web.HTTPNotFound
        headers = {"Cache-Control": "public, max-age=3600"}
        if name == "start.js":
            return web.Response(text=START, content_type=ASSETS[name], headers=headers)
        return web.Response(
            body=_compressed(name), content_type=ASSETS[name], charset="utf-8",
            headers=headers | {"Content-Encoding": "gzip"},
        )  # fmt: skip

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
