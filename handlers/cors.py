"""Cross-origin calls to the REST API from a browser: who may make them, and the answers that a browser asks for."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

API = "/hitl/"
READABLE = "X-Request-ID, Retry-After"
SENDABLE = "Authorization, Content-Type, Idempotency-Key, X-Request-ID"
BELIEVED_SECONDS = "600"


def foreign(request: web.Request, origins: Sequence[str]) -> bool:
    """Whether a page of another origin sent this that is not on the list. A program sends no `Origin`."""
    origin = request.headers.get("Origin")
    return origin is not None and urlsplit(origin).netloc != request.host and not _allowed(origin, origins)


def allow(app: web.Application, origins: Sequence[str]) -> None:
    """Let pages of these origins (`*`: of any) call the API. Preflights need no token; calls need theirs as ever."""

    @web.middleware
    async def preflight(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPMethodNotAllowed as error:
            if not (request.path.startswith(API) and "Access-Control-Request-Method" in request.headers):
                raise
            allowed = {
                "Access-Control-Allow-Methods": ", ".join(sorted(error.allowed_methods)),
                "Access-Control-Allow-Headers": SENDABLE,
                "Access-Control-Max-Age": BELIEVED_SECONDS,
            }
            return web.Response(status=204, headers=allowed)

    async def name_origin(request: web.Request, response: web.StreamResponse) -> None:
        if not request.path.startswith(API):
            return
        # Caches must not give one origin's answer to another.
        response.headers["Vary"] = "Origin"
        origin = request.headers.get("Origin")
        if origin is not None and _allowed(origin, origins):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = READABLE

    app.middlewares.append(preflight)
    app.on_response_prepare.append(name_origin)


def _allowed(origin: str, origins: Sequence[str]) -> bool:
    return "*" in origins or origin in origins
