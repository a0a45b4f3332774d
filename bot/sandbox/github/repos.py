"""The repository routes: the repository itself, its branches, commits and comparisons."""

from bot.sandbox.github import history
from bot.sandbox.github.call import Answer, ApiRoute, Call
from bot.sandbox.github.errors import ApiError, Json, not_found, unprocessable
from bot.sandbox.github.model import Account


def get_repo(call: Call) -> Answer:
    """Answer with the repository."""
    return Answer(200, call.render.repo())


def list_branches(call: Call) -> Answer:
    """Answer with the branches by name."""
    render = call.render
    return call.page([render.branch(name, sha) for name, sha in call.repository.branches().items()])


def get_branch(call: Call) -> Answer:
    """Answer with one branch and its head commit."""
    name, render = call.arguments["branch"], call.render
    sha = call.repository.head(name)
    if sha is None:
        raise not_found("Branch not found")
    commit = render.commit(call.repository.git.commit(sha))
    return Answer(
        200,
        render.branch(name, sha)
        | {
            "commit": commit,
            "_links": {"self": f"{render.url}/branches/{name}", "html": f"{render.html_url}/tree/{name}"},
        },
    )


def list_commits(call: Call) -> Answer:
    """Answer with the history of a commit or branch, newest first."""
    sha = required_commit(call, call.query.get("sha", call.repository.default_branch))
    render, git = call.render, call.repository.git
    return call.page([render.commit(git.commit(one)) for one in git.text("rev-list", sha).split()])


def get_commit(call: Call) -> Answer:
    """Answer with one commit and its changes against its first parent."""
    git, render = call.repository.git, call.render
    commit = git.commit(required_commit(call, call.arguments["ref"]))
    start = commit.parents[0] if commit.parents else git.text("hash-object", "-t", "tree", "-w", "--stdin")
    files = history.changes(git, start, commit.sha)
    additions, deletions = sum(file.additions for file in files), sum(file.deletions for file in files)
    stats: Json = {"additions": additions, "deletions": deletions, "total": additions + deletions}
    shown = render.commit(commit) | {"stats": stats, "files": [render.file(file, commit.sha) for file in files]}
    return Answer(200, shown)


def compare(call: Call) -> Answer:
    """Answer with the commits and changes of `head` since its common ancestor with `base`."""
    names = call.arguments["basehead"].split("...")
    git, render = call.repository.git, call.render
    found = [call.repository.find_commit(name.rpartition(":")[2]) for name in names]
    if len(found) != 2 or found[0] is None or found[1] is None:
        raise not_found()
    base, head = found[0], found[1]
    parted = history.merge_base(git, base, head)
    if parted is None:
        raise not_found(f"No common ancestor between {names[0]} and {names[1]}.")
    ahead, behind = history.commits_between(git, base, head), history.commits_between(git, head, base)
    status = {(False, False): "identical", (True, False): "ahead", (False, True): "behind"}
    url = f"{render.url}/compare/{call.arguments['basehead']}"
    page = f"{render.html_url}/compare/{call.arguments['basehead']}"
    return Answer(
        200,
        {
            "url": url, "html_url": page, "permalink_url": page, "diff_url": f"{page}.diff",
            "patch_url": f"{page}.patch", "status": status.get((bool(ahead), bool(behind)), "diverged"),
            "ahead_by": len(ahead), "behind_by": len(behind), "total_commits": len(ahead),
            "base_commit": render.commit(git.commit(base)),
            "merge_base_commit": render.commit(git.commit(parted)),
            "commits": [render.commit(git.commit(sha)) for sha in ahead],
            "files": [render.file(file, head) for file in history.changes(git, base, head)],
        },
    )  # fmt: skip


def get_collaborator_permission(call: Call) -> Answer:
    """Answer with a person's permission in the repository."""
    repository, login = call.repository, call.arguments["username"]
    writes = login.lower() in (name.lower() for name in [repository.owner, *repository.collaborators])
    user = call.render.account(Account(login))
    permission = "write" if writes else "read"
    user["role_name"] = permission
    return Answer(200, {"permission": permission, "role_name": permission, "user": user})


def required_commit(call: Call, name: str) -> str:
    """Resolve a commit or branch; 422 when there is none, 409 when the repository is empty."""
    if call.repository.is_empty():
        raise ApiError(409, "Git Repository is empty.")
    found = call.repository.find_commit(name)
    if found is None:
        raise unprocessable(f"No commit found for SHA: {name}")
    return found


_REPO = "/repos/{owner}/{repo}"
ROUTES = (
    ApiRoute("repos/get", "GET", _REPO, get_repo, "metadata:read"),
    ApiRoute("repos/list-branches", "GET", f"{_REPO}/branches", list_branches, "contents:read"),
    ApiRoute("repos/get-branch", "GET", f"{_REPO}/branches/{{branch:.+}}", get_branch, "contents:read"),
    ApiRoute("repos/list-commits", "GET", f"{_REPO}/commits", list_commits, "contents:read", ("sha",)),
    ApiRoute("repos/compare-commits", "GET", f"{_REPO}/compare/{{basehead:.+}}", compare, "contents:read"),
    ApiRoute(
        "repos/get-collaborator-permission-level", "GET", f"{_REPO}/collaborators/{{username}}/permission",
        get_collaborator_permission, "metadata:read",
    ),
    # Last, because the name may contain slashes: `checks` has the longer paths below a commit.
    ApiRoute("repos/get-commit", "GET", f"{_REPO}/commits/{{ref:.+}}", get_commit, "contents:read"),
)  # fmt: skip
