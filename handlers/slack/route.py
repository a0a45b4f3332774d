"""Slack's only route. It verifies the signature of the raw bytes before it parses anything."""

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable

import structlog
from aiohttp import web
from pydantic_core import from_json
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from yarl import URL

from bot import metrics
from bot.domain.apv import Json
from handlers.slack.payloads import kind_of

log = structlog.get_logger(__name__)

BODY_LIMIT = 256 * 1024
"""Bytes; Slack's own payloads stay far below."""

Verify = Callable[[bytes, str | None, str | None], bool]


def mount_slack(web_app: web.Application, slack: AsyncApp, verified: Verify) -> None:
    """Serve `slack` at `POST /slack/events`; `verified(raw, timestamp, signature)` says whether Slack sent it."""

    rounds = Rounds()

    async def slack_events(request: web.Request) -> web.Response:
        began = time.perf_counter()
        await rounds.mine()
        bounded = request.clone(client_max_size=BODY_LIMIT)
        raw = await bounded.read()
        headers = request.headers
        if not verified(raw, headers.get("X-Slack-Request-Timestamp"), headers.get("X-Slack-Signature")):
            return web.json_response({"detail": "The request is not signed by Slack"}, status=401)
        try:
            bolt_request = _to_bolt_request(request, raw.decode())
            kind = kind_of(bolt_request.body)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            # The signature does not cover the content type, so a signed body may still be unreadable.
            log.warning("slack.malformed", error=type(error).__name__)
            return web.json_response({"detail": "The request cannot be read"}, status=400)
        if kind is None:
            # Acknowledged all the same: Slack counts an unacknowledged request as our failure.
            return web.Response()
        answer = await to_aiohttp_response(await slack.async_dispatch(bolt_request))
        metrics.SLACK_ACK_SECONDS.labels(kind).observe(time.perf_counter() - began)
        return answer

    web_app.router.add_post("/slack/events", slack_events)


class Rounds:
    """Starts one request per round of the event loop, so that running commits make progress in between.

    Otherwise all requests that arrive together would be parsed before the first one commits.
    """

    def __init__(self) -> None:
        self._taken = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def mine(self) -> None:
        """Return in a round of its own; calls return in order."""
        loop = asyncio.get_running_loop()
        if self._taken:
            waiting = loop.create_future()
            self._waiting.append(waiting)
            await waiting
        else:
            self._taken = True
            loop.call_soon(self._next)

    def _next(self) -> None:
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(None)
                asyncio.get_running_loop().call_soon(self._next)
                return
        self._taken = False


def _to_bolt_request(request: web.Request, text: str) -> AsyncBoltRequest:
    """Like Bolt's own adapter, but form and JSON are parsed in C: parsing is most of the cost of a click."""
    body: str | dict[str, Json] = text
    mode = "http"
    if text.startswith("payload="):
        body = _read(URL.build(query_string=text, encoded=True).query.getall("payload")[-1])
        mode = "socket_mode"  # tells Bolt that the body is already parsed; it is used for nothing else
    headers = request.headers
    return AsyncBoltRequest(body=body, query=request.query_string, headers=headers, mode=mode)  # type: ignore[arg-type] # it reads headers like the dict it asks for, as with its adapter


def _read(payload: str) -> dict[str, Json]:
    try:
        read = from_json(payload)
    except ValueError:
        read = json.loads(payload)  # accepts half of a surrogate pair too
    if not isinstance(read, dict):
        raise TypeError
    return read
