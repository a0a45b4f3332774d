"""Keeps one Socket Mode connection alive: a watchdog replaces a connection of the SDK that stays dead.

The SDK alone does not recover: after a failed handshake it retries the same used one-time URL forever.
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
"""Seconds to close a socket that may be dead, and before that to finish open requests."""


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
    """Pass what Slack sends to `app` until `stop` is set, then close the connection.

    Gets sockets from the address of `app.client`. Looks every `probe` seconds, replaces a connection that is dead for
    `dead_after` seconds and gives each one `grace` seconds to connect. Every look calls `on_state` with whether the
    connection is up. Open requests are answered before the connection closes.
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
    """Remembers open requests: the SDK's handler does not, and cannot answer them after the socket is closed."""

    def __init__(self, app: AsyncApp, app_token: str, logger: logging.Logger) -> None:
        super().__init__(app, app_token=app_token, logger=logger)
        self.in_hand: set[asyncio.Task[None]] = set()

    async def handle(self, client: SocketModeClient, req: SocketModeRequest) -> None:  # type: ignore[override]  # as the SDK's
        """Pass the request to the listeners and acknowledge it."""
        task = asyncio.ensure_future(super().handle(client, req))
        self.in_hand.add(task)
        task.add_done_callback(self.in_hand.discard)
        await task


async def _connected(handler: AsyncSocketModeHandler, stop: asyncio.Event, grace: float) -> bool:
    """Connect within `grace` seconds unless `stop` is set: with a refused token the SDK retries forever."""
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
    if in_hand := set(handler.in_hand):
        _, late = await asyncio.wait(in_hand, timeout=_CLOSING)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
    try:
        async with asyncio.timeout(_CLOSING):
            await handler.close_async()  # type: ignore[no-untyped-call]  # slack_bolt leaves it bare
    except Exception as error:
        log.warning("slack.socket_close_failed", error=type(error).__name__)


async def _stopped_within(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


class _NameOnly(logging.Handler):
    """Logs where the SDK complained and the exception's class, but not its text, which has one-time URLs."""

    def emit(self, record: logging.LogRecord) -> None:
        kind = record.exc_info[0] if record.exc_info else None
        log.warning("slack.socket_trouble", where=record.funcName, error=kind.__name__ if kind else None)


def _sdk_log() -> logging.Logger:
    logger = logging.Logger("slack_sdk.socket_mode", level=logging.WARNING)
    logger.addHandler(_NameOnly())
    return logger
