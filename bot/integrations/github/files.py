"""What a repository holds at one commit: every path, and the contents that are asked for, without a clone."""

import base64
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from github.GitTree import GitTree
from github.Repository import Repository

from bot.integrations.errors import Permanent
from bot.integrations.git.patches import REGULAR_MODES, TreeEntry
from bot.integrations.github.errors import asking_github

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


def entries(
    repository: Repository, tree: GitTree, wanted: Callable[[], Collection[str]] | None = None
) -> Iterator[TreeEntry]:
    """All rows of a recursive listing. One that GitHub cut short is read again, folder by folder.

    With `wanted`, which gives the paths that matter, only the folders on the way to them are opened then; the others
    are rows without anything below them.
    """
    if tree.truncated:
        yield from _walk(repository, tree.sha, _folders(wanted()) if wanted else None)
    else:
        for row in tree.tree:
            yield TreeEntry(row.mode, row.type, row.sha, row.path)


def _walk(repository: Repository, root: str, needed: frozenset[str] | None) -> Iterator[TreeEntry]:
    """The rows below the tree `root`, those of the `needed` folders alone; None: of all, each in one listing if it can.

    Raises `Permanent` for more listings than a repository is worth, and for a folder too long for one.
    """
    pending, requests = [("", root, False)], 0
    while pending:
        prefix, sha, deep = pending.pop()
        requests += 1
        level = repository.get_git_tree(sha, recursive=deep)
        if requests > MAX_TREE_REQUESTS or (level.truncated and not deep):
            raise Permanent("The repository has too many files for GitHub to list", code="too_many_files")
        if level.truncated:
            pending.append((prefix, sha, False))
            continue
        for row in level.tree:
            path = prefix + row.path
            yield TreeEntry(row.mode, row.type, row.sha, path)
            if row.type == "tree" and not deep and (needed is None or path in needed):
                pending.append((f"{path}/", row.sha, needed is None))


def _folders(paths: Collection[str]) -> frozenset[str]:
    """Every folder on the way to the paths."""
    return frozenset(path[:at] for path in paths for at, character in enumerate(path) if character == "/")
