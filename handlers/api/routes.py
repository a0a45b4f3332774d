"""One table says what the API serves: from it come the routes themselves and the document about them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from aiohttp import web
from pydantic import BaseModel

from bot.domain.apv import Json
from handlers.api.auth import Scope
from handlers.api.models import Refusal, Unprocessable

PREFIXES = ("/hitl", "/hitl/hitl")
"""An older console doubles the prefix."""

Model: TypeAlias = type[BaseModel]
Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

FAULTY: Mapping[int, Model] = {400: Refusal, 413: Refusal, 422: Unprocessable}
"""What a route may answer that reads a body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A name in the path, the query or the headers, with its JSON schema."""

    name: str
    where: str
    schema: Mapping[str, Json]
    about: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method on one path under `/hitl`; `scope` None needs no token."""

    method: str
    path: str
    name: str
    """Of the operation, unique."""
    about: str
    handler: Handler
    scope: Scope | None
    answers: Mapping[int, Model]
    """Beside those that every route has: 400, 401, 403, 429 and 503."""
    body: Sequence[Model] = ()
    lists: bool = False
    """A list of the body is taken too, and answered by a list."""
    listed: bool = False
    """The answer is always a list."""
    parameters: Sequence[Parameter] = field(default=())


def add(app: web.Application, routes: Sequence[Route]) -> None:
    """Serve them, each with and without a slash at its end."""
    for route in routes:
        for prefix in PREFIXES:
            for path in dict.fromkeys((f"{prefix}{route.path.rstrip('/')}", f"{prefix}{route.path.rstrip('/')}/")):
                if route.method == "GET":
                    app.router.add_get(path, route.handler)
                else:
                    app.router.add_route(route.method, path, route.handler)
