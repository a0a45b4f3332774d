"""One repository: a bare git repository and the issues, pull requests and checks about it.

Invariant: an open pull request's head is its branch's head; deleting a branch closes its pull requests.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pydantic import TypeAdapter

from bot.sandbox.github import history
from bot.sandbox.github.errors import ApiError, not_found, unprocessable, validation_failed
from bot.sandbox.github.git import SHA, BareRepository, GitCommandError, Signature, write_files
from bot.sandbox.github.model import Account, Issue, Label, Pull, Records, now

HEADS = "refs/heads/"
_RECORDS = TypeAdapter(Records)


@dataclass
class Repository:
    """The state of `owner/name`; `next_id` gives the numbers that are unique across repositories."""

    owner: str
    name: str
    git: BareRepository
    default_branch: str
    next_id: Callable[[], int]
    id: int
    collaborators: list[str] = field(default_factory=list)
    teams: list[str] = field(default_factory=list)
    records: Records = field(default_factory=Records)
    allow_auto_merge: bool = False
    required_checks: list[str] = field(default_factory=list)
    """Names of the check runs and statuses that a merge into the default branch needs."""

    @property
    def full_name(self) -> str:
        """`owner/name`."""
        return f"{self.owner}/{self.name}"

    def save(self) -> None:
        """Write the records beside the git directory, atomically."""
        path = self.git.git_dir.with_suffix(".json")
        written = path.with_suffix(".json.new")
        written.write_bytes(_RECORDS.dump_json(self.records))
        written.replace(path)

    def restore(self) -> None:
        """Load the records that an earlier run saved, if any."""
        path = self.git.git_dir.with_suffix(".json")
        if path.exists():
            self.records = _RECORDS.validate_json(path.read_bytes())

    # Commits and branches

    def branches(self) -> dict[str, str]:
        """Map each branch name to the sha of its head."""
        return {name.removeprefix(HEADS): sha for name, sha in self.git.refs(HEADS).items()}

    def head(self, branch: str) -> str | None:
        """Return the head of a branch; None when there is no such branch."""
        return self.git.ref(HEADS + branch)

    def is_empty(self) -> bool:
        """Whether there is no branch."""
        return not self.git.refs(HEADS)

    def find_commit(self, name: str) -> str | None:
        """Resolve a commit sha, a full or short reference name, or a branch or tag name to a commit."""
        if SHA.fullmatch(name):
            return name if self.git.kind(name) == "commit" else None
        refs = self.git.refs()
        for candidate in (name, f"refs/{name}", HEADS + name, f"refs/tags/{name}"):
            if candidate in refs:
                return self.git.text("rev-parse", f"{refs[candidate]}^{{commit}}")
        return self.head(self.default_branch) if name == "HEAD" else None

    def commit_files(self, branch: str, files: Mapping[str, bytes | None], author: Account, message: str) -> str:
        """Commit whole files (None removes one) to a branch; a new branch starts from the default one."""
        parent = self.head(branch) or self.head(self.default_branch)
        tree = write_files(self.git, self.git.tree_of(parent) if parent else None, files)
        signature = Signature(author.login, f"{author.login}@users.noreply.example", now())
        sha = self.git.write_commit(tree, [parent] if parent else [], signature, signature, message)
        self._point(HEADS + branch, sha)
        return sha

    # References

    def create_ref(self, name: str, sha: str) -> None:
        """Create a reference by its full name."""
        if not name.startswith("refs/") or name.count("/") < 2:
            raise unprocessable("Reference name must contain at least three slash-separated components.")
        if not self.git.well_formed(name):
            raise unprocessable(f"{name} is not a valid ref name.")
        self._require_commit(name, sha)
        if self.git.ref(name) is not None:
            raise unprocessable("Reference already exists")
        self._point(name, sha)

    def update_ref(self, name: str, sha: str, *, force: bool) -> None:
        """Move an existing reference; only forwards unless forced."""
        old = self.git.ref(name)
        if old is None:
            raise unprocessable("Reference does not exist")
        self._require_commit(name, sha)
        if not force and not history.is_ancestor(self.git, old, sha):
            raise unprocessable("Update is not a fast forward")
        self._point(name, sha)

    def delete_ref(self, name: str, by: Account) -> None:
        """Remove a reference and close its open pull requests."""
        if self.git.ref(name) is None:
            raise unprocessable("Reference does not exist")
        if name == HEADS + self.default_branch:
            raise unprocessable("Cannot delete the default branch")
        self.git.delete_ref(name)
        for pull in self.pulls():
            if pull.state == "open" and name in (HEADS + pull.head_ref, HEADS + pull.base_ref):
                self._close(pull, by)

    def _require_commit(self, name: str, sha: str) -> None:
        if not SHA.fullmatch(sha):
            raise unprocessable("The sha parameter must be exactly 40 characters and contain only [0-9a-f].")
        kind = self.git.kind(sha)
        if kind is None:
            raise unprocessable("Object does not exist")
        if name.startswith(HEADS) and kind != "commit":
            raise unprocessable("Reference update failed")

    def _point(self, name: str, sha: str) -> None:
        try:
            self.git.set_ref(name, sha, old=self.git.ref(name))
        except GitCommandError as error:  # a branch `a` and a branch `a/b` cannot both exist
            raise unprocessable("Reference update failed") from error
        for pull in self.pulls():
            if pull.state == "open" and name == HEADS + pull.head_ref and pull.head_sha != sha:
                pull.head_sha, pull.updated_at = sha, now()
                pull.base_sha = self.head(pull.base_ref) or pull.base_sha

    # Issues and pull requests

    def next_number(self) -> int:
        """Return the number of the next issue or pull request; they share one sequence."""
        return max(self.records.issues, default=0) + 1

    def pulls(self) -> list[Pull]:
        """List every pull request, oldest first."""
        return [issue for issue in list(self.records.issues.values()) if isinstance(issue, Pull)]

    def pull(self, number: int) -> Pull:
        """Return one pull request; 404 when there is none with this number."""
        found = self.records.issues.get(number)
        if not isinstance(found, Pull):
            raise not_found()
        return found

    def open_pull(
        self, *, author: Account, title: str, body: str | None, head: str, base: str, draft: bool, modifiable: bool
    ) -> Pull:
        """Open a pull request; `head` is a branch or `owner:branch` of this repository."""
        _check_text(title, body, "PullRequest")
        owner, _, branch = head.rpartition(":")
        head_sha = self.head(branch) if owner.lower() in ("", self.owner.lower()) else None
        base_sha = self.head(base)
        if base_sha is None:
            raise validation_failed("PullRequest", "invalid", field="base")
        if head_sha is None:
            raise validation_failed("PullRequest", "invalid", field="head")
        if any(p.state == "open" and p.head_ref == branch and p.base_ref == base for p in self.pulls()):
            sentence = f"A pull request already exists for {self.owner}:{branch}."
            raise validation_failed("PullRequest", "custom", message=sentence)
        self._require_difference(base, base_sha, branch, head_sha)
        number = self.next_number()
        pull = Pull(
            id=self.next_id(), number=number, author=author, title=title, body=body, head_ref=branch,
            head_sha=head_sha, base_ref=base, base_sha=base_sha, draft=draft, maintainer_can_modify=modifiable,
        )  # fmt: skip
        self.records.issues[number] = pull
        return pull

    def _require_difference(self, base: str, base_sha: str, branch: str, head_sha: str) -> None:
        ancestor = history.merge_base(self.git, base_sha, head_sha)
        if ancestor is None:
            sentence = f"The {self.owner}:{branch} branch has no history in common with {self.owner}:{base}"
        elif ancestor == head_sha:
            sentence = f"No commits between {base} and {branch}"
        else:
            return
        raise validation_failed("PullRequest", "custom", message=sentence)

    def edit_pull(
        self, pull: Pull, by: Account, *, title: str | None, body: str | None, state: str | None, base: str | None
    ) -> None:
        """Change the given fields of a pull request; nothing changes when one of them is refused."""
        _check_text(pull.title if title is None else title, body, "PullRequest")
        if state not in (None, "open", "closed"):
            raise validation_failed("PullRequest", "invalid", field="state")
        if base is not None and pull.state == "closed":
            sentence = "Cannot change the base branch of a closed pull request."
            raise validation_failed("PullRequest", "invalid", field="base", message=sentence)
        if base is not None and self.head(base) is None:
            raise validation_failed("PullRequest", "invalid", field="base")
        if state == "open" and pull.state == "closed":
            self._reopen(pull)
        elif state == "closed" and pull.state == "open":
            self._close(pull, by)
        pull.title, pull.body = title or pull.title, pull.body if body is None else body
        if base is not None:
            pull.base_ref, pull.base_sha = base, self.head(base) or pull.base_sha
        pull.updated_at = now()

    def _reopen(self, pull: Pull) -> None:
        head = self.head(pull.head_ref)
        if pull.merged:
            sentence = "state cannot be changed. The pull request cannot be reopened."
        elif head is None:
            sentence = f"state cannot be changed. The {pull.head_ref} branch has been deleted."
        elif head != pull.head_sha:
            sentence = f"state cannot be changed. The {pull.head_ref} branch was force-pushed or recreated."
        elif any(
            p.state == "open" and p.head_ref == pull.head_ref and p.base_ref == pull.base_ref for p in self.pulls()
        ):
            sentence = f"state cannot be changed. There is already an open pull request for {pull.head_ref}."
        else:
            pull.state, pull.closed_at, pull.closed_by = "open", None, None
            return
        raise validation_failed("PullRequest", "custom", field="state", message=sentence)

    def _close(self, issue: Issue, by: Account) -> None:
        issue.state, issue.closed_by = "closed", by
        issue.closed_at = issue.updated_at = now()

    def mergeable(self, pull: Pull) -> bool | None:
        """Whether the head currently merges into the base; None once the pull request is closed."""
        base = self.head(pull.base_ref)
        if pull.state == "closed" or base is None:
            return None
        return history.merged_tree(self.git, base, pull.head_sha) is not None

    def merge_state(self, pull: Pull) -> str:
        """Return GitHub's `mergeable_state`."""
        mergeable = self.mergeable(pull)
        if mergeable is None:
            return "unknown"
        if pull.draft:
            return "draft"
        return "dirty" if not mergeable else "blocked" if self._missing_checks(pull) else "clean"

    def _missing_checks(self, pull: Pull) -> set[str]:
        if pull.base_ref != self.default_branch:
            return set()
        newest = {status.context: status.state for status in self.records.statuses.get(pull.head_sha, [])}
        runs = [run for run in self.records.check_runs.values() if run.head_sha == pull.head_sha]
        newest |= {run.name: run.conclusion or run.status for run in runs}
        return {name for name in self.required_checks if newest.get(name) not in ("success", "neutral", "skipped")}

    def merge_pull(
        self, pull: Pull, by: Account, *, method: str = "merge", head: str | None = None, message: str | None = None
    ) -> str:
        """Merge by a merge commit or by squashing; return the new head of the base branch."""
        if head is not None and head != pull.head_sha:
            raise ApiError(409, "Head branch was modified. Review and try the merge again.")
        base = self.head(pull.base_ref)
        tree = None
        if pull.state == "open" and not pull.draft and base is not None:
            tree = history.merged_tree(self.git, base, pull.head_sha)
        if tree is None or base is None:
            raise ApiError(405, "Pull Request is not mergeable")
        if missing := self._missing_checks(pull):
            raise ApiError(405, f'Required status check "{min(missing)}" is expected.')
        if method not in ("merge", "squash"):
            raise ApiError(405, f"{method.capitalize()} merges are not allowed on this repository.")
        parents = [base, pull.head_sha] if method == "merge" else [base]
        title = f"Merge pull request #{pull.number} from {self.owner}/{pull.head_ref}"
        default = f"{title}\n\n{pull.title}" if method == "merge" else f"{pull.title} (#{pull.number})"
        signature = Signature(by.login, f"{by.login}@users.noreply.example", now())
        sha = self.git.write_commit(tree, parents, signature, signature, message or default)
        self._close(pull, by)
        pull.merged_at, pull.merged_by, pull.merge_commit_sha = pull.closed_at, by, sha
        self._point(HEADS + pull.base_ref, sha)
        return sha

    def request_reviews(self, pull: Pull, reviewers: list[str], teams: list[str]) -> None:
        """Request reviews from people and teams of this repository: all of them or none."""
        known = {login.lower(): login for login in [self.owner, *self.collaborators]}
        if pull.author.login.lower() in {login.lower() for login in reviewers}:
            raise unprocessable("Review cannot be requested from pull request author.")
        if any(login.lower() not in known for login in reviewers) or not set(teams) <= set(self.teams):
            raise unprocessable(
                "Reviews may only be requested from collaborators. One or more of the users or teams you specified"
                f" is not a collaborator of the {self.full_name} repository."
            )
        asked = [Account(known[login.lower()]) for login in reviewers]
        pull.reviewers += [account for account in dict.fromkeys(asked) if account not in pull.reviewers]
        pull.teams += [team for team in dict.fromkeys(teams) if team not in pull.teams]
        pull.updated_at = now()

    def label(self, name: str) -> Label:
        """Return the label with this name; create it if there is none."""
        if not name.strip() or len(name) > 50:
            raise validation_failed("Label", "invalid", field="name")
        return self.records.labels.setdefault(name.lower(), Label(self.next_id(), name))


def _check_text(title: str, body: str | None, resource: str) -> None:
    # GitHub's limits: 256 characters of title, 65 536 of body.
    if not title.strip():
        raise validation_failed(resource, "missing_field", field="title")
    for field_name, text, most in (("title", title, 256), ("body", body or "", 65536)):
        if len(text) > most:
            sentence = f"{field_name} is too long (maximum is {most} characters)"
            raise validation_failed(resource, "custom", field=field_name, message=sentence)
