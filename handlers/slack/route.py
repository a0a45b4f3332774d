"""Slack's one route. The signature is checked on the raw bytes before anything is parsed."""

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
from handlers.slack.payloads import is_known

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
            known = is_known(bolt_request.body)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            # The signature does not cover the content type, so a signed body may still be unreadable.
            log.warning("slack.malformed", error=type(error).__name__)
            return web.json_response({"detail": "The request cannot be read"}, status=400)
        if not known:
            # Slack counts what is not acknowledged as our failure.
            return web.Response()
        answer = await to_aiohttp_response(await slack.async_dispatch(bolt_request))
        kind = bolt_request.body.get("type") or ("command" if "command" in bolt_request.body else "other")
        metrics.SLACK_ACK_SECONDS.labels(kind if kind in KINDS else "other").observe(time.perf_counter() - began)
        return answer

    web_app.router.add_post("/slack/events", slack_events)


class Rounds:
    """One request begins in each round of the event loop, so that what is being committed gets on between them.

    All that come at once would else be read before the first is committed, and then all wait for that one commit.
    """

    def __init__(self) -> None:
        self._taken = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def mine(self) -> None:
        """Return in a round in which nobody else's call does; in the order of the calls."""
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
    """As Bolt's own adapter makes it, but for the form and its JSON, which are most of a click: both are read in C."""
    body: str | dict[str, Json] = text
    mode = "http"
    if text.startswith("payload="):
        body = _read(URL.build(query_string=text, encoded=True).query.getall("payload")[-1])
        mode = "socket_mode"  # Bolt's word for a body that is read already; it asks for it nowhere else
    headers = request.headers
    return AsyncBoltRequest(body=body, query=request.query_string, headers=headers, mode=mode)  # type: ignore[arg-type] # read like the dict that it asks for, as its adapter does


def _read(payload: str) -> dict[str, Json]:
    try:
        read = from_json(payload)
    except ValueError:
        read = json.loads(payload)  # which takes half a surrogate pair too
    if not isinstance(read, dict):
        raise TypeError
    return read


KINDS = frozenset({"block_actions", "view_submission", "view_closed", "command", "event_callback", "url_verification"})
