"""Slack's one route. The signature is checked on the raw bytes before anything is parsed."""

import time
from collections.abc import Callable

import structlog
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from yarl import URL

from bot import metrics
from handlers.payloads import is_known

log = structlog.get_logger(__name__)

BODY_LIMIT = 256 * 1024
"""Bytes; Slack's own payloads stay far below."""

Verify = Callable[[bytes, str | None, str | None], bool]


def mount_slack(web_app: web.Application, slack: AsyncApp, verified: Verify) -> None:
    """Serve `slack` at `POST /slack/events`; `verified(raw, timestamp, signature)` says whether Slack sent it."""

    async def slack_events(request: web.Request) -> web.Response:
        began = time.perf_counter()
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


def _to_bolt_request(request: web.Request, body: str) -> AsyncBoltRequest:
    """As Bolt's own adapter makes it, but for the form: yarl takes one apart in C, and most of a click is its form."""
    form = URL.build(query_string=body, encoded=True).query if body.startswith("payload=") else None
    return AsyncBoltRequest(
        body=body if form is None else form.getall("payload")[-1],
        query=request.query_string,
        headers=request.headers,  # type: ignore[arg-type] # read like the dict that it asks for, as its adapter does
    )


KINDS = frozenset({"block_actions", "view_submission", "view_closed", "command", "event_callback", "url_verification"})
