"""Keeps every other page on the web from acting in the sandbox through the browser of whoever looks at it.

What the sandbox's own page uses answers only that page's origin, under a name of this machine.
"""

from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Handler

_HERE = {"127.0.0.1", "localhost", "[::1]"}


def own_page_only(handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The handler, for the sandbox's page and for programs, which send no Origin; 403 for anybody else's page."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        host = request.host.rpartition(":")[0] or request.host
        # A foreign name that was made to resolve to this machine is what `Host` tells.
        if host not in _HERE or request.headers.get("Origin") not in {None, f"http://{request.host}"}:
            return web.json_response({"detail": "only this sandbox's own page may act here"}, status=403)
        return await handler(request)

    return guarded
