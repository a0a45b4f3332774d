"""Health, readiness, metrics and what all responses share, on a real server and a real PostgreSQL."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version

import aiohttp
import pytest
from aiohttp import web
from sqlalchemy import text

from bot.health import Health
from handlers import http, ops
from migrations import schema
from storage.database import Database
from tests.web import Relay, apv, apvs, asks, dressed, gets, nowhere, said_to, serving, serving_api, submits

LONG = 60.0
"""Seconds; a test that takes longer hangs."""
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z")


@dataclass
class Parts:
    """The states of Slack, GitHub and the worker."""

    slack: str = "ok"
    github: str = "ok"
    worker: str = "ok"


def health_of(database: Database, parts: Parts | None = None) -> Health:
    said = parts or Parts()
    return Health(
        database, slack=lambda: said.slack, github=lambda: said.github, worker=lambda: said.worker, started=True
    )


@asynccontextmanager
async def serving_ops(health: Health, *, prometheus_enabled: bool = True) -> AsyncIterator[aiohttp.ClientSession]:
    app = http.application()
    ops.add_routes(app, health, prometheus_enabled=prometheus_enabled)
    async with serving(app) as client:
        yield client


async def readiness(health: Health) -> tuple[int, dict[str, str]]:
    """The status of `/health/ready`, and its checks."""
    async with serving_ops(health) as client:
        status, body = await asks(client, "GET", "/health/ready")
    assert body["status"] == {200: "ready", 503: "not_ready"}[status]
    return status, body["checks"]


async def metrics(client: aiohttp.ClientSession) -> dict[str, float]:
    """Every sample by its name and labels."""
    async with client.get("/metrics") as response:
        lines = (await response.text()).splitlines()
    return {name: float(value) for name, _, value in (x.rpartition(" ") for x in lines if not x.startswith("#"))}


# Health


async def test_health_shows_version_and_components(database: Database) -> None:
    """`/health` has the version, the time and each part's last known state."""
    async with serving_ops(health_of(database, Parts(slack="refused", github="not_configured"))) as client:
        await gets(client, "/health/live")
        await asks(client, "GET", "/health/ready")
        body = await gets(client, "/health")
    assert body["status"] == "healthy"
    assert body["version"] == version("apv-bot")
    assert body["uptime_seconds"] > 0
    assert TIMESTAMP.fullmatch(body["timestamp"])
    assert body["checks"] == {"api": "ok"}
    assert body["components"] == {
        "api": "ok",
        "database": "ok",
        "slack": "refused",
        "github": "not_configured",
        "worker": "ok",
    }


async def test_health_asks_nobody() -> None:
    """`/health` is 200 while the database is away, before and after a readiness check."""
    async with serving_ops(health_of(Database(nowhere()))) as client:
        assert (await gets(client, "/health"))["components"]["database"] == "starting"
        await asks(client, "GET", "/health/ready")
        assert (await gets(client, "/health"))["components"]["database"] == "unreachable"


async def test_alive_and_started(database: Database) -> None:
    """A process is alive at once, and started when start-up has ended."""
    health = health_of(database)
    health.started = False
    async with serving_ops(health) as client:
        assert await asks(client, "GET", "/health/live") == (200, {"status": "alive"})
        assert await asks(client, "GET", "/health/startup") == (503, {"status": "starting"})
        assert (await asks(client, "GET", "/health/ready"))[0] == 503
        health.started = True
        assert await asks(client, "GET", "/health/startup") == (200, {"status": "started"})
        assert (await asks(client, "GET", "/health/ready"))[0] == 200


# Readiness


async def test_ready_when_all_is_well(database: Database) -> None:
    """Every check is named."""
    checks = dict.fromkeys(("database", "migrations", "slack", "github", "worker"), "ok")
    assert await readiness(health_of(database)) == (200, checks)


@pytest.mark.parametrize(
    ("part", "state", "status"),
    [
        ("slack", "refused", 503),
        ("slack", "unanswered", 503),
        ("worker", "stopped", 503),
        ("worker", "not_here", 200),
        ("github", "unreachable", 200),
        ("github", "not_configured", 200),
    ],
)
async def test_which_component_makes_it_not_ready(database: Database, part: str, state: str, status: int) -> None:
    """Slack and this process's worker do; GitHub is shown but not fatal."""
    parts = Parts()
    setattr(parts, part, state)
    found, checks = await readiness(health_of(database, parts))
    assert (found, checks[part]) == (status, state)


async def test_not_ready_while_stopping(database: Database) -> None:
    """A stopping process is not ready."""
    health = health_of(database)
    health.stopping = True
    assert (await readiness(health))[0] == 503


async def test_not_ready_without_a_database() -> None:
    """`unreachable` if nothing listens there, `starting` if the embedded server has not started."""
    status, checks = await readiness(health_of(Database(nowhere())))
    assert (status, checks["database"]) == (503, "unreachable")
    status, checks = await readiness(health_of(Database()))
    assert (status, checks["database"]) == (503, "starting")


async def test_not_ready_while_migrations_are_behind(empty_database_url: str) -> None:
    """A database without migrations, or at an older revision, is behind; migrated it is ready."""
    database = Database(empty_database_url)
    health = health_of(database)
    found = [await readiness(health)]
    for revision in ("0001", "head"):
        await schema.upgrade(database.engine, revision)
        found.append(await readiness(health))
    await database.close()
    assert [(status, checks["database"], checks["migrations"]) for status, checks in found] == [
        (503, "ok", "behind"),
        (503, "ok", "behind"),
        (200, "ok", "ok"),
    ]


async def test_ready_while_a_newer_release_is_rolled_out(database: Database) -> None:
    """An unknown revision belongs to a newer release; this one stays ready."""
    async with database.transaction() as tx:
        await tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    status, checks = await readiness(health_of(database))
    assert (status, checks["migrations"]) == (200, "ahead")


async def test_a_database_that_hangs_is_not_waited_for(database_url: str) -> None:
    """With a silent connection each of many checks ends, and a later check succeeds."""
    async with Relay(database_url) as relay:
        database = Database(relay.url)
        health = health_of(database)
        assert (await readiness(health))[0] == 200
        relay.strand()
        async with asyncio.timeout(LONG):
            for status, checks in await asyncio.gather(*(readiness(health) for _ in range(5))):
                assert (status, checks["database"], checks["migrations"]) == (503, "unreachable", "unknown")
            while (await readiness(health))[0] != 200:
                pass
        await database.close()


# Metrics


async def test_metrics_are_prometheus_text(database: Database) -> None:
    """The text holds the release, in a type that Prometheus reads."""
    async with serving_ops(health_of(database)) as client:
        async with client.get("/metrics") as response:
            assert response.status == 200
            assert response.headers["Content-Type"].startswith("text/plain")
        assert (await metrics(client))[f'hitl_app_info{{version="{version("apv-bot")}"}}'] == 1


async def test_metrics_can_be_switched_off(database: Database) -> None:
    """`PROMETHEUS_ENABLED=false` is 404."""
    async with serving_ops(health_of(database), prometheus_enabled=False) as client:
        assert (await asks(client, "GET", "/metrics"))[0] == 404


async def test_gauges_are_of_the_database_as_it_is(database: Database) -> None:
    """Waiting reviews by severity, jobs by task and state, and the age of the oldest due job."""
    async with serving_api(database) as client:
        await submits(client, [apv(severity="high"), *apvs(2)])
    async with serving_ops(health_of(database)) as client:
        found = await metrics(client)
        assert {s: found[f'hitl_active_apv_reviews{{severity="{s}"}}'] for s in ("critical", "high", "medium")} == {
            "critical": 0,
            "high": 1,
            "medium": 2,
        }
        async with database.transaction() as tx:
            await tx.execute(text("UPDATE pgqueuer SET execute_after = now() - interval '1 hour'"))
            await tx.execute(text("UPDATE pgqueuer SET status = 'failed' WHERE id = (SELECT min(id) FROM pgqueuer)"))
        found = await metrics(client)
        jobs = {name: value for name, value in found.items() if name.startswith("hitl_jobs{")}
        assert sum(jobs.values()) == 3
        assert [value for name, value in jobs.items() if 'state="held"' in name] == [1]
        assert found["hitl_job_lag_seconds"] >= 3600
        async with database.transaction() as tx:
            await tx.execute(text("DELETE FROM pgqueuer"))
        found = await metrics(client)
        assert not [name for name in found if name.startswith("hitl_jobs{")]
        assert found["hitl_job_lag_seconds"] == 0


async def test_metrics_are_served_while_the_database_is_away(database_url: str) -> None:
    """A scrape succeeds while the database is unreachable and while it hangs."""
    async with serving_ops(health_of(Database(nowhere()))) as client:
        assert "hitl_job_lag_seconds" in await metrics(client)
    async with Relay(database_url) as relay:
        database = Database(relay.url)
        health = health_of(database)
        await readiness(health)
        relay.strand()
        async with serving_ops(health) as client, asyncio.timeout(LONG):
            assert "hitl_job_lag_seconds" in await metrics(client)
        await database.close()


# What every answer has in common


async def fails(_request: web.Request) -> web.Response:
    raise LookupError("a secret in an exception's text")


async def reads(request: web.Request) -> web.Response:
    await request.read()
    return http.answer({"read": True})


@pytest.fixture
async def anything() -> AsyncIterator[aiohttp.ClientSession]:
    """A server with a route for each outcome of a request."""
    app = http.application()
    app.router.add_get("/things/{name}/ok", reads)
    app.router.add_get("/things/{name}/fails", fails)
    app.router.add_post("/things/{name}/read", reads)
    ops.add_routes(app, health_of(Database(nowhere())), prometheus_enabled=True)
    async with serving(app) as client:
        yield client


KINDS = [
    ("GET", "/things/1/ok", 200, None),
    ("GET", "/nothing/here", 404, "Not found"),
    ("GET", "/", 404, "Not found"),
    ("GET", "/hitl/", 404, "Not found"),
    ("DELETE", "/things/1/ok", 405, "Method not allowed"),
    ("POST", "/things/1/read", 413, "The body is too large for this route"),
    ("GET", "/things/1/fails", 500, "Internal error"),
    ("GET", "/health/ready", 503, None),
    ("GET", "/metrics", 200, None),
]


@pytest.mark.parametrize(("method", "path", "status", "detail"), KINDS)
async def test_every_answer_is_dressed(
    anything: aiohttp.ClientSession, method: str, path: str, status: int, detail: str | None
) -> None:
    """Every response has the security headers, and every error one sentence of ours."""
    body = bytes(http.BODY_LIMIT + 1) if status == 413 else None
    async with anything.request(method, path, data=body) as response:
        assert response.status == status
        assert dressed(response.headers)
        if detail is not None:
            assert await response.json() == {"detail": detail}


async def test_a_wrong_method_gets_the_allowed_ones(anything: aiohttp.ClientSession) -> None:
    """405 names the allowed methods."""
    async with anything.delete("/things/1/read") as response:
        assert response.headers["Allow"] == "POST"


@pytest.mark.parametrize(
    "sent",
    [b"\x16\x03\x01\x00\xa5\x01\x00\x00", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\nA: b\0secret\r\n\r\n"],
)
async def test_a_malformed_request_gets_the_same_headers(anything: aiohttp.ClientSession, sent: bytes) -> None:
    """A request that cannot be parsed gets the same headers and none of its own text."""
    answered = await said_to(anything, sent)
    assert re.match(r"HTTP/1\.[01] 400 ", answered)
    assert "\r\nServer: apv-bot\r\n" in answered
    assert "\r\nX-Frame-Options: DENY\r\n" in answered
    assert "\r\nX-Request-ID: " in answered
    assert answered.endswith('{"detail":"Bad Request"}')


@pytest.mark.parametrize(
    ("given", "kept"),
    [("abc-1.2:3_Z", True), ("a" * 128, True), ("a" * 129, False), ("", False), ("a b", False), ("<b>", False)],
)
async def test_a_sane_request_id_is_kept(anything: aiohttp.ClientSession, given: str, kept: bool) -> None:
    """The caller's id comes back; one that does not look like an id is replaced."""
    async with anything.get("/things/1/ok", headers={"X-Request-ID": given}) as response:
        found = response.headers["X-Request-ID"]
        assert (found == given) is kept
        assert found


async def test_each_request_has_an_id_of_its_own(anything: aiohttp.ClientSession) -> None:
    """Generated ids differ, even on one connection."""
    found = set()
    for _ in range(3):
        async with anything.get("/things/1/ok") as response:
            found.add(response.headers["X-Request-ID"])
    assert len(found) == 3


async def test_requests_are_counted_by_template(anything: aiohttp.ClientSession) -> None:
    """The raw path is never a label, an exception is a 500, and unknown methods share one name."""
    before = await metrics(anything)
    for name in range(3):
        await asks(anything, "GET", f"/things/{name}/ok")
    await asks(anything, "GET", "/things/1/fails")
    await asks(anything, "GET", "/raw/path")
    await asks(anything, "PROPFIND", "/raw/path")
    after = await metrics(anything)
    new = {name: after[name] - before.get(name, 0) for name in after if name.startswith("hitl_http_requests_total")}
    assert {name.removeprefix("hitl_http_requests_total"): number for name, number in new.items() if number} == {
        '{endpoint="/things/{name}/ok",method="GET",status="200"}': 3,
        '{endpoint="/things/{name}/fails",method="GET",status="500"}': 1,
        '{endpoint="unmatched",method="GET",status="404"}': 1,
        '{endpoint="unmatched",method="OTHER",status="404"}': 1,
        '{endpoint="/metrics",method="GET",status="200"}': 1,
    }
    assert after["slo_requests_total"] - before["slo_requests_total"] == 7
    bad = 'slo_requests_bad_total{slo_type="availability"}'
    assert after[bad] - before.get(bad, 0) == 1
    timed = 'hitl_http_request_duration_seconds_count{endpoint="/things/{name}/ok",method="GET"}'
    assert after[timed] - before.get(timed, 0) == 3
