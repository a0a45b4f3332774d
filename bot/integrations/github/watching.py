"""Works on an open pull request: read its state, merge it, comment on it.

Each change is idempotent: it looks first, or names the commit that it is for.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from github import Github
from github.CheckRun import CheckRun
from github.Commit import Commit
from github.PullRequest import PullRequest as GitHubPull
from github.Repository import Repository

from bot.domain.pull import Checks, Seen
from bot.integrations.errors import Permanent
from bot.integrations.github.errors import NotFound, asking_github

APPROVED = "apv-bot/approved"
"""The bot's check run (with an App) or commit status (with a token), which branch protection can require."""
WAITING = frozenset({"behind", "blocked"})
"""Values of `mergeable_state` when a branch rule is not met."""
BLOCKED = WAITING | {"dirty", "draft", "unknown"}
"""Values with which GitHub refuses to merge or does not know yet."""
GOOD = frozenset({"success", "neutral", "skipped"})
"""Conclusions of a check run that allow a merge."""


@dataclass(frozen=True, slots=True)
class PullAddress:
    """Where a pull request is, and its branch."""

    repository: str
    """`owner/name`."""
    number: int
    branch: str


def look(github: Github, address: PullAddress) -> Seen:
    """The state of the pull request; `Permanent` when GitHub does not show it.

    `github` is lazy: an open pull request costs three requests, and the limit is 5,000 per hour.
    """
    with asking_github(f"show pull request #{address.number} of {address.repository}"):
        repository = github.get_repo(address.repository)
        pull = repository.get_pull(address.number)
        state = "merged" if pull.merged else "open" if pull.state == "open" else "closed"
        asked = [user.login for user in pull.requested_reviewers or []]
        asked += [team.slug for team in pull.requested_teams or []]
        checks, failing = _checks(repository, pull.head.sha) if state == "open" else (None, ())
        return Seen(
            state=state,
            head=pull.head.sha,
            base=pull.base.ref,
            checks=checks,
            failing=failing,
            conflict=None if pull.mergeable is None else not pull.mergeable,
            branch_gone=state != "open" and branch_head(repository, address.branch) is None,
            reviewers=tuple(asked),
            waits=pull.mergeable_state in WAITING and not pull.draft,
            ready=pull.mergeable is True and pull.mergeable_state not in BLOCKED and not pull.draft,
            auto_merge=pull.raw_data.get("auto_merge") is not None,
            by=pull.merged_by.login if pull.merged_by else None,
        )


def branch_head(repository: Repository, branch: str) -> str | None:
    """The sha at the head of a branch; None when there is no such branch."""
    try:
        with asking_github(f"show the branch {branch}"):
            return repository.get_branch(branch).commit.sha
    except NotFound:
        return None


def _checks(repository: Repository, sha: str) -> tuple[Checks | None, tuple[str, ...]]:
    """The result of all check runs and statuses except ours, and the names of the failed ones."""
    with asking_github("show the checks of a commit"):
        commit = repository.get_commit(sha)
    found: dict[str, Checks] = {}
    for read in (_of_statuses, _of_runs):
        # A fine-grained token may lack the right to read one of the two: then only the other counts.
        with contextlib.suppress(Permanent), asking_github("show the checks of a commit"):
            found |= read(commit)
    found.pop(APPROVED, None)
    failing = tuple(sorted(name for name, result in found.items() if result is Checks.FAILED))
    if failing:
        return Checks.FAILED, failing
    if Checks.RUNNING in found.values():
        return Checks.RUNNING, ()
    return (Checks.PASSED if found else None), ()


def _of_statuses(commit: Commit) -> dict[str, Checks]:
    """The latest status of each context."""
    results = {"success": Checks.PASSED, "pending": Checks.RUNNING}
    newest_last = reversed(list(commit.get_statuses()))
    return {status.context: results.get(status.state, Checks.FAILED) for status in newest_last}


def _of_runs(commit: Commit) -> dict[str, Checks]:
    """The latest check run of each name."""

    def result(run: CheckRun) -> Checks:
        if run.status != "completed":
            return Checks.RUNNING
        return Checks.PASSED if run.conclusion in GOOD else Checks.FAILED

    return {run.name: result(run) for run in commit.get_check_runs(filter="latest")}


def merge(github: Github, address: PullAddress, head: str, method: str) -> None:
    """Merge it if its head is `head`; `Permanent` when GitHub refuses or the head is different."""
    pull = _pull(github, address)
    try:
        with asking_github("merge the pull request"):
            pull.merge(sha=head, merge_method=method)
    except Permanent as error:
        # 405 and 409 of the API's "Merge a pull request".
        reason = {
            "conflict": "its head is no longer the commit that was approved",
            "refused": "a branch rule is not met, or the repository does not allow this merge method",
        }.get(error.code, error.reason)
        raise Permanent(reason, code=error.code) from None


def arm(github: Github, address: PullAddress, head: str, method: str) -> None:
    """Switch GitHub's automatic merge on if the head is `head`; `Permanent` when GitHub refuses."""
    pull = _pull(github, address)
    with asking_github("merge the pull request automatically"):
        pull.enable_automerge(method.upper(), expected_head_oid=head)


def disarm(github: Github, address: PullAddress) -> None:
    """Switch GitHub's automatic merge off."""
    pull = _pull(github, address)
    with asking_github("stop the automatic merge"):
        pull.disable_automerge()


def answer(github: Github, address: PullAddress, body: str, mark: str, *, close: bool) -> None:
    """Comment once, and close the pull request if `close`. `mark` is in `body` and finds the comment again."""
    pull = _pull(github, address)
    with asking_github("comment on the pull request"):
        if not any(mark in (comment.body or "") for comment in pull.get_issue_comments()):
            pull.create_issue_comment(body)
    if close and pull.state == "open":
        with asking_github("close the pull request"):
            pull.edit(state="closed")


def mark_approved(repository: Repository, sha: str, title: str, summary: str, *, app: bool) -> None:
    """Mark a commit as approved, once: with a check run if the token is an App's, otherwise with a commit status.

    `summary`: at most 65,535 characters of Markdown, below the title of a check run.
    """
    with asking_github(f"set {APPROVED} on the commit"):
        commit = repository.get_commit(sha)
        if app:
            if not list(commit.get_check_runs(check_name=APPROVED)):
                repository.create_check_run(
                    APPROVED,
                    sha,
                    status="completed",
                    conclusion="success",
                    output={"title": title, "summary": summary or title},
                )
        elif not any(status.context == APPROVED for status in commit.get_statuses()):
            commit.create_status("success", description=title[:140], context=APPROVED)


def _pull(github: Github, address: PullAddress) -> GitHubPull:
    with asking_github(f"show pull request #{address.number} of {address.repository}"):
        return github.get_repo(address.repository).get_pull(address.number)
