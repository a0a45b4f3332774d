"""Keeps one Socket Mode connection alive: a watchdog throws the SDK's connection away when it stays dead.

The SDK alone does not recover: after a failed handshake it tries the same spent one-time URL for ever.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress

import structlog
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest

log = structlog.get_logger(__name__)

_PAUSE = 1.0
"""Seconds between two connections."""

_CLOSING = 5.0
"""Seconds for saying goodbye to a socket that may be dead, and before that for what is in hand."""


async def run_socket_mode(
    app: AsyncApp,
    app_token: str,
    stop: asyncio.Event,
    on_state: Callable[[bool], None],
    *,
    probe: float = 15.0,
    dead_after: float = 45.0,
    grace: float = 30.0,
) -> None:
    """Receive what Slack sends through `app` until `stop` is set; returns with the connection closed.

    Asks `app.client`'s own address for sockets. Looks every `probe` seconds, replaces a connection dead for
    `dead_after` and gives each `grace` to come up (all in seconds). `on_state` hears at every look whether
    the connection is up. What is in hand when it ends is answered first.
    """
    while not stop.is_set():
        handler = _Handler(app, app_token, _sdk_log())
        try:
            if await _connected(handler, stop, grace):
                await _watch(handler, stop, on_state, probe, dead_after)
        except Exception as error:
            log.warning("slack.socket_failed", error=type(error).__name__)
        finally:
            on_state(False)
            await _close(handler)
        await _stopped_within(stop, _PAUSE)


class _Handler(AsyncSocketModeHandler):
    """The SDK's own forgets what it has in hand, and could not answer it any more once the socket is closed."""

    def __init__(self, app: AsyncApp, app_token: str, logger: logging.Logger) -> None:
        super().__init__(app, app_token=app_token, logger=logger)
        self.in_hand: set[asyncio.Task[None]] = set()

    async def handle(self, client: SocketModeClient, req: SocketModeRequest) -> None:  # type: ignore[override]  # as the SDK's
        """Let the listeners take it, and acknowledge it."""
        task = asyncio.ensure_future(super().handle(client, req))
        self.in_hand.add(task)
        task.add_done_callback(self.in_hand.discard)
        await task


async def _connected(handler: AsyncSocketModeHandler, stop: asyncio.Event, grace: float) -> bool:
    """Connect within `grace` seconds unless told to stop: with a refused token the SDK tries for ever."""
    connecting = asyncio.ensure_future(handler.connect_async())  # type: ignore[no-untyped-call]  # slack_bolt leaves it bare
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({connecting, stopping}, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
        if connecting.done():
            connecting.result()
            log.info("slack.socket_connected")
            return True
        if not stop.is_set():
            log.warning("slack.socket_not_connected")
        return False
    finally:
        for task in (connecting, stopping):
            task.cancel()
        await asyncio.gather(connecting, stopping, return_exceptions=True)


async def _watch(
    handler: AsyncSocketModeHandler,
    stop: asyncio.Event,
    on_state: Callable[[bool], None],
    probe: float,
    dead_after: float,
) -> None:
    last_alive = time.monotonic()
    while not stop.is_set() and time.monotonic() - last_alive < dead_after:
        alive = await handler.client.is_connected()
        on_state(alive)
        if alive:
            last_alive = time.monotonic()
        await _stopped_within(stop, probe)
    if not stop.is_set():
        log.warning("slack.socket_dead")


async def _close(handler: _Handler) -> None:
    if handler.in_hand:
        await asyncio.wait(set(handler.in_hand), timeout=_CLOSING)
    try:
        async with asyncio.timeout(_CLOSING):
            await handler.close_async()  # type: ignore[no-untyped-call]  # slack_bolt leaves it bare
    except Exception as error:
        log.warning("slack.socket_close_failed", error=type(error).__name__)


async def _stopped_within(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


class _NameOnly(logging.Handler):
    """Passes on where the SDK complained and with which exception class: its text holds one-time URLs."""

    def emit(self, record: logging.LogRecord) -> None:
        kind = record.exc_info[0] if record.exc_info else None
        log.warning("slack.socket_trouble", where=record.funcName, error=kind.__name__ if kind else None)


def _sdk_log() -> logging.Logger:
    logger = logging.Logger("slack_sdk.socket_mode", level=logging.WARNING)
    logger.addHandler(_NameOnly())
    return logger
