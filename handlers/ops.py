"""Health, readiness and metrics. They need no token and show nothing of an APV."""

from aiohttp import web
from prometheus_client.exposition import choose_encoder

from bot import metrics
from bot.health import Health
from handlers.http import answer


def add_routes(app: web.Application, health: Health, *, prometheus_enabled: bool) -> None:
    """Serve the health checks, and the metrics if they are enabled."""

    async def healthy(_request: web.Request) -> web.Response:
        return answer(health.report())

    async def ready(_request: web.Request) -> web.Response:
        is_ready, report = await health.readiness()
        return answer(report, 200 if is_ready else 503)

    async def live(_request: web.Request) -> web.Response:
        return answer({"status": "alive"})

    async def startup(_request: web.Request) -> web.Response:
        return answer({"status": "started"}) if health.started else answer({"status": "starting"}, 503)

    async def scrape(request: web.Request) -> web.Response:
        await health.measure()
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(metrics.REGISTRY), headers={"Content-Type": content_type})

    app.router.add_get("/health", healthy)
    app.router.add_get("/health/ready", ready)
    app.router.add_get("/health/live", live)
    app.router.add_get("/health/startup", startup)
    if prometheus_enabled:
        metrics.APP.labels(health.version).set(1)
        app.router.add_get("/metrics", scrape)
