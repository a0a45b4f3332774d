"""Failures that a test orders ahead of time: which call, what goes wrong, how often.

A fault is used up by the calls it hits; `method` is a Web API method, `response_url` or `*`.
"""

from dataclasses import dataclass

from aiohttp import web

HTTP_KINDS = {"http500": 500, "http502": 502, "http503": 503}
KINDS = frozenset({"ratelimited", "drop_before", "drop_after", "slow", *HTTP_KINDS})
"""Every other word is answered as a Slack error code."""

DROPPED = 0
"""The status that the journal keeps for a connection that was cut."""


@dataclass(slots=True)
class Fault:
    """`times` None means until cleared; `after` calls go through first."""

    method: str
    kind: str
    times: int | None = 1
    after: int = 0
    seconds: float = 0.0
    """How long a `slow` call waits before it is carried out."""
    retry_after: str = "1"
    """The Retry-After header of a 429, as written."""
    hits: int = 0
    """Calls that it has hit so far."""


class Faults:
    """The ordered faults, first come first used."""

    def __init__(self) -> None:
        self._ordered: list[Fault] = []

    def order(self, fault: Fault) -> None:
        """Add one."""
        self._ordered.append(fault)

    def clear(self, kind: str | None = None) -> None:
        """Forget all of them, or those of one kind."""
        self._ordered = [fault for fault in self._ordered if kind not in {None, fault.kind}]

    @property
    def pending(self) -> list[Fault]:
        """Those that still wait for a call."""
        return list(self._ordered)

    def take(self, method: str) -> Fault | None:
        """The fault that hits this call, if any."""
        for fault in self._ordered:
            if fault.method not in (method, "*"):
                continue
            if fault.after > 0:
                fault.after -= 1
                continue
            fault.hits += 1
            if fault.times is not None:
                fault.times -= 1
                if fault.times <= 0:
                    self._ordered.remove(fault)
            return fault
        return None


def broken_answer(request: web.Request, fault: Fault) -> tuple[int, str, web.Response] | None:
    """What goes out instead of an answer, as status, word and response; None for `slow` and for error codes."""
    if fault.kind in {"drop_before", "drop_after"}:
        if request.transport is not None:
            request.transport.abort()
        return DROPPED, "dropped", web.Response()  # written to nobody
    if fault.kind == "ratelimited":
        return 429, "ratelimited", too_many(fault.retry_after)
    if fault.kind in HTTP_KINDS:
        status = HTTP_KINDS[fault.kind]
        page = f"<html><body><h1>{status} Server Error</h1></body></html>"
        return status, fault.kind, web.Response(status=status, text=page, content_type="text/html")
    return None


def too_many(retry_after: str) -> web.Response:
    """Slack's 429."""
    return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": retry_after})
