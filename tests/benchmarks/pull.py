"""The bot's own time for a pull request on a repository of 5,000 files: all of it, less what GitHub took to answer."""

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from aiohttp import web

from bot.integrations.github.client import GitHubClient, PullRequest
from bot.sandbox.github import GitHubSandbox
from tests.benchmarks.figures import Figure

FILES = 5_000
ROUNDS = 5
LIMIT_SECONDS = 1.0
TOKEN = "token-of-the-benchmarks"
PINNED = "requests==2.30.0\n"


def files() -> dict[str, bytes]:
    """Fifty folders of a hundred files, and the one that is patched."""
    many = {f"src/part_{n // 100:02}/module_{n:04}.py": f"NUMBER = {n}\n".encode() for n in range(FILES - 1)}
    return {**many, "requirements.txt": PINNED.encode()}


def diff(release: int) -> str:
    """A patch of two files, different in each round."""
    return (
        f"--- a/requirements.txt\n+++ b/requirements.txt\n@@ -1 +1 @@\n-{PINNED}+requests==2.31.{release}\n"
        f"--- a/src/part_07/module_0700.py\n+++ b/src/part_07/module_0700.py\n@@ -1 +1 @@\n-NUMBER = 700\n"
        f"+NUMBER = {release}\n"
    )


async def measure(rounds: int = ROUNDS) -> list[Figure]:
    """One pull request a round; the median of what is left when GitHub's answers are taken off."""
    with TemporaryDirectory(prefix="apv-bot-bench-", ignore_cleanup_errors=True) as folder:
        answering = 0.0

        @web.middleware
        async def timed(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            nonlocal answering
            began = time.perf_counter()
            try:
                return await handler(request)
            finally:
                # The client asks for one thing at a time, so these spans never overlap.
                answering += time.perf_counter() - began

        sandbox = GitHubSandbox(Path(folder), token=TOKEN)
        sandbox.create_repository("sample", "shop", files())
        app = web.Application(middlewares=[timed])
        sandbox.setup(app, "/github")
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        client = GitHubClient(
            TOKEN, repository="sample/shop", api_url=f"http://{host}:{port}/github", seconds_between_writes=0.0
        )
        ours = []
        for release in range(rounds):
            answering, began = 0.0, time.perf_counter()
            pull = await client.open_pull(_request(release))
            ours.append(time.perf_counter() - began - answering)
            assert (pull.files, pull.insertions) == (2, 2)
        await client.close()
        await runner.cleanup()
    took = median(ours)
    against = f"{LIMIT_SECONDS:.0f} s besides GitHub's own time"
    return [Figure("pull.5000_files_s", took, "s", against, LIMIT_SECONDS / took)]


def _request(release: int) -> PullRequest:
    return PullRequest(
        repository="sample/shop",
        base_ref="main",
        branch=f"apv/APV-2026-{release:04}-abcdef12",
        title="fix(deps): bump requests",
        body="Because.",
        commit_message="fix(deps): bump requests\n",
        committed_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        diff=diff(release),
    )
