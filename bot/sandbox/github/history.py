"""The changes between two commits of a bare repository, and whether they merge; computed by git."""

import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bot.sandbox.github.git import BareRepository, GitCommandError

_STATUS = {"A": "added", "D": "removed", "M": "modified", "R": "renamed", "C": "copied", "T": "changed"}
_FILE_HEADER = re.compile(r"^diff --git ", re.MULTILINE)


@dataclass(frozen=True)
class FileChange:
    """One changed file; `patch` contains only the hunks and is None for a binary file."""

    path: str
    previous_path: str | None
    status: str
    sha: str
    additions: int
    deletions: int
    patch: str | None


def merge_base(git: BareRepository, base: str, head: str) -> str | None:
    """Return the best common ancestor; None when the two share no history."""
    try:
        return git.text("merge-base", base, head)
    except GitCommandError:
        return None


def is_ancestor(git: BareRepository, old: str, new: str) -> bool:
    """Whether `old` is an ancestor of `new`, or the same commit."""
    return merge_base(git, old, new) == old


def commits_between(git: BareRepository, base: str, head: str) -> list[str]:
    """List the commits reachable from head but not from base, oldest first."""
    return git.text("rev-list", "--reverse", "--topo-order", head, f"^{base}").split()


def diff(git: BareRepository, base: str, head: str) -> str:
    """Return the unified diff from the common ancestor to head (from base when there is none)."""
    return git.run("diff", "--no-color", "--no-ext-diff", "-M", _start(git, base, head), head).decode(errors="replace")


def diffstat(git: BareRepository, base: str, head: str) -> str:
    """Return `git diff --stat` for the same range as `diff`."""
    return git.text("diff", "--no-color", "--stat", "-M", _start(git, base, head), head)


def changes(git: BareRepository, base: str, head: str) -> list[FileChange]:
    """List the changed files for the same range as `diff`, in path order."""
    start = _start(git, base, head)
    raw = iter(git.run("diff", "--raw", "-z", "--no-abbrev", "-M", start, head).decode(errors="replace").split("\0"))
    numbers = _numstat(git.run("diff", "--numstat", "-z", "-M", start, head).decode(errors="replace"))
    hunks = _FILE_HEADER.split(diff(git, base, head))[1:]
    found = []
    for line, (added, deleted), text in zip(_rows(raw), numbers, hunks, strict=True):
        letter, old_sha, new_sha, old_path, path = line
        first = text.find("\n@@ ")
        found.append(
            FileChange(
                path=path,
                previous_path=old_path if old_path != path else None,
                status=_STATUS.get(letter, "changed"),
                sha=old_sha if letter == "D" else new_sha,
                additions=added,
                deletions=deleted,
                patch=text[first + 1 :].rstrip("\n") if first >= 0 else None,
            )
        )
    return found


def merged_tree(git: BareRepository, base: str, head: str) -> str | None:
    """Return the tree of merging head into base; None when they conflict or share no history."""
    ancestor = merge_base(git, base, head)
    if ancestor is None:
        return None
    patch = git.run("diff", "--binary", "--full-index", "--no-renames", ancestor, head)
    if not patch:
        return git.tree_of(base)
    with tempfile.TemporaryDirectory(prefix="sandbox-merge-") as scratch:
        index = Path(scratch) / "index"
        git.run("read-tree", base, index=index)
        try:
            git.run("apply", "--cached", "--3way", "--whitespace=nowarn", "-", stdin=patch, index=index)
            return git.text("write-tree", index=index)
        except GitCommandError:
            return None


def _start(git: BareRepository, base: str, head: str) -> str:
    return merge_base(git, base, head) or base


def _rows(fields: Iterator[str]) -> list[tuple[str, str, str, str, str]]:
    rows = []
    for meta in fields:
        if not meta:
            break
        _, _, old_sha, new_sha, letter = meta.split(" ")
        old_path = next(fields)
        path = next(fields) if letter[0] in "RC" else old_path
        rows.append((letter[0], old_sha, new_sha, old_path, path))
    return rows


def _numstat(output: str) -> list[tuple[int, int]]:
    counts = []
    fields = iter(output.split("\0"))
    for row in fields:
        if not row:
            break
        added, deleted, path = row.split("\t", 2)
        if not path:  # a rename: the two paths follow as separate fields
            next(fields)
            next(fields)
        counts.append((0, 0) if added == "-" else (int(added), int(deleted)))
    return counts
