"""Stops other web pages from using the sandbox through a visitor's browser.

The routes for the sandbox's own page answer only that page's origin, under a name of this machine.
"""

from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Handler

_HERE = {"127.0.0.1", "localhost", "[::1]"}


def own_page_only(handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Limit a handler to the sandbox's page and to programs, which send no Origin; other pages get 403."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        host = request.host.rpartition(":")[0] or request.host
        # `Host` shows DNS rebinding: a foreign name that resolves to this machine.
        if host not in _HERE or request.headers.get("Origin") not in {None, f"http://{request.host}"}:
            return web.json_response({"detail": "only this sandbox's own page may use this route"}, status=403)
        return await handler(request)

    return guarded
