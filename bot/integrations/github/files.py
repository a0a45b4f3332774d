"""Reads a repository at one commit without a clone: every path, and the contents of chosen files."""

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
    """A regular file: its mode as git writes it, and its content."""

    mode: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Files:
    """The paths of all regular files, and the chosen files."""

    paths: tuple[str, ...]
    chosen: dict[str, File]


def read_files(repository: Repository, commit_sha: str, choose: Callable[[Sequence[str]], Sequence[str]]) -> Files:
    """List a commit's files and read those that `choose` selects. Raises the exceptions of `choose`."""
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
    """All rows of a recursive listing. If GitHub truncated it, read it again folder by folder.

    With `wanted`, which returns the paths that matter, this opens only the folders that lead to them. The others are
    rows without their content.
    """
    if tree.truncated:
        yield from _walk(repository, tree.sha, _folders(wanted()) if wanted else None)
    else:
        for row in tree.tree:
            yield TreeEntry(row.mode, row.type, row.sha, row.path)


def _walk(repository: Repository, root: str, needed: frozenset[str] | None) -> Iterator[TreeEntry]:
    """The rows below the tree `root`, opening only `needed` folders; None opens all, with as few listings as possible.

    Raises `Permanent` when there would be too many listings, or when a folder is too long for one.
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
    """Every folder that leads to the paths."""
    return frozenset(path[:at] for path in paths for at, character in enumerate(path) if character == "/")
