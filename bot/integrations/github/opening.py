"""Makes one branch, one commit and one pull request from an approved diff, without a clone.

Idempotent, wherever an earlier run stopped: it looks before it writes, and always writes the same.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

from github import Github, InputGitAuthor, InputGitTreeElement
from github.GitCommit import GitCommit
from github.GithubObject import NotSet
from github.PullRequest import PullRequest as GitHubPull
from github.Repository import Repository

from bot.domain.base import Base
from bot.domain.policy import BaseMoved
from bot.domain.pull import Pull
from bot.integrations.errors import Permanent
from bot.integrations.git.patches import ChangedFile, PatchedTree, PathPolicy, apply_patch, touched_paths
from bot.integrations.github.bases import BaseTree, named_files, read_tree, require_shown
from bot.integrations.github.errors import NotFound, ValidationFailed, asking_github
from bot.integrations.github.files import read_blob
from bot.integrations.github.watching import branch_head, mark_approved

AUTHOR_NAME = "apv-bot"
AUTHOR_EMAIL = "apv-bot@noreply.invalid"
"""A reserved domain (RFC 2606): no GitHub account can have this address."""
MAX_COMMITS_ON_TOP = 20
"""How many commits to search for ours from a pull request's head: people may have added theirs."""


@dataclass(frozen=True, slots=True)
class PullRequest:
    """The pull request to open. The same values always give the same commit."""

    repository: str
    """`owner/name`."""
    base_ref: str | None
    """The branch to merge into; None is the repository's default branch."""
    branch: str
    title: str
    body: str
    commit_message: str
    committed_at: datetime
    """The commit's date with its time zone. It is fixed, otherwise a second run would make another commit."""
    diff: str
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    """Logins, and teams as `organisation/team`."""
    draft: bool = False
    approved: str = "Approved"
    """The sentence of the check on the commit."""
    approvals: str = ""
    """Who approved, as Markdown, for a check run; a commit status has no room for it."""
    policy: PathPolicy = field(default_factory=PathPolicy)
    shown: Base | None = None
    """The base that was read when the review was shown; None: it was not read in time."""
    base_moved: BaseMoved = BaseMoved.ASK
    """Whether the patch is pushed where the base is no longer as shown; the commit itself does not depend on it."""


def open_pull(github: Github, request: PullRequest, *, app: bool = False) -> Pull:
    """Open the pull request, or adopt that of an earlier run. `app`: the token is an App's.

    Raises `Permanent` when the patch does not apply or is not allowed (then nothing is pushed), when the branch is
    somebody else's, or when GitHub refuses; `Retry` when GitHub is unavailable or asks to wait; `NotAsShown` when the
    base moved under the patch and people must look again (then nothing is pushed).
    """
    repository = find_repository(github, request.repository)
    pull = _existing_pull(repository, request)
    commit = _pull_commit(repository, request, pull) if pull else _branch_commit(repository, request)
    if commit is None:
        commit, change = _push(repository, request)
    else:
        change = _change_of(repository, commit, request)
    # Before anybody can merge: a rule of the base branch may require the check.
    notes = _mark_approved(repository, commit, request, app=app)
    return _opened(pull or _create_pull(repository, request), request, commit, change, notes)


def find_repository(github: Github, full_name: str) -> Repository:
    """The repository `owner/name`; `Permanent` when GitHub does not show it."""
    try:
        with asking_github(f"show the repository {full_name}"):
            return github.get_repo(full_name)
    except NotFound as error:
        reason = f"GitHub does not know the repository {full_name}, or the token may not see it"
        raise Permanent(reason, code=error.code) from None


def base_head(repository: Repository, base_ref: str | None) -> str:
    """The sha at the head of a branch, None being the default one; `Permanent` when there is no such branch."""
    with asking_github(f"show the repository {repository.full_name}"):
        branch = base_ref or repository.default_branch
    sha = branch_head(repository, branch)
    if sha is None:
        raise Permanent(f"The repository {repository.full_name} has no branch {branch}", code="not_found")
    return sha


def read_base(github: Github, full_name: str, base_ref: str | None, diff: str, policy: PathPolicy) -> Base:
    """The files that a diff names, as they are at the head of a branch. The diff need not apply.

    Raises `Permanent` when there is no such branch or the diff cannot be read, `Retry` when GitHub is unavailable.
    """
    paths = touched_paths(diff, policy)
    repository = find_repository(github, full_name)
    return named_files(read_tree(repository, base_head(repository, base_ref), diff, policy), paths)


# What an earlier run has left


def _existing_pull(repository: Repository, request: PullRequest) -> GitHubPull | None:
    """The pull request of our branch in any state: the open one, else the newest."""
    with asking_github(f"list the pull requests of {request.repository}"):
        found = repository.get_pulls(state="all", head=f"{repository.owner.login}:{request.branch}")
        ours = [pull for pull in found if pull.head.ref == request.branch]
        return max(ours, key=lambda pull: (pull.state == "open", pull.number), default=None)


def _pull_commit(repository: Repository, request: PullRequest, pull: GitHubPull) -> GitCommit:
    """Our commit in a pull request, below the commits that people have added."""
    with asking_github(f"show the commits of {request.repository}"):
        commit = repository.get_git_commit(pull.head.sha)
        for _ in range(MAX_COMMITS_ON_TOP):
            if _is_ours(commit, request) or not commit.parents:
                break
            commit = repository.get_git_commit(commit.parents[0].sha)
        if _is_ours(commit, request):
            return commit
    raise _foreign_branch(request)


def _branch_commit(repository: Repository, request: PullRequest) -> GitCommit | None:
    """Our commit at the head of our branch; None when there is no such branch."""
    sha = branch_head(repository, request.branch)
    if sha is None:
        return None
    with asking_github(f"show the commits of {request.repository}"):
        commit = repository.get_git_commit(sha)
        if _is_ours(commit, request):
            return commit
    raise _foreign_branch(request)


def _is_ours(commit: GitCommit, request: PullRequest) -> bool:
    """Whether a commit has our message, author and date. `_change_of` compares the tree."""
    return (
        len(commit.parents) == 1
        and commit.message.strip() == request.commit_message.strip()
        and (commit.author.name, commit.author.email) == (AUTHOR_NAME, AUTHOR_EMAIL)
        and commit.author.date == _whole_seconds(request.committed_at)
    )


def _change_of(repository: Repository, commit: GitCommit, request: PullRequest) -> PatchedTree:
    """The diff applied to a commit's parent; `Permanent` when the commit has another tree."""
    base = read_tree(repository, commit.parents[0].sha, request.diff, request.policy)
    change = _change(repository, base, request)
    if change.tree_sha != commit.tree.sha:
        raise _foreign_branch(request)
    return change


def _foreign_branch(request: PullRequest) -> Permanent:
    reason = f"The branch {request.branch} of {request.repository} holds somebody else's commits; nothing was pushed"
    return Permanent(reason, code="branch_taken")


# From the diff to a branch


def _change(repository: Repository, base: BaseTree, request: PullRequest) -> PatchedTree:
    """The diff applied to a base. Writes nothing."""
    return apply_patch(base.files, partial(read_blob, repository), base.tree.sha, request.diff, request.policy)


def _push(repository: Repository, request: PullRequest) -> tuple[GitCommit, PatchedTree]:
    """Write blobs, tree and commit, and the branch last: nobody sees the others without it."""
    base = read_tree(repository, base_head(repository, request.base_ref), request.diff, request.policy)
    change = _change(repository, base, request)
    if request.base_moved is BaseMoved.ASK:
        require_shown(base, change, request.shown)
    known = {entry.sha for entry in base.files}
    with asking_github(f"write to {request.repository}"):
        elements = [_element(repository, file, known) for file in change.entries]
        tree = repository.create_git_tree(elements, base.tree)
        if tree.sha != change.tree_sha:
            raise Permanent(
                "GitHub's tree of the patched files differs from git's; nothing was pushed", code="tree_mismatch"
            )
        date = f"{_whole_seconds(request.committed_at):%Y-%m-%dT%H:%M:%SZ}"
        author = InputGitAuthor(AUTHOR_NAME, AUTHOR_EMAIL, date)
        commit = repository.create_git_commit(request.commit_message, tree, [base.commit], author, author)
    try:
        with asking_github(f"create the branch {request.branch} in {request.repository}"):
            repository.create_git_ref(f"refs/heads/{request.branch}", commit.sha)
    except ValidationFailed:
        # Another run was first, perhaps on an older base: use its commit, if the tree is ours.
        found = _branch_commit(repository, request)
        if found is None:
            raise
        return found, _change_of(repository, found, request)
    return commit, change


def _element(repository: Repository, file: ChangedFile, known: set[str]) -> InputGitTreeElement:
    """One row of the new tree: text is in the row, other content is a separate blob."""
    if file.sha is None or file.content is None:
        return InputGitTreeElement(file.path, file.mode, "blob", sha=None)
    if file.sha in known:
        return InputGitTreeElement(file.path, file.mode, "blob", sha=file.sha)
    text = _text(file.content)
    if text is not None:
        return InputGitTreeElement(file.path, file.mode, "blob", content=text)
    blob = repository.create_git_blob(base64.b64encode(file.content).decode("ascii"), "base64")
    return InputGitTreeElement(file.path, file.mode, "blob", sha=blob.sha)


def _text(content: bytes) -> str | None:
    """The content as text if GitHub keeps it unchanged: not empty, UTF-8, no NUL."""
    if not content or b"\0" in content:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def _whole_seconds(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


# The pull request


def _mark_approved(repository: Repository, commit: GitCommit, request: PullRequest, *, app: bool) -> tuple[str, ...]:
    """Mark the commit as approved. A refusal by GitHub is a note, not a failure."""
    try:
        mark_approved(repository, commit.sha, request.approved, request.approvals, app=app)
    except Permanent as error:
        return (error.reason,)
    return ()


def _create_pull(repository: Repository, request: PullRequest) -> GitHubPull:
    """The new pull request, or the one that another run has just made."""
    try:
        with asking_github(f"open a pull request in {request.repository}"):
            return repository.create_pull(
                base=request.base_ref or repository.default_branch,
                head=request.branch,
                title=request.title,
                body=request.body,
                draft=request.draft,
            )
    except ValidationFailed:
        # Another run may have been first. Only GitHub's list says so, not its message.
        existing = _existing_pull(repository, request)
        if existing is None:
            raise
        return existing


def _opened(
    pull: GitHubPull, request: PullRequest, commit: GitCommit, change: PatchedTree, notes: tuple[str, ...]
) -> Pull:
    with asking_github(f"show the pull requests of {request.repository}"):
        opened = Pull(
            number=pull.number,
            url=pull.html_url,
            branch=request.branch,
            base=pull.base.ref,
            approved_head=commit.sha,
            head_sha=pull.head.sha,
            files=change.files,
            insertions=change.insertions,
            deletions=change.deletions,
            state="merged" if pull.merged_at else "open" if pull.state == "open" else "closed",
            notes=notes,
        )
    return replace(opened, notes=notes + _decorate(pull, request)) if opened.state == "open" else opened


def _decorate(pull: GitHubPull, request: PullRequest) -> tuple[str, ...]:
    """Add missing labels and reviewers. A refusal by GitHub is a note, not a failure."""
    with asking_github(f"show the pull requests of {request.repository}"):
        present = {label.name.casefold() for label in pull.labels}
        asked = {user.login.casefold() for user in pull.requested_reviewers or []}
        asked |= {team.slug.casefold() for team in pull.requested_teams or []}
    labels = [label for label in request.labels if label.casefold() not in present]
    missing = [one for one in request.reviewers if one.rpartition("/")[2].casefold() not in asked]
    people = [one for one in missing if "/" not in one]
    teams = [one.rpartition("/")[2] for one in missing if "/" in one]
    notes = []
    if labels:
        try:
            with asking_github("label the pull request"):
                pull.add_to_labels(*labels)
        except Permanent:
            notes.append(f"GitHub refused to label the pull request: {', '.join(labels)}")
    if missing:
        try:
            with asking_github("request reviews"):
                pull.create_review_request(people or NotSet, teams or NotSet)
        except Permanent:
            notes.append(f"GitHub refused to request reviews: {', '.join(missing)}")
    return tuple(notes)
