"""The HTTP side of the Web API: token, arguments, planned faults, posting rate and journal around each method.

The journal records every call; `unexpected` records each call that no correct client makes.
"""

import asyncio
import hmac
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from bot.sandbox.slack import methods_chat, methods_read, methods_views
from bot.sandbox.slack.arguments import Arguments, read_arguments
from bot.sandbox.slack.faults import SlackFault, SlackFaults, broken_answer, too_many
from bot.sandbox.slack.method import METHODS, require_scope
from bot.sandbox.slack.wire import Json, SlackError
from bot.sandbox.slack.workspace import ApiCall, Workspace

__all__ = ["PostingRate", "WebApi", "methods_chat", "methods_read", "methods_views"]


_ALWAYS = frozenset({"team_id"})
"""Arguments that the official SDKs add to every call."""


@dataclass(slots=True)
class PostingRate:
    """The limit of posts per channel: `per_second` on average, `burst` at once. None: no limit."""

    per_second: float | None = None
    burst: int = 3


class WebApi:
    """Answers `<prefix>/api/{method}`. `open_socket` returns the address of a new Socket Mode connection."""

    def __init__(
        self,
        workspace: Workspace,
        faults: SlackFaults,
        *,
        bot_token: str,
        app_token: str | None,
        clock: Callable[[], float],
        open_socket: Callable[[], str],
    ) -> None:
        self._workspace = workspace
        self._faults = faults
        self._bot_token = bot_token
        self._app_token = app_token
        self._clock = clock
        self._open_socket = open_socket
        self.pace = PostingRate()
        self._credit: dict[str, tuple[float, float]] = {}

    async def handle(self, request: web.Request) -> web.Response:
        """Carry out one call."""
        method = request.match_info["method"]
        try:
            args = await read_arguments(request)
        except SlackError as refusal:
            self._workspace.unexpected.append(f"{method}: {refusal.code}")
            return self._answer(method, {}, refusal.as_json())
        token = _bearer(request) or str(args.pop("token", ""))
        args.pop("token", None)
        fault = self._faults.take(method)
        if fault is not None and fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        elif fault is not None and fault.kind != "drop_after":
            return self._fail(request, method, args, fault)
        if (wait := self._over_pace(method, args)) is not None:
            self._note(method, args, 429, "ratelimited")
            return too_many(str(math.ceil(wait)))
        try:
            body = {"ok": True, **self._run(method, token, args)}
        except SlackError as refusal:
            body = refusal.as_json()
        if fault is not None and fault.kind == "drop_after":
            return self._fail(request, method, args, fault)
        return self._answer(method, args, body)

    def _run(self, method: str, token: str, args: Json) -> Json:
        known = METHODS.get(method)
        self._check_token(method, token)
        if method == "apps.connections.open":
            return {"url": self._open_socket()}
        if known is None:
            self._workspace.unexpected.append(f"{method}: unknown method")
            raise SlackError("unknown_method", req_method=method)
        if extra := args.keys() - known.required - known.optional - _ALWAYS:
            self._workspace.unexpected.append(f"{method}: unknown argument {', '.join(sorted(extra))}")
        if missing := [name for name in sorted(known.required) if args.get(name) in (None, "")]:
            self._workspace.unexpected.append(f"{method}: missing argument {', '.join(missing)}")
            raise SlackError(
                "invalid_arguments", [f"missing required field: {name} [json-pointer:/]" for name in missing]
            )
        if known.scope is not None:
            require_scope(self._workspace, known.scope)
        return known.run(self._workspace, Arguments(args))

    def _check_token(self, method: str, token: str) -> None:
        if not token:
            raise SlackError("not_authed")
        app_level = method == "apps.connections.open"
        right, other = self._bot_token, self._app_token
        if app_level:
            right, other = self._app_token or "", self._bot_token
        if right and _same(token, right):
            return
        raise SlackError("not_allowed_token_type" if other and _same(token, other) else "invalid_auth")

    def _over_pace(self, method: str, args: Json) -> float | None:
        """Return the seconds to wait when a post exceeds `pace`, else None."""
        rate = self.pace.per_second
        if rate is None or method != "chat.postMessage":
            return None
        channel, now = str(args.get("channel")), self._clock()
        credit, since = self._credit.get(channel, (float(self.pace.burst), now))
        credit = min(self.pace.burst, credit + (now - since) * rate)
        self._credit[channel] = (credit - 1 if credit >= 1 else credit, now)
        return None if credit >= 1 else (1 - credit) / rate

    def _fail(self, request: web.Request, method: str, args: Json, fault: SlackFault) -> web.Response:
        broken = broken_answer(request, fault)
        if broken is None:
            return self._answer(method, args, SlackError(fault.kind).as_json())
        status, error, response = broken
        self._note(method, args, status, error)
        return response

    def _answer(self, method: str, args: Json, body: Json) -> web.Response:
        self._note(method, args, 200, body.get("error"))
        scopes = ",".join(sorted(self._workspace.scopes))
        return web.json_response(body, headers={"X-OAuth-Scopes": scopes})

    def _note(self, method: str, args: Json, status: int, error: str | None) -> None:
        self._workspace.journal.append(ApiCall(method, args, status, error, time.time()))
        self._workspace.touch("call")


def _bearer(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
