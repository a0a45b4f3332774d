"""GitHub's JSON answers. Every address in them starts with the address that the caller used."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.sandbox.github.errors import Json
from bot.sandbox.github.git import Commit, Signature, TreeRow
from bot.sandbox.github.history import FileChange
from bot.sandbox.github.model import Account, CheckRun, Comment, CommitStatus, Issue, Label, Pull
from bot.sandbox.github.repository import Repository

# The addresses around a repository and an account; most of them lead nowhere.
_REPOSITORY_PATHS = {
    "archive_url": "/{archive_format}{/ref}", "assignees_url": "/assignees{/user}", "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}", "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}", "commits_url": "/commits{/sha}", "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}", "contributors_url": "/contributors", "deployments_url": "/deployments",
    "downloads_url": "/downloads", "events_url": "/events", "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}", "git_refs_url": "/git/refs{/sha}", "git_tags_url": "/git/tags{/sha}",
    "hooks_url": "/hooks", "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}", "issues_url": "/issues{/number}", "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}", "languages_url": "/languages", "merges_url": "/merges",
    "milestones_url": "/milestones{/number}", "notifications_url": "/notifications{?since,all,participating}",
    "pulls_url": "/pulls{/number}", "releases_url": "/releases{/id}", "stargazers_url": "/stargazers",
    "statuses_url": "/statuses/{sha}", "subscribers_url": "/subscribers", "subscription_url": "/subscription",
    "tags_url": "/tags", "teams_url": "/teams", "trees_url": "/git/trees{/sha}",
}  # fmt: skip
_ACCOUNT_PATHS = {
    "events_url": "/events{/privacy}", "followers_url": "/followers", "following_url": "/following{/other_user}",
    "gists_url": "/gists{/gist_id}", "organizations_url": "/orgs", "received_events_url": "/received_events",
    "repos_url": "/repos", "starred_url": "/starred{/owner}{/repo}", "subscriptions_url": "/subscriptions",
}  # fmt: skip

BORN = "2026-01-01T00:00:00Z"
"""The creation time of everything for which the stand-in stores no time."""


def instant(moment: datetime | None) -> str | None:
    """Write a time as GitHub does: UTC, whole seconds, Z."""
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def node_id(kind: str, key: object) -> str:
    """Build an opaque id, as GitHub's GraphQL uses them."""
    return base64.b64encode(f"{kind}:{key}".encode()).decode()


@dataclass(frozen=True)
class Renderer:
    """Renders everything in one repository; `root` is the stand-in's own address without a final slash."""

    root: str
    repository: Repository

    @property
    def url(self) -> str:
        """The repository's address in the API."""
        return f"{self.root}/repos/{self.repository.full_name}"

    @property
    def html_url(self) -> str:
        """The repository's address for people."""
        return f"{self.root}/{self.repository.full_name}"

    def account(self, account: Account) -> Json:
        """Render a user as part of another object."""
        return account_json(self.root, account)

    def repo(self) -> Json:
        """Render the repository."""
        it = self.repository
        open_issues = self._open_issues()
        return {name: self.url + path for name, path in _REPOSITORY_PATHS.items()} | {
            "id": it.id, "node_id": node_id("Repository", it.id), "name": it.name, "full_name": it.full_name,
            "owner": self.account(Account(it.owner, "Organization")), "private": True, "visibility": "private",
            "html_url": self.html_url, "url": self.url, "description": None, "fork": False, "archived": False,
            "disabled": False, "default_branch": it.default_branch, "clone_url": f"{self.html_url}.git",
            "git_url": str(it.git.git_dir), "has_issues": True, "open_issues_count": open_issues,
            "open_issues": open_issues, "has_projects": False, "has_wiki": False, "has_pages": False,
            "has_discussions": False, "has_downloads": True, "homepage": None, "topics": [], "language": None,
            "mirror_url": None, "license": None, "size": 1, "forks": 0, "forks_count": 0, "stargazers_count": 0,
            "watchers": 0, "watchers_count": 0, "network_count": 0, "subscribers_count": 0, "created_at": BORN,
            "updated_at": BORN, "pushed_at": BORN, "ssh_url": f"{self.html_url}.git", "svn_url": self.html_url,
            "allow_merge_commit": True, "allow_squash_merge": True, "allow_rebase_merge": False,
            "allow_auto_merge": it.allow_auto_merge, "delete_branch_on_merge": False,
            "permissions": {"admin": False, "maintain": False, "push": True, "triage": True, "pull": True},
        }  # fmt: skip

    def _open_issues(self) -> int:
        return sum(issue.state == "open" for issue in list(self.repository.records.issues.values()))

    # The git database

    def ref(self, name: str, sha: str) -> Json:
        """Render a reference by its full name."""
        kind = self.repository.git.kind(sha) or "commit"
        return {
            "ref": name, "node_id": node_id("Ref", f"{self.repository.id}:{name}"),
            "url": f"{self.url}/git/{name}",
            "object": {"type": kind, "sha": sha, "url": f"{self.url}/git/{kind}s/{sha}"},
        }  # fmt: skip

    def tree(self, sha: str, entries: Iterable[TreeRow], *, truncated: bool) -> Json:
        """Render a tree and its rows."""
        rows = []
        for entry in entries:
            row: Json = {"path": entry.path, "mode": entry.mode, "type": entry.kind, "sha": entry.sha}
            if entry.size is not None:
                row["size"] = entry.size
            if entry.kind != "commit":
                row["url"] = f"{self.url}/git/{entry.kind}s/{entry.sha}"
            rows.append(row)
        return {"sha": sha, "url": f"{self.url}/git/trees/{sha}", "tree": rows, "truncated": truncated}

    def blob(self, sha: str, content: bytes) -> Json:
        """Render a blob in base64, in lines as GitHub sends it."""
        return {
            "sha": sha, "node_id": node_id("Blob", sha), "size": len(content), "encoding": "base64",
            "url": f"{self.url}/git/blobs/{sha}", "content": base64.encodebytes(content).decode(),
        }  # fmt: skip

    def git_commit(self, commit: Commit) -> Json:
        """Render a commit of the git database."""
        return {
            "sha": commit.sha, "node_id": node_id("Commit", commit.sha),
            "url": f"{self.url}/git/commits/{commit.sha}", "html_url": f"{self.html_url}/commit/{commit.sha}",
            "author": _signature(commit.author), "committer": _signature(commit.committer),
            "message": commit.message,
            "tree": {"sha": commit.tree, "url": f"{self.url}/git/trees/{commit.tree}"},
            "parents": [
                {"sha": parent, "url": f"{self.url}/git/commits/{parent}",
                 "html_url": f"{self.html_url}/commit/{parent}"}
                for parent in commit.parents
            ],
            "verification": {"verified": False, "reason": "unsigned", "signature": None, "payload": None,
                             "verified_at": None},
        }  # fmt: skip

    def commit(self, commit: Commit) -> Json:
        """Render a commit of the repository's history."""
        inner = self.git_commit(commit)
        return {
            "sha": commit.sha, "node_id": inner["node_id"], "url": f"{self.url}/commits/{commit.sha}",
            "html_url": inner["html_url"], "comments_url": f"{self.url}/commits/{commit.sha}/comments",
            "commit": {key: inner[key] for key in ("url", "author", "committer", "message", "tree", "verification")}
            | {"comment_count": 0},
            "author": None, "committer": None,
            "parents": [
                {"sha": parent, "url": f"{self.url}/commits/{parent}", "html_url": f"{self.html_url}/commit/{parent}"}
                for parent in commit.parents
            ],
        }  # fmt: skip

    def branch(self, name: str, sha: str) -> Json:
        """Render a branch as in a list."""
        return {
            "name": name, "commit": {"sha": sha, "url": f"{self.url}/commits/{sha}"}, "protected": False,
            "protection": {"enabled": False}, "protection_url": f"{self.url}/branches/{name}/protection",
        }  # fmt: skip

    def file(self, change: FileChange, head: str) -> Json:
        """Render one changed file."""
        shown: Json = {
            "sha": change.sha, "filename": change.path, "status": change.status, "additions": change.additions,
            "deletions": change.deletions, "changes": change.additions + change.deletions,
            "blob_url": f"{self.html_url}/blob/{head}/{change.path}",
            "raw_url": f"{self.html_url}/raw/{head}/{change.path}",
            "contents_url": f"{self.url}/contents/{change.path}?ref={head}",
        }  # fmt: skip
        if change.patch is not None:
            shown["patch"] = change.patch
        if change.previous_path is not None:
            shown["previous_filename"] = change.previous_path
        return shown

    # Issues and pull requests

    def label(self, label: Label) -> Json:
        """Render a label."""
        return {
            "id": label.id, "node_id": node_id("Label", label.id), "url": f"{self.url}/labels/{label.name}",
            "name": label.name, "color": label.color, "default": False, "description": label.description,
        }  # fmt: skip

    def comment(self, issue: Issue, comment: Comment) -> Json:
        """Render a comment."""
        return {
            "id": comment.id, "node_id": node_id("IssueComment", comment.id), "body": comment.body,
            "url": f"{self.url}/issues/comments/{comment.id}", "issue_url": f"{self.url}/issues/{issue.number}",
            "html_url": f"{self._page(issue)}#issuecomment-{comment.id}", "user": self.account(comment.author),
            "created_at": instant(comment.created_at), "updated_at": instant(comment.created_at),
        }  # fmt: skip

    def issue(self, issue: Issue) -> Json:
        """Render an issue, or a pull request as an issue."""
        shown = self._thread(issue) | {
            "url": f"{self.url}/issues/{issue.number}", "repository_url": self.url, "state_reason": None,
            "labels_url": f"{self.url}/issues/{issue.number}/labels{{/name}}", "comments": len(issue.comments),
            "comments_url": f"{self.url}/issues/{issue.number}/comments",
            "events_url": f"{self.url}/issues/{issue.number}/events",
            "closed_by": None if issue.closed_by is None else self.account(issue.closed_by),
        }  # fmt: skip
        if isinstance(issue, Pull):
            pull = f"{self.url}/pulls/{issue.number}"
            page = self._page(issue)
            shown["pull_request"] = {
                "url": pull, "html_url": page, "diff_url": f"{page}.diff", "patch_url": f"{page}.patch",
                "merged_at": instant(issue.merged_at),
            }  # fmt: skip
        return shown

    def pull(self, pull: Pull) -> Json:
        """Render a pull request as in a list."""
        url, issue_url, page = f"{self.url}/pulls/{pull.number}", f"{self.url}/issues/{pull.number}", self._page(pull)
        addresses = {
            "self": url, "html": page, "issue": issue_url, "comments": f"{issue_url}/comments",
            "commits": f"{url}/commits", "statuses": f"{self.url}/statuses/{pull.head_sha}",
            "review_comments": f"{url}/comments", "review_comment": f"{self.url}/pulls/comments{{/number}}",
        }  # fmt: skip
        return self._thread(pull) | {
            "url": url, "diff_url": f"{page}.diff", "patch_url": f"{page}.patch", "issue_url": issue_url,
            "comments_url": f"{issue_url}/comments", "commits_url": f"{url}/commits",
            "statuses_url": addresses["statuses"], "review_comments_url": f"{url}/comments",
            "review_comment_url": f"{self.url}/pulls/comments{{/number}}",
            "merged_at": instant(pull.merged_at), "merge_commit_sha": pull.merge_commit_sha, "draft": pull.draft,
            "requested_reviewers": [self.account(account) for account in pull.reviewers],
            "requested_teams": [self.team(slug) for slug in pull.teams],
            "head": self._side(pull.head_ref, pull.head_sha), "base": self._side(pull.base_ref, pull.base_sha),
            "auto_merge": self._auto_merge(pull),
            "_links": {name: {"href": address} for name, address in addresses.items()},
        }  # fmt: skip

    def _auto_merge(self, pull: Pull) -> Json | None:
        if pull.auto_merge is None:
            return None
        by = self.account(pull.auto_merge_by or pull.author)
        return {
            "enabled_by": by, "merge_method": pull.auto_merge.lower(), "commit_title": "", "commit_message": "",
        }  # fmt: skip

    def pull_in_full(self, pull: Pull, commits: int, files: list[FileChange], *, state: str) -> Json:
        """Render a single pull request; `state` is GitHub's `mergeable_state`."""
        mergeable = None if state == "unknown" else state != "dirty"
        return self.pull(pull) | {
            "merged": pull.merged, "mergeable": mergeable, "rebaseable": mergeable, "mergeable_state": state,
            "merged_by": None if pull.merged_by is None else self.account(pull.merged_by),
            "comments": len(pull.comments), "review_comments": 0, "commits": commits,
            "maintainer_can_modify": pull.maintainer_can_modify, "changed_files": len(files),
            "additions": sum(change.additions for change in files),
            "deletions": sum(change.deletions for change in files),
        }  # fmt: skip

    def team(self, slug: str) -> Json:
        """Render a team."""
        url = f"{self.root}/orgs/{self.repository.owner}/teams/{slug}"
        return {
            "id": Account(slug).id, "node_id": node_id("Team", slug), "url": url, "name": slug, "slug": slug,
            "html_url": url, "members_url": f"{url}/members{{/member}}",
            "repositories_url": f"{url}/repos", "description": None, "permission": "push", "parent": None,
            "type": "organization",
        }  # fmt: skip

    def _page(self, issue: Issue) -> str:
        return f"{self.html_url}/{'pull' if isinstance(issue, Pull) else 'issues'}/{issue.number}"

    def _thread(self, issue: Issue) -> Json:
        return {
            "id": issue.id, "node_id": node_id(type(issue).__name__, issue.id), "number": issue.number,
            "html_url": self._page(issue), "state": issue.state, "locked": False, "title": issue.title,
            "body": issue.body, "user": self.account(issue.author), "created_at": instant(issue.created_at),
            "updated_at": instant(issue.updated_at), "closed_at": instant(issue.closed_at),
            "labels": [self.label(label) for label in issue.labels], "assignee": None, "assignees": [],
            "milestone": None, "author_association": "CONTRIBUTOR", "active_lock_reason": None,
        }  # fmt: skip

    def _side(self, ref: str, sha: str) -> Json:
        owner = self.repository.owner
        user = self.account(Account(owner, "Organization"))
        return {"label": f"{owner}:{ref}", "ref": ref, "sha": sha, "user": user, "repo": self.repo()}

    # Statuses and check runs

    def status(self, status: CommitStatus, sha: str) -> Json:
        """Render a commit status."""
        return {
            "id": status.id, "node_id": node_id("StatusContext", status.id), "state": status.state,
            "url": f"{self.url}/statuses/{sha}", "context": status.context, "target_url": status.target_url,
            "description": status.description, "creator": self.account(status.author),
            "avatar_url": None,
            "created_at": instant(status.created_at), "updated_at": instant(status.created_at),
        }  # fmt: skip

    def check_run(self, run: CheckRun) -> Json:
        """Render a check run."""
        url = f"{self.url}/check-runs/{run.id}"
        return {
            "id": run.id, "node_id": node_id("CheckRun", run.id), "name": run.name, "head_sha": run.head_sha,
            "url": url, "html_url": f"{self.html_url}/runs/{run.id}",
            "details_url": run.details_url or f"{self.html_url}/runs/{run.id}",
            "external_id": run.external_id or "", "status": run.status, "conclusion": run.conclusion,
            "started_at": instant(run.started_at), "completed_at": instant(run.completed_at), "pull_requests": [],
            "check_suite": {"id": run.id}, "app": None,
            "output": run.output | {"annotations_count": 0, "annotations_url": f"{url}/annotations"},
        }  # fmt: skip


def account_json(root: str, account: Account) -> Json:
    """Render a user, machine account or organisation."""
    url = f"{root}/users/{account.login}"
    return {name: url + path for name, path in _ACCOUNT_PATHS.items()} | {
        "login": account.login, "id": account.id, "node_id": node_id("User", account.id), "type": account.kind,
        "url": url, "html_url": f"{root}/{account.login}", "site_admin": False, "avatar_url": "", "gravatar_id": "",
    }  # fmt: skip


def _signature(signature: Signature) -> Json:
    return {"name": signature.name, "email": signature.email, "date": instant(signature.date)}
