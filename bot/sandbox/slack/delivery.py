"""Delivers requests to the app: signed HTTP with Slack's three-second limit, or a Socket Mode client.

The result is a `Delivery`; this module does not interpret it.
"""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlencode

import aiohttp

from bot.sandbox.slack.wire import Json

TIME_LIMIT = 3.0
"""Seconds that Slack waits for an answer."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One request as sent, kept to send the identical one again."""

    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    envelope: Json | None = None
    """Set when it is sent through a socket."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """The app's answer. `status` is 0 when there was none within the time limit, or no connection."""

    status: int
    body: object
    """Parsed JSON if it is JSON, else text; an empty answer is ""."""
    seconds: float
    timed_out: bool = False
    sent: bool = True
    """False when the person cancelled and the client sent nothing."""
    headers: Mapping[str, str] = field(default_factory=dict)
    request: Outgoing | None = field(default=None, repr=False)

    @property
    def ok(self) -> bool:
        """Whether this counts as acknowledged."""
        return 200 <= self.status < 300


NOT_SENT = Delivery(status=0, body="", seconds=0.0, sent=False)


class Socket(Protocol):
    """The part of Socket Mode that sending needs."""

    async def send(self, envelope: Json, limit: float) -> object:
        """Return the acknowledgement's payload ("" when it has none); raises TimeoutError or ConnectionError."""


class Sender:
    """Delivers to `request_url`, or to `socket` when that is set. Call `close()` at the end."""

    def __init__(self, signing_secret: str) -> None:
        self._secret = signing_secret.encode()
        self._http: aiohttp.ClientSession | None = None
        self.request_url: str | None = None
        self.socket: Socket | None = None
        self.time_limit = TIME_LIMIT

    def sign(self, body: bytes, *, timestamp: int | None = None) -> dict[str, str]:
        """Return the two headers of Slack's signature for a body, at `timestamp` (default: now)."""
        at = str(int(time.time()) if timestamp is None else timestamp)
        digest = hmac.new(self._secret, b"v0:" + at.encode() + b":" + body, hashlib.sha256).hexdigest()
        return {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": f"v0={digest}"}

    async def interaction(self, payload: Json) -> Delivery:
        """Deliver block_actions, view_submission or view_closed."""
        if self.socket is not None:
            return await self.envelope("interactive", payload)
        return await self._form({"payload": json.dumps(payload)})

    async def command(self, fields: Mapping[str, str]) -> Delivery:
        """Deliver a slash command."""
        if self.socket is not None:
            return await self.envelope("slash_commands", dict(fields))
        return await self._form(fields)

    async def event(self, payload: Json, retry: tuple[int, str] | None = None) -> Delivery:
        """Deliver an event; `retry` is the retry's number and reason."""
        if self.socket is not None:
            number, reason = retry or (0, "")
            return await self.envelope("events_api", payload, retry_attempt=number, retry_reason=reason)
        body = json.dumps(payload).encode()
        headers = {"Content-Type": "application/json", **self.sign(body)}
        if retry is not None:
            headers |= {"X-Slack-Retry-Num": str(retry[0]), "X-Slack-Retry-Reason": retry[1]}
        return await self.raw(body, headers)

    async def again(self, delivery: Delivery) -> Delivery:
        """Send the identical request again: same body, same signature, same envelope."""
        if delivery.request is None:
            raise ValueError("nothing was sent before, so it cannot be sent again")
        if delivery.request.envelope is not None:
            return await self._through_socket(delivery.request)
        return await self.raw(delivery.request.body, delivery.request.headers)

    async def raw(self, body: bytes, headers: Mapping[str, str]) -> Delivery:
        """POST any bytes with any headers to the request URL, signed or not."""
        if self.request_url is None:
            raise RuntimeError("request_url is not set")
        request = Outgoing(body, dict(headers))
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self.time_limit):
                async with self._session().post(
                    self.request_url, data=body, headers=headers, allow_redirects=False
                ) as response:
                    answer = _parsed(await response.text())
                    seconds = time.perf_counter() - started
                    return Delivery(response.status, answer, seconds, headers=response.headers, request=request)
        except TimeoutError:
            return Delivery(0, "", time.perf_counter() - started, timed_out=True, request=request)
        except aiohttp.ClientError:
            return Delivery(0, "", time.perf_counter() - started, request=request)

    async def envelope(self, kind: str, payload: Json, **extra: object) -> Delivery:
        """Send through the socket; an acknowledgement counts as status 200."""
        envelope_id = hashlib.sha256(f"{time.time_ns()}{kind}".encode()).hexdigest()[:32]
        envelope: Json = {"envelope_id": envelope_id, "type": kind, "payload": payload, **extra}
        envelope["accepts_response_payload"] = kind != "events_api"
        return await self._through_socket(Outgoing(envelope=envelope))

    async def close(self) -> None:
        """Close the connections to the app."""
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def _through_socket(self, request: Outgoing) -> Delivery:
        if self.socket is None or request.envelope is None:
            raise RuntimeError("no Socket Mode: the sandbox delivers over HTTP")
        started = time.perf_counter()
        try:
            answer = await self.socket.send(request.envelope, self.time_limit)
        except TimeoutError:
            return Delivery(0, "", time.perf_counter() - started, timed_out=True, request=request)
        except ConnectionError:
            return Delivery(0, "", time.perf_counter() - started, request=request)
        return Delivery(200, answer, time.perf_counter() - started, request=request)

    async def _form(self, fields: Mapping[str, str]) -> Delivery:
        body = urlencode(fields).encode()
        return await self.raw(body, {"Content-Type": "application/x-www-form-urlencoded", **self.sign(body)})

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None or self._http.closed:
            connector = aiohttp.TCPConnector(limit=0)
            self._http = aiohttp.ClientSession(connector=connector, headers={"User-Agent": "Slackbot 1.0"})
        return self._http


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
