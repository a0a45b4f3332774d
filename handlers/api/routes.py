"""The table of endpoints, from which the routes and the OpenAPI document are made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import BaseModel

from bot.domain.apv import Json
from bot.domain.tokens import TokenScope
from handlers.api.models import ErrorResponse, ValidationErrorResponse

PREFIXES = ("/hitl", "/hitl/hitl")
"""An older console doubles the prefix."""

Model: TypeAlias = type[BaseModel]

BODY_ERRORS: Mapping[int, Model] = {400: ErrorResponse, 413: ErrorResponse, 422: ValidationErrorResponse}
"""Of each endpoint that reads a body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter in the path, the query or the headers."""

    name: str
    where: str
    schema: Mapping[str, Json]
    about: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One method on one path under `/hitl`; with `scope` None it needs no token."""

    method: str
    path: str
    name: str
    """The unique `operationId`."""
    about: str
    handler: Handler
    scope: TokenScope | None
    answers: Mapping[int, Model]
    """By status. Each endpoint that needs a token has 400, 401, 403, 429 and 503 as well."""
    body: Sequence[Model] = ()
    lists: bool = False
    """The body may be a list too; the response is then a list."""
    listed: bool = False
    """The response is always a list."""
    parameters: Sequence[Parameter] = field(default=())
    headers: Mapping[str, str] = field(default_factory=dict)
    """The headers of a successful response: name -> what it is for."""


def add(app: web.Application, endpoints: Sequence[Endpoint]) -> None:
    """Serve each endpoint, with and without a slash at the end of its path."""
    for endpoint in endpoints:
        for prefix in PREFIXES:
            path = f"{prefix}{endpoint.path}"
            for each in (path, f"{path}/"):
                if endpoint.method == "GET":
                    app.router.add_get(each, endpoint.handler)
                else:
                    app.router.add_route(endpoint.method, each, endpoint.handler)
