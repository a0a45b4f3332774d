"""A real PostgreSQL (TEST_DATABASE_URL, or the embedded one) with a new database for each test that uses it."""

import asyncio
import gc
import logging
import os
import shutil
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from itertools import count, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import asyncpg
import pytest
import uvloop
from sqlalchemy import make_url

from bot import telemetry
from migrations import schema
from storage import embedded
from storage.database import Database

T = TypeVar("T")

TEMPLATE = "apv_bot_template"
MEMORY = Path("/dev/shm")
ROOM = 2 << 30
numbers = count()


class Errors(logging.Handler):
    """Keeps every ERROR line."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.name}: {record.getMessage()}")


unhandled = Errors()
"""What asyncio reports because nobody awaited it: an exception of a task, a connection left open."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """While one test waits for a database, a socket or a clock, another one runs."""
    return 2 * (os.cpu_count() or 1)


def pytest_configure() -> None:
    """Log as the bot does, so that a test can see the bot's errors."""
    telemetry.configure(level="info", form="console", secrets=[])
    logging.getLogger("asyncio").addHandler(unhandled)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Start with the long tests: started last, each would run alone while the other workers have nothing left."""
    workers: int = getattr(config, "workerinput", {}).get("workercount", 1)
    long = [item for item in items if item.get_closest_marker("long")]
    items[:] = dealt(long, [item for item in items if item not in set(long)], workers)


def pytest_collection_finish() -> None:
    """Take what was imported and collected out of the garbage collector's rounds, which were a tenth of the run."""
    gc.collect()
    gc.freeze()


def dealt(first: Sequence[T], rest: Sequence[T], hands: int) -> list[T]:
    """One list; when pytest-xdist cuts it into `hands` equal parts, each part begins with its share of `first`."""
    remaining, left, found = iter(rest), len(first) + len(rest), list[T]()
    for hand in range(hands):
        share, size = first[hand::hands], left // (hands - hand)
        found += [*share, *islice(remaining, max(0, size - len(share)))]
        left -= size
    return [*found, *remaining]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown() -> Generator[None]:
    """Fail a test after which asyncio reported an exception that nobody handled."""
    try:
        yield
    finally:
        reported, unhandled.lines = unhandled.lines, []
    assert not reported, reported


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The bot's event loop."""
    return {"uvloop": uvloop.new_event_loop}


def in_database(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)


async def run(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(embedded.plain(url))
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def migrate(url: str) -> None:
    database = Database(url)
    await schema.upgrade(database.engine)
    await database.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a server that lets us create databases."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given.replace("postgresql://", "postgresql+asyncpg://", 1)
        return
    # Not pytest's own folder: a second pytest of root's closes that to the server, which does not run as root.
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM
    with TemporaryDirectory(prefix="apv-bot-test-", dir=MEMORY if roomy else None, ignore_cleanup_errors=True) as home:
        server = asyncio.run(embedded.start(Path(home)))
        # A database for each test: half of the run would be waiting for a disk that no test reads after a crash.
        unused = [f"ALTER SYSTEM SET {name} = off" for name in ("fsync", "full_page_writes", "autovacuum")]
        asyncio.run(run(server.url, *unused, "SELECT pg_reload_conf()"))
        yield server.url
        asyncio.run(server.stop())


@pytest.fixture(scope="session")
def template(postgres: str) -> Iterator[str]:
    """A migrated database, the template of each test's database."""
    name = f"{TEMPLATE}_{os.getpid()}"
    asyncio.run(run(postgres, f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}"))
    asyncio.run(migrate(in_database(postgres, name)))
    yield name
    asyncio.run(run(postgres, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
async def empty_database_url(postgres: str) -> AsyncIterator[str]:
    """An empty database for this test."""
    name = f"apv_bot_{os.getpid()}_{next(numbers)}"
    await run(postgres, f"CREATE DATABASE {name}")
    yield in_database(postgres, name)
    await run(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database_url(postgres: str, template: str) -> AsyncIterator[str]:
    """A migrated database for this test."""
    name = f"apv_bot_{os.getpid()}_{next(numbers)}"
    # Where nothing is synced, copying files costs a third of copying through the log.
    strategy = "" if os.environ.get("TEST_DATABASE_URL") else "STRATEGY file_copy"
    await run(postgres, f"CREATE DATABASE {name} TEMPLATE {template} {strategy}")
    yield in_database(postgres, name)
    await run(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The storage layer on a database for this test."""
    opened = Database(database_url)
    yield opened
    await opened.close()
