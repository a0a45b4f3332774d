"""Reads the base of a patch, and decides whether the patch still means what people saw."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from github.GitCommit import GitCommit
from github.GitTree import GitTree
from github.Repository import Repository

from bot.domain.base import Base, BaseFile
from bot.integrations.git.patch_headers import shown as printable
from bot.integrations.git.patches import PatchedTree, PathPolicy, TreeEntry, touched_paths
from bot.integrations.github.errors import asking_github
from bot.integrations.github.files import entries


class NotAsShown(Exception):
    """The base moved, and the patch to these files (printable paths) may not be what people saw; nothing was pushed."""

    def __init__(self, base: Base, paths: tuple[str, ...]) -> None:
        super().__init__(paths)
        self.base = base
        self.paths = paths


class BaseTree(NamedTuple):
    """The commit to apply a diff to, and its files (in a repository too large to list: those around the diff)."""

    commit: GitCommit
    tree: GitTree
    files: list[TreeEntry]


def read_tree(repository: Repository, sha: str, diff: str, policy: PathPolicy) -> BaseTree:
    """A commit with the files that the diff may touch."""
    with asking_github(f"show the files of {repository.full_name}"):
        commit = repository.get_git_commit(sha)
        tree = repository.get_git_tree(commit.tree.sha, recursive=True)
        return BaseTree(commit, tree, list(entries(repository, tree, partial(touched_paths, diff, policy))))


def named_files(base: BaseTree, paths: tuple[str, ...]) -> Base:
    """The state of these paths in a base. A folder counts as no file."""
    wanted = set(paths)
    found = {row.path: BaseFile(row.mode, row.sha) for row in base.files if row.type != "tree" and row.path in wanted}
    return Base(base.commit.sha, {path: found.get(path) for path in paths})


def require_shown(base: BaseTree, change: PatchedTree, seen: Base | None) -> None:
    """Raise NotAsShown unless each touched file is as in `seen`, or is new, or has one possible place for each hunk.

    `seen` is the base that was read when the review was shown; None: it was not read in time.
    """
    now = named_files(base, change.touched)
    unclear = tuple(
        printable(path)
        for path, file in now.files.items()
        if not (file is None or path in change.placed or (seen is not None and seen.has(path, file)))
    )
    if unclear:
        raise NotAsShown(now, unclear)
