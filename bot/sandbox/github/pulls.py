"""The pull request routes."""

from typing import Literal

from pydantic import Field

from bot.sandbox.github import history
from bot.sandbox.github.call import Answer, ApiRoute, Body, Call
from bot.sandbox.github.errors import not_found
from bot.sandbox.github.model import Pull


class NewPull(Body):
    """POST pulls."""

    title: str
    head: str
    base: str
    body: str | None = None
    draft: bool = False
    maintainer_can_modify: bool = True


class PullEdit(Body):
    """PATCH pulls/{number}; a missing field stays unchanged."""

    title: str | None = None
    body: str | None = None
    state: Literal["open", "closed"] | None = None
    base: str | None = None
    maintainer_can_modify: bool | None = None


class Merge(Body):
    """PUT pulls/{number}/merge."""

    commit_title: str | None = None
    commit_message: str | None = None
    sha: str | None = None
    merge_method: Literal["merge", "squash", "rebase"] = "merge"


class Reviewers(Body):
    """POST and DELETE pulls/{number}/requested_reviewers."""

    reviewers: list[str] = Field(default_factory=list)
    team_reviewers: list[str] = Field(default_factory=list)


def create(call: Call) -> Answer:
    """Open a pull request."""
    sent = call.body(NewPull)
    pull = call.repository.open_pull(
        author=call.caller.account,
        title=sent.title,
        body=sent.body,
        head=sent.head,
        base=sent.base,
        draft=sent.draft,
        modifiable=sent.maintainer_can_modify,
    )
    # GitHub computes mergeability after it answers, so mergeable is null here.
    return Answer(201, _in_full(call, pull, state="unknown"))


def list_pulls(call: Call) -> Answer:
    """Answer with the pull requests that the query selects, newest first by default."""
    state = call.choice("state", "open", "open", "closed", "all")
    sort = call.choice("sort", "created", "created", "updated")
    direction = call.choice("direction", "desc", "asc", "desc")
    base, head = call.query.get("base"), call.query.get("head", "")
    owner, colon, branch = head.partition(":")
    found = [
        pull
        for pull in call.repository.pulls()
        if state in ("all", pull.state)
        and base in (None, pull.base_ref)
        # Without `owner:` GitHub ignores the head filter.
        and (not colon or (owner.lower(), branch) == (call.repository.owner.lower(), pull.head_ref))
    ]
    found.sort(
        key=lambda pull: (pull.updated_at if sort == "updated" else pull.created_at, pull.number),
        reverse=direction == "desc",
    )
    render = call.render
    return call.page([render.pull(pull) for pull in found])


def get(call: Call) -> Answer:
    """Answer with one pull request, including its mergeability."""
    pull = call.pull()
    return Answer(200, _in_full(call, pull))


def update(call: Call) -> Answer:
    """Change title, body, state or base."""
    pull, sent = call.pull(), call.body(PullEdit)
    call.repository.edit_pull(
        pull, call.caller.account, title=sent.title, body=sent.body, state=sent.state, base=sent.base
    )
    if sent.maintainer_can_modify is not None:
        pull.maintainer_can_modify = sent.maintainer_can_modify
    return Answer(200, _in_full(call, pull))


def list_files(call: Call) -> Answer:
    """Answer with the changed files."""
    pull, render = call.pull(), call.render
    files = history.changes(call.repository.git, pull.base_sha, pull.head_sha)
    return call.page([render.file(change, pull.head_sha) for change in files])


def list_commits(call: Call) -> Answer:
    """Answer with the commits, oldest first."""
    pull, render, git = call.pull(), call.render, call.repository.git
    shas = history.commits_between(git, pull.base_sha, pull.head_sha)
    return call.page([render.commit(git.commit(sha)) for sha in shas])


def check_if_merged(call: Call) -> Answer:
    """Answer 204 when the pull request is merged, else 404."""
    if not call.pull().merged:
        raise not_found()
    return Answer(204)


def merge(call: Call) -> Answer:
    """Merge a pull request."""
    pull, sent = call.pull(), call.body(Merge)
    message = "\n\n".join(part for part in (sent.commit_title, sent.commit_message) if part)
    sha = call.repository.merge_pull(
        pull, call.caller.account, method=sent.merge_method, head=sent.sha, message=message or None
    )
    return Answer(200, {"sha": sha, "merged": True, "message": "Pull Request successfully merged"})


def list_requested_reviewers(call: Call) -> Answer:
    """Answer with the requested reviewers."""
    pull, render = call.pull(), call.render
    users, teams = [render.account(account) for account in pull.reviewers], [render.team(slug) for slug in pull.teams]
    return Answer(200, {"users": users, "teams": teams})


def request_reviewers(call: Call) -> Answer:
    """Request reviews."""
    pull, sent = call.pull(), call.body(Reviewers)
    call.repository.request_reviews(pull, sent.reviewers, sent.team_reviewers)
    return Answer(201, call.render.pull(pull))


def remove_requested_reviewers(call: Call) -> Answer:
    """Withdraw review requests."""
    pull, sent = call.pull(), call.body(Reviewers)
    gone = {login.lower() for login in sent.reviewers}
    pull.reviewers = [account for account in pull.reviewers if account.login.lower() not in gone]
    pull.teams = [slug for slug in pull.teams if slug not in sent.team_reviewers]
    return Answer(200, call.render.pull(pull))


def _in_full(call: Call, pull: Pull, *, state: str | None = None) -> dict[str, object]:
    git = call.repository.git
    commits = history.commits_between(git, pull.base_sha, pull.head_sha)
    files = history.changes(git, pull.base_sha, pull.head_sha)
    return call.render.pull_in_full(pull, len(commits), files, state=state or call.repository.merge_state(pull))


_PULLS = "/repos/{owner}/{repo}/pulls"
_ONE = f"{_PULLS}/{{number:\\d+}}"
_REVIEWERS = f"{_ONE}/requested_reviewers"
_FILTERS = ("state", "head", "base", "sort", "direction")
ROUTES = (
    ApiRoute("pulls/create", "POST", _PULLS, create, "pull_requests:write"),
    ApiRoute("pulls/list", "GET", _PULLS, list_pulls, "pull_requests:read", _FILTERS),
    ApiRoute("pulls/get", "GET", _ONE, get, "pull_requests:read"),
    ApiRoute("pulls/update", "PATCH", _ONE, update, "pull_requests:write"),
    ApiRoute("pulls/list-files", "GET", f"{_ONE}/files", list_files, "pull_requests:read"),
    ApiRoute("pulls/list-commits", "GET", f"{_ONE}/commits", list_commits, "pull_requests:read"),
    ApiRoute("pulls/check-if-merged", "GET", f"{_ONE}/merge", check_if_merged, "pull_requests:read"),
    ApiRoute("pulls/merge", "PUT", f"{_ONE}/merge", merge, "contents:write"),
    ApiRoute("pulls/list-requested-reviewers", "GET", _REVIEWERS, list_requested_reviewers, "pull_requests:read"),
    ApiRoute("pulls/request-reviewers", "POST", _REVIEWERS, request_reviewers, "pull_requests:write"),
    ApiRoute(
        "pulls/remove-requested-reviewers", "DELETE", _REVIEWERS, remove_requested_reviewers, "pull_requests:write"
    ),
)
