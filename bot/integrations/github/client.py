"""The GitHub client: async methods that run PyGithub in one thread.

PyGithub is not thread-safe, so each client has one thread and its calls run one after the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import jwt
from github import Auth, Github

from bot.domain.base import Base
from bot.domain.pull import Pull, Seen
from bot.integrations.errors import Permanent
from bot.integrations.git.patches import PathPolicy
from bot.integrations.github import watching as github_watch
from bot.integrations.github.files import Files, read_files
from bot.integrations.github.opening import PullRequest, base_head, find_repository, open_pull, read_base
from bot.integrations.github.watching import PullAddress

__all__ = ["AppInstallation", "GitHubClient", "PullAddress", "PullRequest"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AppInstallation:
    """A GitHub App's installation in one account. Its tokens renew automatically."""

    app_id: str
    installation_id: int
    private_key: str = field(repr=False)
    """In PEM form."""


class GitHubClient:
    """GitHub for one account.

    `credentials` are a personal access token or an App's installation; `repository` is the default one (`owner/name`).
    `timeout_seconds` limits each wait for GitHub. GitHub asks its clients for `seconds_between_writes`.
    """

    def __init__(
        self,
        credentials: str | AppInstallation,
        *,
        repository: str,
        api_url: str = "https://api.github.com",
        seconds_between_writes: float = 1.0,
        timeout_seconds: int = 15,
    ) -> None:
        self._repository = repository
        self._app = isinstance(credentials, AppInstallation)
        self._github = Github(
            auth=_authentication(credentials),
            base_url=api_url.rstrip("/"),
            timeout=timeout_seconds,
            # The job queue retries, and looks first. PyGithub would send a POST twice, and block the thread for as
            # long as a header says.
            retry=None,
            seconds_between_requests=None,
            seconds_between_writes=seconds_between_writes,
            user_agent="apv-bot",
        )
        self._looking = self._github.withLazy(True)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="github")

    async def check(self) -> None:
        """Return if the default repository is visible; otherwise raise `Permanent` or `Retry`."""
        await self._run(lambda: find_repository(self._github, self._repository))

    async def read_files(
        self, full_name: str, base_ref: str | None, choose: Callable[[Sequence[str]], Sequence[str]]
    ) -> Files:
        """All paths at the head of a branch of `owner/name`, and the files that `choose` selects.

        Raises `Permanent` when the repository or branch does not exist, `Retry` when GitHub is unavailable, and
        the exceptions of `choose`.
        """

        def read() -> Files:
            repository = find_repository(self._github, full_name)
            return read_files(repository, base_head(repository, base_ref), choose)

        return await self._run(read)

    async def read_base(self, full_name: str, base_ref: str | None, diff: str, policy: PathPolicy) -> Base:
        """The files that a diff names, as they are at the head of a branch of `owner/name`.

        Raises `Permanent` when there is no such branch or the diff cannot be read, `Retry` when GitHub is unavailable.
        """
        return await self._run(lambda: read_base(self._github, full_name, base_ref, diff, policy))

    async def open_pull(self, request: PullRequest) -> Pull:
        """Make one branch, one commit and one pull request from a diff, or adopt those of an earlier run.

        Raises `Permanent` when the patch does not apply or is not allowed (then nothing is pushed), when the
        branch is somebody else's, or when GitHub refuses; `Retry` when GitHub is unavailable or asks to wait;
        `NotAsShown` when the base moved and people must look again (then nothing is pushed).
        """
        return await self._run(lambda: open_pull(self._github, request, app=self._app))

    async def look(self, address: PullAddress) -> Seen:
        """The state of a pull request; `Permanent` when GitHub does not show it."""
        return await self._run(lambda: github_watch.look(self._looking, address))

    async def merge(self, address: PullAddress, head: str, method: str) -> None:
        """Merge it (`merge`, `squash`, `rebase`) if its head is `head`; `Permanent` when GitHub refuses."""
        await self._run(lambda: github_watch.merge(self._github, address, head, method))

    async def arm(self, address: PullAddress, head: str, method: str) -> None:
        """Switch GitHub's automatic merge on if the head is `head`; `Permanent` when GitHub refuses."""
        await self._run(lambda: github_watch.arm(self._github, address, head, method))

    async def disarm(self, address: PullAddress) -> None:
        """Switch GitHub's automatic merge off."""
        await self._run(lambda: github_watch.disarm(self._github, address))

    async def answer(self, address: PullAddress, body: str, mark: str, *, close: bool) -> None:
        """Comment once, and close the pull request if `close`. `mark` is in `body` and finds the comment again."""
        await self._run(lambda: github_watch.answer(self._github, address, body, mark, close=close))

    async def close(self) -> None:
        """Finish the current call, drop those that wait, and close the connections."""
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)
        self._github.close()
        self._looking.close()

    async def _run(self, call: Callable[[], T]) -> T:
        # Cancelling the caller does not stop the thread: a second run of the same job waits until the first is over.
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)


def _authentication(credentials: str | AppInstallation) -> Auth.Auth:
    if isinstance(credentials, str):
        return Auth.Token(credentials)
    app = Auth.AppAuth(credentials.app_id, credentials.private_key)
    try:
        app.create_jwt()
    except (ValueError, jwt.PyJWTError):
        raise Permanent("The GitHub App's private key is not in PEM format", code="bad_credentials") from None
    return app.get_installation_auth(credentials.installation_id)
