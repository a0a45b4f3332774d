"""What a repository holds at one commit: every path, and the contents that are asked for, without a clone."""

import base64
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from github.GitTree import GitTree
from github.Repository import Repository

from bot.integrations.errors import Permanent
from bot.integrations.github_errors import asking_github
from bot.integrations.patches import REGULAR_MODES, TreeEntry

MAX_TREE_REQUESTS = 200


class File(NamedTuple):
    """A regular file: its mode as git writes it, and what is in it."""

    mode: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Files:
    """The paths of all regular files, and those files that were chosen."""

    paths: tuple[str, ...]
    chosen: dict[str, File]


def read_files(repository: Repository, commit_sha: str, choose: Callable[[Sequence[str]], Sequence[str]]) -> Files:
    """List a commit's files and read those that `choose` picks of their paths; what it raises comes out."""
    with asking_github(f"show the files of {repository.full_name}"):
        commit = repository.get_git_commit(commit_sha)
        tree = repository.get_git_tree(commit.tree.sha, recursive=True)
        regular = {entry.path: entry for entry in entries(repository, tree) if entry.mode in REGULAR_MODES}
    chosen = [regular[path] for path in choose(list(regular))]
    return Files(tuple(regular), {entry.path: File(entry.mode, read_blob(repository, entry.sha)) for entry in chosen})


def read_blob(repository: Repository, sha: str) -> bytes:
    """The content of one blob."""
    with asking_github(f"show the files of {repository.full_name}"):
        blob = repository.get_git_blob(sha)
        return base64.b64decode(blob.content) if blob.encoding == "base64" else blob.content.encode()


def entries(repository: Repository, tree: GitTree) -> Iterator[TreeEntry]:
    """All rows of a recursive listing. One that GitHub cut short is read again directory by directory."""
    pending = [("", tree)]
    requests = 0
    while pending:
        prefix, tree = pending.pop()
        whole = not tree.truncated
        if not whole:
            tree = repository.get_git_tree(tree.sha)
        for row in tree.tree:
            if row.type == "tree" and not whole:
                requests += 1
                if requests > MAX_TREE_REQUESTS or tree.truncated:
                    raise Permanent("The repository has too many files for GitHub to list", code="too_many_files")
                pending.append((f"{prefix}{row.path}/", repository.get_git_tree(row.sha, recursive=True)))
            else:
                yield TreeEntry(row.mode, row.type, row.sha, prefix + row.path)
