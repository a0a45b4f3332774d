"""The page on which a person sees and clicks what the stand-ins hold: its files, and the headers they go out with.

It is plain HTML, CSS and ES modules that know only the control routes. Nothing on it comes from another host.
"""

from importlib.resources import files

from aiohttp import web

HEADERS = {
    # Trusted types forbid every way of turning a string into markup, so a message's text stays text.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Cache-Control": "no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


def setup(app: web.Application) -> None:
    """Serve the page at `/` and its files under `/page/`."""
    app.router.add_get("/", _index)
    app.router.add_get("/page/{name}", _file)


async def _index(_request: web.Request) -> web.Response:
    return _served("index.html")


async def _file(request: web.Request) -> web.Response:
    return _served(request.match_info["name"])


def _served(name: str) -> web.Response:
    # A name is compared with what is there and never made into a path.
    found = next((file for file in files(__name__).iterdir() if file.name == name), None)
    kind = _TYPES.get(f".{name.rpartition('.')[2]}")
    if found is None or kind is None:
        raise web.HTTPNotFound(text="There is no such file.")
    return web.Response(text=found.read_text("utf-8"), content_type=kind, charset="utf-8", headers=HEADERS)
