"""The load balancer: each request goes to a web process that is ready, otherwise to any that listens."""

import asyncio
from collections.abc import Sequence

import aiohttp
from aiohttp import web

PROBE_SECONDS = 0.1
HOP_BY_HOP = {"Connection", "Content-Length", "Host", "Keep-Alive", "Transfer-Encoding", "Date", "Server"}


class Balancer:
    """An async context manager. A request that reached one process is never sent to another."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = list(ports)
        self._ready: set[int] = set()
        self._next = 0
        self.port = 0

    async def __aenter__(self) -> "Balancer":
        # A connection for each request: one kept open may be closed just as the next request is written to it.
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True), trust_env=False)
        app = web.Application(client_max_size=32 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._pass_on)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        self._probes = [asyncio.create_task(self._probe(port)) for port in self._ports]
        return self

    async def __aexit__(self, *_: object) -> None:
        for probe in self._probes:
            probe.cancel()
        await asyncio.gather(*self._probes, return_exceptions=True)
        await self._runner.cleanup()
        await self._http.close()

    @property
    def ready(self) -> int:
        """The number of processes that report ready."""
        return len(self._ready)

    async def _probe(self, port: int) -> None:
        while True:
            try:
                url = f"http://127.0.0.1:{port}/health/ready"
                async with self._http.get(url, timeout=aiohttp.ClientTimeout(total=3)) as answer:
                    ready = answer.status == 200
            except (aiohttp.ClientError, TimeoutError):
                ready = False
            (self._ready.add if ready else self._ready.discard)(port)
            await asyncio.sleep(PROBE_SECONDS)

    def _in_turn(self) -> list[int]:
        self._next += 1
        turned = self._ports[self._next % len(self._ports) :] + self._ports[: self._next % len(self._ports)]
        return sorted(turned, key=lambda port: port not in self._ready)

    async def _pass_on(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name: value for name, value in request.headers.items() if name not in HOP_BY_HOP}
        for port in self._in_turn():
            url = f"http://127.0.0.1:{port}{request.rel_url}"
            try:
                async with self._http.request(
                    request.method, url, data=body, headers=headers, allow_redirects=False
                ) as answer:
                    kept = {name: value for name, value in answer.headers.items() if name not in HOP_BY_HOP}
                    return web.Response(status=answer.status, body=await answer.read(), headers=kept)
            except aiohttp.ClientConnectorError:
                continue  # nobody listens there, so nothing was sent
            except aiohttp.ClientError:
                return web.Response(status=502)
        return web.Response(status=503)
