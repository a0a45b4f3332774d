"""Socket Mode: one-time tickets from apps.connections.open, a WebSocket with hello, envelopes and acknowledgements.

The first handshake uses up a ticket, even if it fails. An envelope goes to the newest connection.
"""

import asyncio
import json
import secrets
from collections.abc import Callable

from aiohttp import WSMsgType, web

from bot.sandbox.slack.wire import Json
from bot.sandbox.slack.workspace import Workspace


class SocketMode:
    """The server side. `address` makes a `ws://` URL from a ticket."""

    def __init__(self, workspace: Workspace, address: Callable[[str], str]) -> None:
        self._workspace = workspace
        self._address = address
        self._tickets: set[str] = set()
        self._connections: list[web.WebSocketResponse] = []
        self._waiting: dict[str, asyncio.Future[object]] = {}
        self.refuse_handshakes = 0
        """How many of the next handshakes fail after they used up their ticket."""
        self.greeted = 0
        """How many connections were opened so far."""

    @property
    def connections(self) -> int:
        """The number of connected clients."""
        return len(self._connections)

    def open(self) -> str:
        """Return a new one-time URL."""
        ticket = secrets.token_urlsafe(18)
        self._tickets.add(ticket)
        return self._address(ticket)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection, from handshake to close."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.json_response({"ok": False, "error": "invalid_ticket"}, status=403)
        self._tickets.discard(ticket)
        if self.refuse_handshakes > 0:
            self.refuse_handshakes -= 1
            return web.Response(status=503)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._connections.append(socket)
        try:
            await socket.send_json(self._hello())
            self.greeted += 1
            self._workspace.touch("socket")
            async for frame in socket:
                if frame.type is WSMsgType.TEXT:
                    self._acknowledged(frame.data)
        finally:
            self._connections.remove(socket)
            self._workspace.touch("socket")
        return socket

    async def send(self, envelope: Json, limit: float) -> object:
        """Send an envelope, wait `limit` seconds for its acknowledgement, and return its payload or "".

        Raises TimeoutError, or ConnectionError when nobody is connected.
        """
        if not self._connections:
            raise ConnectionError("no Socket Mode client is connected")
        acknowledged: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._waiting[envelope["envelope_id"]] = acknowledged
        try:
            async with asyncio.timeout(limit):
                await self._connections[-1].send_json(envelope)
                return await acknowledged
        finally:
            self._waiting.pop(envelope["envelope_id"], None)

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """Tell every client to reconnect, as Slack does every few hours."""
        for socket in list(self._connections):
            await socket.send_json({"type": "disconnect", "reason": reason, "debug_info": {"host": "sandbox"}})

    async def close(self) -> None:
        """Close every connection."""
        for socket in list(self._connections):
            await socket.close()

    def _acknowledged(self, text: str) -> None:
        try:
            frame = json.loads(text)
        except ValueError:
            frame = None
        if not isinstance(frame, dict) or not isinstance(frame.get("envelope_id"), str):
            self._workspace.unexpected.append("socket: a frame without an envelope_id")
            return
        waiting = self._waiting.get(frame["envelope_id"])
        if waiting is not None and not waiting.done():  # otherwise it is too late, as at Slack
            waiting.set_result(frame.get("payload") or "")

    def _hello(self) -> Json:
        return {
            "type": "hello",
            "num_connections": len(self._connections),
            "debug_info": {"host": "sandbox", "build_number": 1, "approximate_connection_time": 18060},
            "connection_info": {"app_id": self._workspace.app_id},
        }
