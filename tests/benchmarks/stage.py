"""What a benchmark runs on: a database of its own, the stand-ins, the bot and the empty apps as processes of their own.

Everything listens on loopback, and everything started here is stopped here.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any
from uuid import UUID

import aiohttp
import asyncpg
from sqlalchemy import make_url

from bot import samples
from bot.app.process import Bot
from bot.config import Settings
from bot.sandbox.github import GitHubSandbox
from bot.sandbox.server import SandboxServer
from bot.sandbox.slack import SlackSandbox
from migrations import schema
from storage import embedded
from storage.database import Database
from storage.tables import apv_reviews
from tests.benchmarks.load import Order, Tally
from tests.benchmarks.recorded_click import WARMING, RecordedClick, copy_of, record_click
from tests.harness import running

ROOT = Path(__file__).parents[2]
START_SECONDS = 20.0
BOT_TOKEN, SIGNING_SECRET = "xoxb-of-the-benchmarks", "signing-secret-of-the-benchmarks"
OWNER, NAME = "sample", "shop"
numbers = count()
DECIDED = """
INSERT INTO hitl_decisions (
    id, apv_id, apv_code, decision, reviewer_name, reviewer_key, source, digest, version, created_at)
SELECT gen_random_uuid(), id, apv_code, 'reject', 'Ana', 'U1', 'slack', digest, version,
    created_at + random() * interval '30 days' FROM apv_reviews WHERE status = 'rejected'
"""
"""What somebody decided about each that is rejected already."""
KEPT = """
INSERT INTO apv_contents (apv_id, version, digest, content, authors)
SELECT id, version, digest, jsonb_build_object('severity', severity, 'cvss_vector', NULL, 'package_name', package_name,
    'package_ecosystem', package_ecosystem, 'repository', repository), authors FROM apv_reviews WHERE id <> $1
"""
"""What a decision on each copy is compared with: of the kept content, only what is read of it."""


@dataclass
class Stage:
    """All of it, running. Reviews are numbered; each can be decided once, so they are handed out."""

    database_url: str
    settings: Mapping[str, str]
    click: RecordedClick
    next_review: int = WARMING.stop

    def take_reviews(self, count: int) -> range:
        """Numbers of reviews that nobody has decided."""
        taken = range(self.next_review, self.next_review + count)
        self.next_review = taken.stop
        return taken

    async def recorded(self, reviews: range) -> tuple[int, int, int]:
        """How many decisions, audit entries and jobs these reviews have, their submission left out."""
        query = """SELECT (SELECT count(*) FROM hitl_decisions WHERE apv_id BETWEEN $1 AND $2),
                          (SELECT count(*) FROM audit_log WHERE apv_id BETWEEN $1 AND $2),
                          (SELECT count(*) FROM pgqueuer WHERE dedupe_key BETWEEN $3 AND $4)"""
        first, last = (copy_of(self.click.review_id, n) for n in (reviews[0], reviews[-1]))
        key = "slack.card:{}:"
        connection = await asyncpg.connect(embedded.plain(self.database_url))
        try:
            found = await connection.fetchrow(query, first, last, key.format(first), key.format(last) + "~")
        finally:
            await connection.close()
        return tuple(found)


@asynccontextmanager
async def stage(reviews: int, *, rejected: int = 0) -> AsyncIterator[Stage]:
    """Set everything up, with so many reviews that await their first click; the last ones are rejected already."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        url = await stack.enter_async_context(database(folder))
        slack = SlackSandbox(bot_token=BOT_TOKEN, signing_secret=SIGNING_SECRET)
        github = GitHubSandbox(folder / "github", token=BOT_TOKEN)
        github.create_repository(OWNER, NAME, samples.repository_files())
        sandbox = await stack.enter_async_context(SandboxServer(slack, github))
        settings = {
            "DATABASE_URL": url,
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            "SLACK_SIGNING_SECRET": SIGNING_SECRET,
            "SLACK_API_URL": sandbox.slack_api_url,
            "SLACK_REVIEW_CHANNEL": slack.channel("vuln-review").id,
            "SLACK_INCIDENT_CHANNEL": slack.channel("incidents").id,
            "REVIEWERS": slack.group("reviewers").id,
            "GITHUB_TOKEN": BOT_TOKEN,
            "GITHUB_API_URL": sandbox.github_api_url,
            "GITHUB_REPO_OWNER": OWNER,
            "GITHUB_REPO_NAME": NAME,
            "API_AUTH": "none",
        }

        async def copies(template: UUID) -> None:
            await _copy_review(url, template, WARMING.stop + reviews, rejected)

        values: dict[str, Any] = {name.lower(): value for name, value in settings.items()}
        async with running(Bot(Settings(_env_file=None, port=0, **values))) as bot:
            click = await record_click(bot, slack, SIGNING_SECRET, copies)
        yield Stage(url, settings, click)


@asynccontextmanager
async def database(folder: Path) -> AsyncIterator[str]:
    """A migrated database: on the server of TEST_DATABASE_URL, else on an embedded one of our own."""
    given = os.environ.get("TEST_DATABASE_URL")
    server = None if given else await embedded.start(folder)
    home = make_url(server.url if server else given or "").set(drivername="postgresql+asyncpg")
    name = f"apv_bot_bench_{os.getpid()}_{next(numbers)}"
    connection = await asyncpg.connect(embedded.plain(home.render_as_string(hide_password=False)))
    try:
        await connection.execute(f"CREATE DATABASE {name}")
        url = home.set(database=name).render_as_string(hide_password=False)
        database = Database(url)
        await schema.upgrade(database.engine)
        await database.close()
        yield url
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()
        if server:
            await server.stop()


async def _copy_review(url: str, template: UUID, count: int, rejected: int) -> None:
    """Insert `count` reviews that differ from the template in nothing but their names, and the last in their status."""
    own = {
        "status": f"CASE WHEN n > {count - rejected} THEN 'rejected' ELSE status END",
        "id": "overlay(id::text PLACING lpad(n::text, 12, '0') FROM 25)::uuid",
        "apv_code": "'APV-2001-' || n",
        "identity": "md5(n::text)",
    }
    names = [column.name for column in apv_reviews.columns]
    connection = await asyncpg.connect(embedded.plain(url))
    try:
        # Otherwise each copy would begin as a new review.
        await connection.execute("ALTER TABLE apv_reviews DISABLE TRIGGER apv_reviews_start_new")
        await connection.execute(
            f"INSERT INTO apv_reviews ({', '.join(names)}) SELECT {', '.join(own.get(name, name) for name in names)} "
            "FROM apv_reviews, generate_series(1, $2::int) AS n WHERE id = $1",
            template,
            count,
        )
        await connection.execute("ALTER TABLE apv_reviews ENABLE TRIGGER apv_reviews_start_new")
        await connection.execute(KEPT, template)
        await connection.execute("VACUUM ANALYZE apv_reviews")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def process(module: str, *arguments: str, port: int, settings: Mapping[str, str]) -> AsyncIterator[None]:
    """A server of ours in a process of its own, until it is no longer needed."""
    with TemporaryFile() as said:
        server = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, *arguments, cwd=ROOT, env=os.environ | settings, stdout=said, stderr=said
        )
        try:
            await _answers(port, server)
            yield
        except BaseException:
            said.seek(0)
            print(said.read().decode()[-4000:], file=sys.stderr)
            raise
        finally:
            if server.returncode is None:
                server.send_signal(signal.SIGTERM)
            await server.wait()


async def _answers(port: int, server: asyncio.subprocess.Process) -> None:
    """Wait until the server is ready; an empty app has no health routes, and is once it answers anything."""
    async with asyncio.timeout(START_SECONDS), aiohttp.ClientSession() as http:
        while server.returncode is None:
            with contextlib.suppress(aiohttp.ClientConnectionError):
                async with http.get(f"http://127.0.0.1:{port}/health/ready") as answer:
                    if answer.status != 503:
                        return
            await asyncio.sleep(0.05)
    raise AssertionError("the server ended before it was ready")


async def send_clicks(click: RecordedClick, port: int, connections: int, reviews: Sequence[int]) -> Tally:
    """One click on each of the reviews, sent by a process of its own."""
    order = Order(
        port=port,
        signing_secret=SIGNING_SECRET,
        connections=connections,
        body=click.body,
        template_review=str(click.review_id),
        reviews=[str(copy_of(click.review_id, number)) for number in reviews],
    )
    sender = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.benchmarks.load",
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    answered, _ = await sender.communicate(json.dumps(asdict(order)).encode())
    assert sender.returncode == 0, "the load generator failed"
    return Tally(**json.loads(answered))
