"""GitHub for the rest of the bot: async on the outside, PyGithub in one thread on the inside.

PyGithub is not thread-safe, so a client has one thread, and its calls run one after the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import jwt
from github import Auth, Github

from bot.domain.pull import Pull, Seen
from bot.integrations.errors import Permanent
from bot.integrations.github import watching as github_watch
from bot.integrations.github.files import Files, read_files
from bot.integrations.github.opening import PullRequest, base_head, find_repository, open_pull
from bot.integrations.github.watching import PullAddress

__all__ = ["AppInstallation", "GitHubClient", "PullAddress", "PullRequest"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AppInstallation:
    """A GitHub App as it is installed in one account; its tokens renew themselves."""

    app_id: str
    installation_id: int
    private_key: str = field(repr=False)
    """In PEM form."""


class GitHubClient:
    """One account's view of GitHub.

    `credentials` are a personal access token or an App's installation; `owner` and `name` are the default repository.
    `timeout_seconds` bounds each wait for GitHub. `seconds_between_writes` is what GitHub asks of its clients.
    """

    def __init__(
        self,
        credentials: str | AppInstallation,
        *,
        owner: str,
        name: str,
        api_url: str = "https://api.github.com",
        seconds_between_writes: float = 1.0,
        timeout_seconds: int = 15,
    ) -> None:
        self._owner, self._name = owner, name
        self._app = isinstance(credentials, AppInstallation)
        self._github = Github(
            auth=_authentication(credentials),
            base_url=api_url.rstrip("/"),
            timeout=timeout_seconds,
            # The job queue tries again, and looks first. PyGithub would send a POST twice, and sleep for as long
            # as a header says, with the thread.
            retry=None,
            seconds_between_requests=None,
            seconds_between_writes=seconds_between_writes,
            user_agent="apv-bot",
        )
        self._looking = self._github.withLazy(True)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="github")

    async def check(self) -> None:
        """Return if the default repository can be seen; `Permanent` or `Retry` otherwise."""
        await self._run(lambda: find_repository(self._github, self._owner, self._name))

    async def base_head(self, base_ref: str | None = None) -> str:
        """The sha at the head of a branch of the default repository; None is its default branch."""
        return await self._run(lambda: base_head(find_repository(self._github, self._owner, self._name), base_ref))

    async def read_files(
        self, full_name: str, base_ref: str | None, choose: Callable[[Sequence[str]], Sequence[str]]
    ) -> Files:
        """All paths at the head of a branch of `owner/name`, and the files that `choose` picks of them.

        Raises `Permanent` when there is no such repository or branch, `Retry` when GitHub is away, and what `choose`
        raises.
        """

        def read() -> Files:
            repository = find_repository(self._github, *full_name.split("/", 1))
            return read_files(repository, base_head(repository, base_ref), choose)

        return await self._run(read)

    async def open_pull(self, request: PullRequest) -> Pull:
        """Make one branch, one commit and one pull request of a diff, or adopt those of a former run.

        Raises `Permanent` when the patch does not apply or touches what it may not (nothing is pushed), when the
        branch is somebody else's, or when GitHub refuses; `Retry` when GitHub is away, failing or asks to wait.
        """
        return await self._run(lambda: open_pull(self._github, request, app=self._app))

    async def look(self, address: PullAddress) -> Seen:
        """How a pull request is now; `Permanent` when GitHub does not show it."""
        return await self._run(lambda: github_watch.look(self._looking, address))

    async def merge(self, address: PullAddress, head: str, method: str) -> None:
        """Merge it (`merge`, `squash`, `rebase`) if its head is `head`; `Permanent` when GitHub refuses."""
        await self._run(lambda: github_watch.merge(self._github, address, head, method))

    async def arm(self, address: PullAddress, head: str, method: str) -> None:
        """Have GitHub merge it once its rules are met, if its head is `head`; `Permanent` when GitHub refuses."""
        await self._run(lambda: github_watch.arm(self._github, address, head, method))

    async def disarm(self, address: PullAddress) -> None:
        """Have GitHub not merge it by itself."""
        await self._run(lambda: github_watch.disarm(self._github, address))

    async def answer(self, address: PullAddress, body: str, mark: str, *, close: bool) -> None:
        """Comment once, found again by `mark`, which stands in `body`; then close it if `close` says so."""
        await self._run(lambda: github_watch.answer(self._github, address, body, mark, close=close))

    async def close(self) -> None:
        """Let the call in hand end, drop those that wait, and close the connections."""
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
