"""What every answer has in common: a request id, the security headers, JSON for errors, one metric.

Whatever fails, the answer holds a sentence of ours and never an exception's text.
"""

import json
import re
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from secrets import token_hex

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from structlog.contextvars import bound_contextvars

from bot import metrics
from bot.domain.apv import Json
from bot.service.errors import outage
from handlers import cors

log = structlog.get_logger(__name__)

BODY_LIMIT = 16 * 1024 * 1024
"""Bytes, decompressed; a route may hold itself to less."""
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-XSS-Protection": "1; mode=block",
    "Server": "apv-bot",
}
REQUEST_ID = web.RequestKey("request_id", str)
SANE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNMATCHED = "unmatched"
SENTENCES = {404: "Not found", 405: "Method not allowed", 413: "The body is larger than this route takes"}


class HttpError(Exception):
    """An answer that is not the one asked for: its status, and what `detail` says."""

    def __init__(self, status: int, detail: Json, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.status, self.detail, self.headers = status, detail, headers


def answer(body: Json, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON answer."""
    text = json.dumps(body, separators=(",", ":"))
    return web.Response(text=text, status=status, headers=headers, content_type="application/json")


def application(origins: Sequence[str] = ()) -> web.Application:
    """An application that answers as the contract says whatever its routes do; `origins` may call from a browser."""
    app = web.Application(client_max_size=BODY_LIMIT, middlewares=[_answered])
    app.on_response_prepare.append(_dress)
    if origins:
        cors.allow(app, origins)
    return app


class Runner(web.AppRunner):
    """Runs an application, and answers what is not even HTTP as everything else is answered."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(made.request_handler, request_factory=made.request_factory, **self._kwargs)


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class _Connection(web.RequestHandler):
    def log_exception(self, *args: object, exc_info: BaseException | None = None) -> None:
        """Called for what happens after the answer: a body refused already is read to its end, and cannot be."""
        if not isinstance(exc_info, web.RequestPayloadError):
            log.error("http.surprise", exc_info=exc_info)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Called when a request cannot be parsed, and when no middleware could catch what went wrong.

        `message` is never shown: it quotes what was sent.
        """
        if status >= 500:
            log.error("http.surprise", exc_info=exc)
        else:
            log.info("http.malformed", status=status)
        if request.writer.output_size > 0:
            raise ConnectionError("part of an answer is sent already")
        metrics.observe_request("OTHER", UNMATCHED, status, 0)
        refused = answer({"detail": _sentence(status)}, status, HEADERS | {"X-Request-ID": token_hex(16)})
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
            response = _of_aiohttp(error)
        except Exception as error:
            response = _of_surprise(request, error)
    if response.status == 101:
        # A connection that was upgraded lasts for hours, and has metrics of its own.
        return response
    method = request.method if request.method in METHODS else "OTHER"
    resource = request.match_info.route.resource
    endpoint = resource.canonical if resource else UNMATCHED
    metrics.observe_request(method, endpoint, response.status, time.perf_counter() - began)
    return response


def _of_aiohttp(error: web.HTTPException) -> web.Response:
    kept = {name: value for name, value in error.headers.items() if name == "Allow"}
    return answer({"detail": _sentence(error.status)}, error.status, kept)


def _of_surprise(request: web.Request, error: Exception) -> web.Response:
    if isinstance(error, web.RequestPayloadError) or request.transport is None:
        # A body that does not fit its own headers, or nobody left to send the rest of it.
        log.info("http.unreadable", error=type(error).__name__)
        return answer({"detail": "The body cannot be read"}, 400)
    sentence = outage(error)
    if sentence is not None:
        log.warning("http.unavailable", error=type(error).__name__)
        return answer({"detail": sentence}, 503)
    log.error("http.surprise", exc_info=error)
    return answer({"detail": "Internal error"}, 500)


def _sentence(status: int) -> str:
    return SENTENCES.get(status) or HTTPStatus(status).phrase


async def _dress(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
    response.headers["X-Request-ID"] = request[REQUEST_ID]
