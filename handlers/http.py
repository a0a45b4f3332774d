"""What all responses share: request ids, security headers, CORS, JSON errors and one metric.

An error body holds a sentence of ours, never an exception's text.
"""

import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from ipaddress import ip_address
from secrets import token_hex
from urllib.parse import urlsplit

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from structlog.contextvars import bound_contextvars

from bot import metrics
from bot.domain.apv import Json
from bot.domain.faults import Fault
from bot.service.errors import outage

log = structlog.get_logger(__name__)

BODY_LIMIT = 16 * 1024 * 1024
"""Bytes, decompressed; a route may set a lower limit."""
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-XSS-Protection": "1; mode=block",
    "Server": "apv-bot",
}
NOT_STORED = {"Cache-Control": "no-store"}
"""In every response of the API, also in errors."""
REQUEST_ID = web.RequestKey("request_id", str)
SANE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNMATCHED = "unmatched"
SENTENCES = {404: "Not found", 405: "Method not allowed", 413: "The body is too large for this route"}

PROXIED = frozenset({"forwarded", "via"})
"""Headers that a proxy adds (RFC 7239; RFC 9110, section 7.6.3), besides X-Forwarded-*."""
HOST = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[^\[\]:@/]+))(?::[0-9]*)?")
"""RFC 9110, section 7.2: a name or an address, IPv6 in brackets, and a port."""

API = "/hitl/"
"""CORS applies to the paths below this one, and no cache keeps their responses."""
PREFLIGHT = {
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, If-Match, X-Request-ID",
    "Access-Control-Max-Age": "600",
}
EXPOSED = "ETag, Retry-After, X-Request-ID"


class HttpError(Exception):
    """An error response: its status, its `detail` and its headers."""

    def __init__(self, status: int, detail: Json, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.status, self.detail, self.headers = status, detail, headers


def unprocessable(faults: Iterable[Fault], where: str = "body") -> HttpError:
    """A 422 that lists every fault with its place; `where` is `body`, `query` or `header`."""
    return HttpError(422, [{"type": f.type, "loc": [where, *f.loc], "msg": f.msg} for f in faults])


def answer(body: Json, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON response."""
    text = json.dumps(body, separators=(",", ":"))
    return web.Response(text=text, status=status, headers=headers, content_type="application/json")


def document(raw: bytes) -> object:
    """Parse a JSON body; raises HttpError 422 with the reason and the position."""
    try:
        return json.loads(raw)
    except json.JSONDecodeError as error:
        sentence = f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise _not_json(sentence, error.pos) from None
    except RecursionError:
        raise _not_json("lists and objects are nested too deeply") from None
    except ValueError:
        raise _not_json("not JSON in UTF-8, or a number with too many digits") from None


def _not_json(sentence: str, *position: int) -> HttpError:
    return HttpError(422, [{"type": "json_invalid", "loc": ["body", *position], "msg": sentence}])


def application(origins: Sequence[str] = ()) -> web.Application:
    """An application with the shared behaviour; pages from `origins` (`*`: any) may call the API from a browser."""
    app = web.Application(client_max_size=BODY_LIMIT, middlewares=[_answered])
    app.on_response_prepare.append(_dress)
    if origins:
        _allow(app, origins)
    return app


class Runner(web.AppRunner):
    """Runs an application; requests that are not valid HTTP get the same headers and JSON errors."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(made.request_handler, request_factory=made.request_factory, **self._kwargs)


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class _Connection(web.RequestHandler):
    def log_exception(self, *args: object, exc_info: BaseException | None = None) -> None:
        """aiohttp calls this after the response; the rest of a refused body may then fail to arrive."""
        if not isinstance(exc_info, web.RequestPayloadError):
            log.error("http.unexpected_error", exc_info=exc_info)

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """aiohttp calls this when it cannot parse a request, or when an error escapes every middleware.

        The response leaves `message` out, because it quotes the request.
        """
        if status >= 500:
            log.error("http.unexpected_error", exc_info=exc)
        else:
            log.info("http.malformed", status=status)
        if request.writer.output_size > 0:
            raise ConnectionError("part of the response is already sent")
        metrics.observe_request("OTHER", UNMATCHED, status, 0)
        # Its path is unknown, so it may be one of the API.
        headers = HEADERS | NOT_STORED | {"X-Request-ID": token_hex(16)}
        refused = answer({"detail": _sentence(status)}, status, headers)
        refused.force_close()
        return refused


@web.middleware
async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    began = time.perf_counter()
    given = request.headers.get("X-Request-ID", "")
    request[REQUEST_ID] = given if SANE_ID.fullmatch(given) else token_hex(16)
    with bound_contextvars(request_id=request[REQUEST_ID]):
        try:
            response = await handler(request)
        except HttpError as error:
            response = answer({"detail": error.detail}, error.status, error.headers)
        except web.HTTPException as error:
            kept = {name: value for name, value in error.headers.items() if name == "Allow"}
            response = answer({"detail": _sentence(error.status)}, error.status, kept)
        except Exception as error:
            response = _unexpected(request, error)
    if response.status == 101:
        # A WebSocket stays open for hours and has its own metrics.
        return response
    method = request.method if request.method in METHODS else "OTHER"
    resource = request.match_info.route.resource
    endpoint = resource.canonical if resource else UNMATCHED
    metrics.observe_request(method, endpoint, response.status, time.perf_counter() - began)
    return response


def _unexpected(request: web.Request, error: Exception) -> web.Response:
    if isinstance(error, web.RequestPayloadError) or request.transport is None:
        # The body does not match its headers, or the client is gone.
        log.info("http.unreadable", error=type(error).__name__)
        return answer({"detail": "The body cannot be read"}, 400)
    sentence = outage(error)
    if sentence is not None:
        log.warning("http.unavailable", error=type(error).__name__)
        return answer({"detail": sentence}, 503)
    log.error("http.unexpected_error", exc_info=error)
    return answer({"detail": "Internal error"}, 500)


def _sentence(status: int) -> str:
    return SENTENCES.get(status) or HTTPStatus(status).phrase


async def _dress(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
    if f"{request.path}/".startswith(API):
        response.headers.update(NOT_STORED)
    response.headers["X-Request-ID"] = request[REQUEST_ID]


def cross_origin(request: web.Request, origins: Sequence[str]) -> bool:
    """Whether the request comes from a page of an origin that is not allowed. Programs send no `Origin`."""
    origin = request.headers.get("Origin")
    return origin is not None and urlsplit(origin).netloc != request.host and not _allowed(origin, origins)


def through_a_proxy(request: web.Request) -> bool:
    """Whether a proxy says that it passed the request on."""
    names = [name.lower() for name in request.headers]
    return any(name in PROXIED or name.startswith("x-forwarded-") for name in names)


def to_loopback(request: web.Request) -> bool:
    """Whether the one `Host` is a loopback address or `localhost`, which no other machine's name server can give away.

    The name may end with a dot (RFC 6761, section 6.3), and a port may follow.
    """
    hosts = [
        found["v6"] or found["name"] for host in request.headers.getall("Host", []) if (found := HOST.fullmatch(host))
    ]
    if len(hosts) != 1:
        return False
    try:
        return ip_address(hosts[0]).is_loopback
    except ValueError:
        return hosts[0].lower().removesuffix(".") == "localhost"


def _allow(app: web.Application, origins: Sequence[str]) -> None:
    """Answer preflights, which need no token, and name an allowed origin in each response of the API."""

    @web.middleware
    async def preflight(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPMethodNotAllowed as error:
            if not (request.path.startswith(API) and "Access-Control-Request-Method" in request.headers):
                raise
            methods = {"Access-Control-Allow-Methods": ", ".join(sorted(error.allowed_methods))}
            return web.Response(status=204, headers=PREFLIGHT | methods)

    async def name_origin(request: web.Request, response: web.StreamResponse) -> None:
        if not request.path.startswith(API):
            return
        # A cache must not serve one origin's response to another.
        response.headers["Vary"] = "Origin"
        origin = request.headers.get("Origin")
        if origin is not None and _allowed(origin, origins):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = EXPOSED

    app.middlewares.append(preflight)
    app.on_response_prepare.append(name_origin)


def _allowed(origin: str, origins: Sequence[str]) -> bool:
    return "*" in origins or origin in origins
