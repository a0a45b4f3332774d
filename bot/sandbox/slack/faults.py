"""The faults of the Slack stand-in, and what is sent in place of an answer.

A fault hits a Web API method, `response_url` or `*`. Kinds: ratelimited, drop_before, drop_after, slow and
`HTTP_KINDS`; any other word is sent as a Slack error code.
"""

from aiohttp import web

from bot.sandbox.faults import FaultPlan, PlannedFault

SlackFault = PlannedFault[str]
SlackFaults = FaultPlan[str]

HTTP_KINDS = {"http500": 500, "http502": 502, "http503": 503}

DROPPED = 0
"""The status that the journal records for a connection that was cut."""


def broken_answer(request: web.Request, fault: SlackFault) -> tuple[int, str, web.Response] | None:
    """Return status, error word and response to send in place of an answer; None for `slow` and for error codes."""
    if fault.kind in {"drop_before", "drop_after"}:
        if request.transport is not None:
            request.transport.abort()
        return DROPPED, "dropped", web.Response()  # nobody receives it
    if fault.kind == "ratelimited":
        return 429, "ratelimited", too_many(fault.retry_after)
    if fault.kind in HTTP_KINDS:
        status = HTTP_KINDS[fault.kind]
        page = f"<html><body><h1>{status} Server Error</h1></body></html>"
        return status, fault.kind, web.Response(status=status, text=page, content_type="text/html")
    return None


def too_many(retry_after: str) -> web.Response:
    """Return Slack's 429."""
    return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": retry_after})
