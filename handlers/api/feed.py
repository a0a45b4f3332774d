"""The live feed over WebSocket: messages from clients and frames to them. A client that reads too slowly is dropped."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

import structlog
from aiohttp import WSCloseCode, WSMsgType, web

from bot import metrics
from bot.service.errors import outage
from bot.service.feed import Feed, Frame, Subscriber, frame
from handlers.api.auth import Auth
from handlers.api.routes import PREFIXES

log = structlog.get_logger(__name__)

PING_SECONDS = 20.0
MESSAGE_LIMIT = 64 * 1024
"""Bytes in one message from a client."""
CHANNELS_MOST = 100
CLOSE_SECONDS = 5.0
LOOK_SECONDS = 3600.0
"""How often a connection whose token ends on a date looks at the clock, which an operator may set."""


def add_route(app: web.Application, feed: Feed, auth: Auth, now: Callable[[], datetime]) -> None:
    """Serve the feed to clients that `auth` admits."""
    listeners = _Listeners(feed, auth, now)
    for prefix in PREFIXES:
        for path in (f"{prefix}/ws", f"{prefix}/ws/"):
            app.router.add_get(path, listeners.listen, allow_head=False)
    app.on_shutdown.append(listeners.close)


class _Unreadable(Exception):
    """The client's message is invalid; it gets the code and the sentence in an error frame."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(code)
        self.code, self.sentence = code, sentence


@dataclass(frozen=True, slots=True)
class _Listeners:
    feed: Feed
    auth: Auth
    now: Callable[[], datetime]
    sockets: set[web.WebSocketResponse] = field(default_factory=set)

    async def listen(self, request: web.Request) -> web.StreamResponse:
        client = self.auth.admit_listener(request)
        socket = web.WebSocketResponse(
            heartbeat=PING_SECONDS, max_msg_size=MESSAGE_LIMIT, timeout=CLOSE_SECONDS, compress=False
        )
        await socket.prepare(request)
        self.sockets.add(socket)
        metrics.WS_CONNECTIONS.inc()
        metrics.WS_ACTIVE.inc()
        subscriber = Subscriber()
        writer = asyncio.create_task(_write(socket, subscriber))
        ender = asyncio.create_task(_end_when_dropped(socket, subscriber, writer))
        ending = asyncio.create_task(self._end_with_the_token(socket, client.ends_at))
        try:
            await self._converse(socket, subscriber)
        finally:
            self.feed.leave(subscriber)
            self.sockets.discard(socket)
            metrics.WS_ACTIVE.dec()
            writer.cancel()
            ending.cancel()
            if not subscriber.dropped.is_set():
                ender.cancel()
            await asyncio.gather(writer, ender, ending, return_exceptions=True)
        return socket

    async def _end_with_the_token(self, socket: web.WebSocketResponse, ends_at: datetime | None) -> None:
        if ends_at is None:
            return
        while (left := (ends_at - self.now()).total_seconds()) > 0:  # noqa: ASYNC110 - a clock tells nobody
            await asyncio.sleep(min(left, LOOK_SECONDS))
        await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"the token is no longer valid", drain=False)

    async def close(self, _app: web.Application) -> None:
        """Close every connection with 1001."""
        closing = (socket.close(code=WSCloseCode.GOING_AWAY, drain=False) for socket in tuple(self.sockets))
        await asyncio.gather(*closing, return_exceptions=True)

    async def _converse(self, socket: web.WebSocketResponse, subscriber: Subscriber) -> None:
        client_id = str(uuid4())
        said = f"Connected to HITL WebSocket. Client ID: {client_id}"
        subscriber.offer(frame("connection_ack", self.now(), client_id=client_id, message=said))
        async for message in socket:
            if message.type is WSMsgType.ERROR:
                return
            try:
                await self._hear(_read(message.data), subscriber)
            except _Unreadable as unreadable:
                subscriber.offer(self._error(unreadable.code, unreadable.sentence))

    async def _hear(self, message: Mapping[str, object], subscriber: Subscriber) -> None:
        kind = message.get("type")
        if kind is None:
            raise _Unreadable("MISSING_TYPE", "Message missing 'type' field")
        match kind:
            case "ping":
                subscriber.offer(frame("pong", self.now()))
            case "subscribe":
                channels, since = _channels(message), _since(message)
                subscriber.offer(frame("subscription_confirmed", self.now(), channels=channels))
                await self._subscribe(subscriber, channels, since)
            case "unsubscribe":
                channels = _channels(message)
                subscriber.channels.difference_update(channels)
                subscriber.offer(frame("unsubscription_confirmed", self.now(), channels=channels))
            case _:
                shown = kind if isinstance(kind, str) and len(kind) <= 100 else json.dumps(kind)[:100]
                raise _Unreadable("UNKNOWN_MESSAGE_TYPE", f"Unknown message type: {shown}")

    async def _subscribe(self, subscriber: Subscriber, channels: list[str], since: int | None) -> None:
        try:
            await self.feed.subscribe(subscriber, channels, since)
        except Exception as error:
            sentence = outage(error)
            if sentence is None:
                log.exception("feed.unexpected_error")
            else:
                log.warning("feed.unavailable", error=type(error).__name__)
            # Corrects the subscription_confirmed that was already sent.
            said = f"{sentence or 'Something went wrong'}; subscribe again"
            subscriber.offer(self._error("UNAVAILABLE", said))

    def _error(self, code: str, sentence: str) -> Frame:
        return frame("error", self.now(), error_code=code, error_message=sentence)


def _read(sent: object) -> Mapping[str, object]:
    try:
        message = json.loads(sent) if isinstance(sent, str) else None
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise _Unreadable("INVALID_MESSAGE", "A message must be a JSON object in a text frame")
    return message


def _channels(message: Mapping[str, object]) -> list[str]:
    channels = message.get("channels")
    if not isinstance(channels, list) or len(channels) > CHANNELS_MOST:
        raise _Unreadable("INVALID_MESSAGE", f"'channels' must be a list of at most {CHANNELS_MOST} names")
    if not all(isinstance(channel, str) for channel in channels):
        raise _Unreadable("INVALID_MESSAGE", "'channels' must be a list of names")
    return channels


def _since(message: Mapping[str, object]) -> int | None:
    since = message.get("since")
    if since is None:
        return None
    if not isinstance(since, int) or isinstance(since, bool) or not 0 <= since < 2**63:
        raise _Unreadable("INVALID_MESSAGE", "'since' must be a seq: a whole number from 0")
    return since


async def _write(socket: web.WebSocketResponse, subscriber: Subscriber) -> None:
    try:
        while True:
            told = await subscriber.frames.get()
            await socket.send_str(told.text)
            metrics.WS_MESSAGES.labels(told.channel or "control", told.type).inc()
    except ConnectionError:
        pass
    except Exception:
        # Without its writer the connection would stay open and silent.
        log.exception("feed.unexpected_error")
        await socket.close(code=WSCloseCode.INTERNAL_ERROR, drain=False)


async def _end_when_dropped(socket: web.WebSocketResponse, subscriber: Subscriber, writer: asyncio.Task[None]) -> None:
    await subscriber.dropped.wait()
    # The frame that the client does not read blocks the close frame.
    writer.cancel()
    log.info("feed.dropped", waiting=subscriber.frames.qsize())
    await socket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=b"reads too slowly", drain=False)
