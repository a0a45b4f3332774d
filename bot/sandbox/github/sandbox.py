"""The stand-in for tests, the demo and the page: make repositories, act as people, inspect, wait, inject faults."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from bot.sandbox.github import checks, history, reviews
from bot.sandbox.github.api import GitHubApi
from bot.sandbox.github.hub import Hub
from bot.sandbox.github.model import Account, CheckRun, CommitStatus, Pull
from bot.sandbox.github.repository import Repository


class GitHubSandbox(GitHubApi):
    """GitHub's REST API over bare repositories below `root`.

    `token` is a personal access token of the machine account `login`. `app_id` and `installation_id` name the one
    App, which is installed everywhere. A `repository` argument is `owner/name`; the default is the repository that
    was created first.
    """

    def __init__(
        self,
        root: Path,
        *,
        token: str,
        login: str = "sandbox-bot",
        app_id: str = "1",
        installation_id: int = 1,
    ) -> None:
        super().__init__(Hub(root, token=token, login=login, app_id=app_id, installation_id=installation_id))

    # What people do and see

    def create_repository(
        self,
        owner: str,
        name: str,
        files: Mapping[str, bytes],
        default_branch: str = "main",
        *,
        collaborators: Sequence[str] = (),
        teams: Sequence[str] = (),
    ) -> Path:
        """Make `<root>/owner/name.git`, bare, with one commit of `files`, and return its directory.

        An existing directory is used as it is. Without files the repository is empty.
        """
        repository = self.hub.create_repository(
            owner, name, files, default_branch=default_branch, collaborators=list(collaborators), teams=list(teams)
        )
        return repository.git.git_dir

    def repository(self, full_name: str | None = None) -> Repository:
        """Return a repository by `owner/name`, or the first one created."""
        if full_name is None:
            return next(iter(self.hub.repositories.values()))
        return self.hub.repositories[full_name.lower()]

    def git_dir(self, owner: str, name: str) -> Path:
        """Return the directory of a bare repository, for use with git."""
        return self.repository(f"{owner}/{name}").git.git_dir

    def pulls(self, repository: str | None = None) -> list[Pull]:
        """List the pull requests, oldest first."""
        return self.repository(repository).pulls()

    def branches(self, repository: str | None = None) -> dict[str, str]:
        """Map each branch to its head."""
        return self.repository(repository).branches()

    def diff(self, pull: Pull, repository: str | None = None) -> str:
        """Return a pull request's changes as a unified diff."""
        return history.diff(self.repository(repository).git, pull.base_sha, pull.head_sha)

    def diffstat(self, pull: Pull, repository: str | None = None) -> str:
        """Return a pull request's changes as `git diff --stat` prints them."""
        return history.diffstat(self.repository(repository).git, pull.base_sha, pull.head_sha)

    def file_at(self, ref: str, path: str, repository: str | None = None) -> bytes:
        """Return a file's content at a branch or commit; GitCommandError when there is none."""
        return self.repository(repository).git.run("cat-file", "blob", f"{ref}:{path}")

    async def push_commit(
        self,
        branch: str,
        files: Mapping[str, bytes | None],
        *,
        by: str = "maintainer",
        message: str = "Change files",
        repository: str | None = None,
    ) -> str:
        """Commit to a branch as another person (None removes a file) and return the sha."""
        it = self.repository(repository)
        return await self.act(it, lambda: it.commit_files(branch, files, Account(by), message))

    async def close_pull(self, number: int, *, by: str = "maintainer", repository: str | None = None) -> None:
        """Close a pull request without merging it."""
        it = self.repository(repository)
        await self.act(
            it, lambda: it.edit_pull(it.pull(number), Account(by), title=None, body=None, state="closed", base=None)
        )

    async def merge_pull(
        self, number: int, *, method: str = "merge", by: str = "maintainer", repository: str | None = None
    ) -> str:
        """Merge a pull request (`merge` or `squash`) and return the new head of its base."""
        it = self.repository(repository)
        return await self.act(it, lambda: it.merge_pull(it.pull(number), Account(by), method=method))

    async def reopen_pull(self, number: int, *, by: str = "maintainer", repository: str | None = None) -> None:
        """Reopen a closed pull request."""
        it = self.repository(repository)
        await self.act(
            it, lambda: it.edit_pull(it.pull(number), Account(by), title=None, body=None, state="open", base=None)
        )

    async def delete_branch(self, branch: str, *, by: str = "maintainer", repository: str | None = None) -> None:
        """Delete a branch, which closes its open pull requests."""
        it = self.repository(repository)
        await self.act(it, lambda: it.delete_ref(f"refs/heads/{branch}", Account(by)))

    async def request_reviews(self, number: int, *logins: str, repository: str | None = None) -> None:
        """Ask collaborators for a review."""
        it = self.repository(repository)
        await self.act(it, lambda: it.request_reviews(it.pull(number), list(logins), []))

    async def review(
        self, number: int, event: str, body: str = "", *, by: str = "maintainer", repository: str | None = None
    ) -> None:
        """Give a review: `APPROVE`, `REQUEST_CHANGES` or `COMMENT`."""
        it = self.repository(repository)
        await self.act(it, lambda: reviews.give(it, it.pull(number), Account(by), event, body))

    async def set_status(
        self, sha: str, state: str, *, context: str = "ci", by: str = "maintainer", repository: str | None = None
    ) -> None:
        """Set a commit status (`error`, `failure`, `pending`, `success`)."""
        it = self.repository(repository)
        status = CommitStatus(it.next_id(), Account(by), state, context, None, None)
        await self.act(it, lambda: it.records.statuses.setdefault(sha, []).append(status))

    async def set_check(
        self, sha: str, name: str, conclusion: str | None = None, *, repository: str | None = None
    ) -> CheckRun:
        """Queue a check run on a commit, or complete it with a conclusion."""
        it = self.repository(repository)

        def add() -> CheckRun:
            runs = [run for run in it.records.check_runs.values() if (run.head_sha, run.name) == (sha, name)]
            run = runs[-1] if runs else checks.add_check_run(it, sha, name)
            if conclusion is not None:
                checks.conclude(run, conclusion)
            return run

        return await self.act(it, add)
