"""The bot's own HTTP server with chosen routes, and a client that speaks to it over a real socket."""

import asyncio
import contextlib
import hashlib
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from aiohttp import web
from pydantic import SecretStr
from sqlalchemy import URL, make_url

from bot.app.opening import NobodyKnown
from bot.config import Settings
from bot.domain.people import SlackProfile
from bot.domain.policy import Policy, Principals
from bot.integrations.git.changes import read_all
from bot.service.gate import Gate
from handlers import http
from handlers.api import reviews as api
from handlers.api.auth import Auth
from storage.database import Database

TOKENS = {"scanner": "read+submit", "reader": "read", "writer": "submit", "decider": "decide", "ben": "decide"}
"""Each token's text is its name with `-token` behind it."""
OWNERS = {"decider": "U0ANA", "ben": "ben@example.org", "all": "U0ALL"}
"""The reviewers whose tokens these are; the other tokens are machines'."""
STAFF = {
    profile.user_id: profile
    for profile in (
        SlackProfile("U0ANA", "T1", "Ana", "ana@example.org"),
        SlackProfile("U0BEN", "T1", "Ben", "ben@example.org"),
        SlackProfile("U0ALL", "T1", "Alma", "alma@example.org"),
    )
}
HOLDER = {name: {"Authorization": f"Bearer {name}-token"} for name in TOKENS}
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-XSS-Protection": "1; mode=block",
    "Server": "apv-bot",
}
APV = {
    "cve_id": "CVE-2023-32681",
    "severity": "medium",
    "package_name": "requests",
    "package_ecosystem": "PyPI",
    "package_version": "2.28.1",
}


def apv(**changes: object) -> dict[str, Any]:
    return {**APV, **changes}


def apvs(number: int, **changes: object) -> list[dict[str, Any]]:
    return [apv(package_name=f"package-{i}", **changes) for i in range(number)]


class Clock:
    """A clock that only the test moves; it gives a time or seconds."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 22, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def seconds(self) -> float:
        return self.at.timestamp()

    def advance(self, **spans: float) -> None:
        self.at += timedelta(**spans)


class Staff(NobodyKnown):
    """A directory of three reviewers."""

    async def profile(self, user_id: str) -> SlackProfile | None:
        return STAFF.get(user_id)

    async def by_email(self, address: str) -> SlackProfile | None:
        return next((person for person in STAFF.values() if person.email == address), None)


def token(name: str, scopes: str) -> str:
    """One item of `API_TOKENS`."""
    owner = f"@{OWNERS[name]}" if name in OWNERS else ""
    return f"{name}{owner}:{scopes}:{hashlib.sha256(f'{name}-token'.encode()).hexdigest()}"


def settings(**changes: Any) -> Settings:
    tokens = [token(name, scopes) for name, scopes in TOKENS.items()]
    chosen = {"api_tokens": tuple(tokens), "rate_limit": "off", "database_url": SecretStr("postgresql://unused/x")}
    return Settings(_env_file=None, **{**chosen, **changes})


def gate(database: Database, clock: Callable[[], datetime]) -> Gate:
    policy = Policy(
        reviewers=Principals.of(tuple(STAFF)), review_channel="C1", incident_channel="C2", tokens=settings().tokens
    )
    return Gate(
        database=database,
        directory=Staff(),
        policy=lambda: policy,
        team_id=lambda: "T1",
        opens_pulls=False,
        default_repository="sample/shop",
        repositories=frozenset({"sample/shop"}),
        now=clock,
        read_changes=read_all,
    )


@asynccontextmanager
async def serving(app: web.Application, **headers: str) -> AsyncIterator[aiohttp.ClientSession]:
    """Serve on a free port; yields a client of it."""
    runner = http.Runner(app, access_log=None, handle_signals=False)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with aiohttp.ClientSession(base, headers=headers, trust_env=False) as client:
            yield client
    finally:
        await runner.cleanup()


@asynccontextmanager
async def serving_api(
    database: Database, clock: Clock | None = None, *, holder: str | None = "scanner", **changes: Any
) -> AsyncIterator[aiohttp.ClientSession]:
    """Serve the REST API to the holder of a token; `changes` are to the settings."""
    clock, chosen = clock or Clock(), settings(**changes)
    app = http.application(chosen.cors_origins)
    api.add_routes(app, gate(database, clock), Auth.of(chosen, clock.seconds, clock))
    async with serving(app, **(HOLDER[holder] if holder else {})) as client:
        yield client


async def asks(client: aiohttp.ClientSession, method: str, path: str, **how: Any) -> tuple[int, Any]:
    """Status and JSON body of one request."""
    async with client.request(method, path, **how) as response:
        return response.status, await response.json()


async def gets(client: aiohttp.ClientSession, path: str, **query: object) -> Any:
    """The JSON body of a GET that must succeed."""
    status, body = await asks(client, "GET", path, params={name: str(value) for name, value in query.items()})
    assert status == 200, body
    return body


async def submits(client: aiohttp.ClientSession, submitted: object) -> tuple[int, Any]:
    return await asks(client, "POST", "/hitl/reviews", json=submitted)


async def said_to(client: aiohttp.ClientSession, sent: bytes) -> str:
    """Everything that the server answers to exactly these bytes, which must end the connection."""
    base = client._base_url
    assert base is not None
    reader, writer = await asyncio.open_connection(base.host, base.port)
    writer.write(sent)
    answered = await reader.read()
    writer.close()
    return answered.decode()


class Relay:
    """Sits between a pool and its server, and can go silent on open connections without closing them."""

    def __init__(self, url: str, port: int = 0) -> None:
        self._there, self._port = make_url(url), port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Relay":
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        here: URL = self._there.set(host="127.0.0.1", port=port, query={})
        return here.render_as_string(hide_password=False)

    def strand(self) -> None:
        """Pass nothing more on open connections, as when a cable is cut; new connections work."""
        for task in self._tasks:
            task.cancel()

    async def _pass_on(self, client_in: asyncio.StreamReader, client_out: asyncio.StreamWriter) -> None:
        folder = self._there.query.get("host")
        if folder:
            server_in, server_out = await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.{self._there.port or 5432}")
        else:
            server_in, server_out = await asyncio.open_connection(self._there.host, self._there.port or 5432)
        for source, sink in ((client_in, server_out), (server_in, client_out)):
            task = asyncio.create_task(self._pump(source, sink))
            self._tasks.add(task)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await source.read(65536):
                sink.write(chunk)
                await sink.drain()
            sink.close()


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def nowhere() -> str:
    """The address of a database that does not exist."""
    return "postgresql+asyncpg://nobody@127.0.0.1:1/none"


def dressed(headers: Mapping[str, str]) -> bool:
    """Whether a response has the headers that every response must have."""
    return all(headers.get(name) == value for name, value in SECURITY_HEADERS.items()) and bool(
        headers.get("X-Request-ID")
    )
