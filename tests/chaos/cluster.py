"""What is killed: a PostgreSQL of its own, and the bot as web and worker processes behind a load balancer."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from migrations import schema
from storage import embedded
from storage.database import Database
from tests.chaos.balancer import Balancer
from tests.process import Process, apv_bot
from tests.web import free_port

START_SECONDS = 60.0
"""Four processes at once, on a machine that has other things to do."""


@dataclass
class Postgres:
    """An embedded server that restarts at the same address."""

    started: embedded.Embedded

    @property
    def url(self) -> str:
        return self.started.url

    @property
    def _server(self) -> Any:
        return self.started.server

    def kill(self) -> None:
        """SIGKILL to the server's first process; the others notice and end."""
        os.kill(self._server.get_pid(), signal.SIGKILL)

    async def kill_backend(self) -> int:
        """SIGKILL to a process that serves a connection of the bot: the server ends them all and recovers by itself.

        Returns how many were killed.
        """
        try:
            connection = await asyncpg.connect(embedded.plain(self.url), timeout=2)
        except (OSError, asyncpg.PostgresError, TimeoutError):
            return 0
        backends = await connection.fetch(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() LIMIT 1"
        )
        await connection.close()
        for row in backends:
            os.kill(row["pid"], signal.SIGKILL)
        return len(backends)

    async def stop(self) -> None:
        """Like `systemctl stop`: connections are closed, and committed data is on the disk."""
        await asyncio.to_thread(self._server.stop)

    def _start(self) -> None:
        embedded._forget_another(self._server.pgdata)
        self._server.ensure_postgres_running()

    async def start(self) -> None:
        """Start it again as soon as the last one's processes have ended."""
        async with asyncio.timeout(START_SECONDS):
            while True:
                try:
                    await asyncio.to_thread(self._start)
                    await embedded._answering(self.url)
                except (subprocess.SubprocessError, RuntimeError, AssertionError):
                    await asyncio.sleep(0.1)  # the last one's processes still hold its memory
                else:
                    return


@asynccontextmanager
async def postgres(home: Path) -> AsyncIterator[Postgres]:
    """A migrated database on a server of its own."""
    server = Postgres(await embedded.start(home))
    try:
        database = Database(server.url)
        await schema.upgrade(database.engine)
        await database.close()
        yield server
    finally:
        await server.started.stop()


@dataclass
class Replica:
    """A place for one process of the bot; a killed one is replaced there."""

    role: str
    port: int
    env: Mapping[str, str]
    folder: Path
    runs: list[Process] = field(default_factory=list)
    _open: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def start(self) -> None:
        arguments = ("serve", "--role", self.role)
        env = {**self.env, "PORT": str(self.port)}
        self.runs.append(await self._open.enter_async_context(apv_bot(*arguments, env=env, folder=self.folder)))

    async def killed(self) -> None:
        await self.runs[-1].dies()

    async def stopped(self) -> None:
        """SIGTERM: it finishes its work first."""
        await self.runs[-1].listens()  # before that it has nothing in hand, and ends as any program does
        self.runs[-1].tell(signal.SIGTERM)
        code = await self.runs[-1].ends()
        assert code == 0, f"{self.role} ended with {code}: {self.runs[-1].complained[-2000:]}"

    async def close(self) -> None:
        await self._open.aclose()


@dataclass
class Cluster:
    """All processes of the bot."""

    balancer: Balancer
    replicas: list[Replica]

    @property
    def port(self) -> int:
        """Where Slack and scanners come in."""
        return self.balancer.port

    def of(self, role: str, which: int) -> Replica:
        """One of a role's replicas."""
        those = [replica for replica in self.replicas if replica.role == role]
        return those[which % len(those)]

    def surprises(self) -> list[str]:
        """The ERROR lines of all logs."""
        lines = [line for replica in self.replicas for run in replica.runs for line in run.log]
        return [str({k: v for k, v in line.items() if k != "exception"}) for line in lines if line["level"] == "error"]


@asynccontextmanager
async def cluster(env: Mapping[str, str], folder: Path, replicas: int) -> AsyncIterator[Cluster]:
    """This number of web and of worker processes, once all web processes are ready."""
    places = [Replica(role, free_port(), env, folder) for role in ("web", "worker") for _ in range(replicas)]
    async with Balancer([place.port for place in places if place.role == "web"]) as balancer:
        try:
            for place in places:
                await place.start()
            async with asyncio.timeout(START_SECONDS):
                while balancer.ready < replicas:  # noqa: ASYNC110 - it says so only when asked
                    await asyncio.sleep(0.05)
            yield Cluster(balancer, places)
        finally:
            for place in places:
                await place.close()
