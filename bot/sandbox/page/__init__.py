"""The sandbox page, where a person sees and uses the stand-ins: serves its files with their headers.

It is plain HTML, CSS and ES modules that use only the control routes. It loads nothing from another host.
"""

from importlib.resources import files

from aiohttp import web

HEADERS = {
    # Trusted types forbid turning a string into markup, so a message's text stays text.
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
    # Compare the name with the files that exist; never build a path from it.
    found = next((file for file in files(__name__).iterdir() if file.name == name), None)
    kind = _TYPES.get(f".{name.rpartition('.')[2]}")
    if found is None or kind is None:
        raise web.HTTPNotFound(text="No such file.")
    return web.Response(text=found.read_text("utf-8"), content_type=kind, charset="utf-8", headers=HEADERS)
