"""`apv-bot` as an operator runs it: a process of its own, with settings in its environment and a log of JSON lines."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
from pydantic import SecretStr

from bot.config import Settings
from tests.harness import World

PATIENCE = 120.0
"""Seconds after which a test gives up on a process; a busy machine needs several only to start one."""
PROXIES = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}
runs = count()


def environment(settings: Settings | None = None, **more: str) -> dict[str, str]:
    """The environment of the process: the machine's, and none of our settings except these."""
    ours = {name.upper() for name in Settings.model_fields} | PROXIES
    env = {name: value for name, value in os.environ.items() if name.upper() not in ours}
    for name in Settings.model_fields if settings is not None else ():
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        if value not in (None, ()):
            env[name.upper()] = ",".join(value) if isinstance(value, tuple) else str(value)
    return env | {"LOG_FORMAT": "json"} | more


@dataclass
class Process:
    """One run of `apv-bot`, with its output in files."""

    running: asyncio.subprocess.Process
    out: Path
    err: Path

    @property
    def said(self) -> str:
        """Standard output so far."""
        return self.out.read_text("utf-8")

    @property
    def complained(self) -> str:
        """Standard error so far."""
        return self.err.read_text("utf-8")

    @property
    def log(self) -> list[dict[str, Any]]:
        """The log so far (standard error); a line that is not JSON fails."""
        return [json.loads(line) for line in self.complained.splitlines()]

    def logged(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.log if line["event"] == event]

    @property
    def port(self) -> int:
        """Where it listens; PORT may be 0."""
        port: int = self.logged("server.listening")[0]["port"]
        return port

    async def listens(self) -> None:
        await self.until(lambda: "server.listening" in self.complained)

    async def says(self, words: str) -> None:
        await self.until(lambda: words in self.said)

    async def asks(self, path: str) -> tuple[int, Any]:
        """Status and JSON body of a GET."""
        async with (
            aiohttp.ClientSession(trust_env=False) as session,
            session.get(f"http://127.0.0.1:{self.port}{path}") as answer,
        ):
            return answer.status, await answer.json()

    async def is_ready(self) -> None:
        """Wait until it reports ready."""
        await self.listens()
        async with asyncio.timeout(PATIENCE):
            while (await self.asks("/health/ready"))[0] != 200:  # noqa: ASYNC110 - it says so only when asked
                await asyncio.sleep(0.05)

    async def until(self, holds: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                while not holds():
                    assert self.running.returncode is None, self.complained + self.said
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(self.complained + self.said) from None

    def tell(self, signum: signal.Signals) -> None:
        self.running.send_signal(signum)

    async def ends(self) -> int:
        """Wait for its end; returns its exit code."""
        async with asyncio.timeout(PATIENCE):
            return await self.running.wait()

    async def dies(self) -> None:
        """SIGKILL: it can do nothing more."""
        self.running.kill()
        await self.ends()


@asynccontextmanager
async def apv_bot(*arguments: str, env: Mapping[str, str], folder: Path) -> AsyncIterator[Process]:
    """Start `apv-bot` with these arguments in `folder`; killed if it still runs at the end."""
    number = next(runs)
    out, err = folder / f"{number}.out", folder / f"{number}.err"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        running = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", *arguments,
            env=dict(env), cwd=folder, stdin=asyncio.subprocess.DEVNULL, stdout=stdout, stderr=stderr,
        )  # fmt: skip
    process = Process(running, out, err)
    try:
        yield process
    finally:
        if running.returncode is None:
            await process.dies()


@asynccontextmanager
async def serving(world: World, folder: Path, *arguments: str, **more: str) -> AsyncIterator[Process]:
    """`apv-bot serve` with the world's settings, to which the world talks once it is ready."""
    async with apv_bot("serve", *arguments, env=environment(world.settings, **more), folder=folder) as process:
        await process.is_ready()
        world.talks_to(process)
        yield process


async def outcome(*arguments: str, env: Mapping[str, str], folder: Path) -> Process:
    """Run `apv-bot` to its end."""
    async with apv_bot(*arguments, env=env, folder=folder) as process:
        await process.ends()
    return process
