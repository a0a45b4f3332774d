"""Applies a unified diff to a tree as git does.

A diff applies completely and exactly, or it is refused with a sentence. Nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from bot.integrations.errors import Permanent, VendorError
from bot.integrations.git.command import (
    GitError,
    IndexEntry,
    ScratchRepository,
    git_failed,
    scratch_repository,
    tree_sha,
)
from bot.integrations.git.patch_headers import Headers, malformed, read_headers, shown
from bot.integrations.git.places import placed, read_hunks

REGULAR_MODES = frozenset({"100644", "100755"})
MAX_PATH_BYTES = 4096
"""The longest path that common systems can check out (PATH_MAX)."""
MISMATCH = re.compile(
    r"(?P<path>.+): (?P<what>patch does not apply|(?:already exists|does not exist|does not match) in(?: the)? index"
    r"|wrong type|has type \d+, expected \d+|.*removal patch leaves file contents)"
)
MACHINE = re.compile(r"unable to (?:create temporary|write)|No space left|insufficient permission")
"""Git's messages when the disk is at fault, not the patch."""


class TreeEntry(NamedTuple):
    """One row of a recursive tree listing, as GitHub gives it."""

    mode: str
    type: str
    """`blob`, `tree` or `commit` (a submodule)."""
    sha: str
    path: str


@dataclass(frozen=True, slots=True)
class PathPolicy:
    """What a patch may touch. It may never touch `.git`, paths outside the repository, symlinks and submodules."""

    allow_workflows: bool = False
    """Whether files in `.github/workflows` may change: they run with the repository's secrets."""
    max_files: int = 300
    max_diff_bytes: int = 1 << 20
    max_result_bytes: int = 32 << 20
    """All new contents together: as much as one API client can reasonably upload."""


class ChangedFile(NamedTuple):
    """One path whose content or mode the patch changes; a rename is a deletion and a new file."""

    path: str
    mode: str
    """The new mode, or the old one of a deleted file."""
    sha: str | None
    """The new blob's sha, None when the file is deleted."""
    content: bytes | None
    """The new content, None when the file is deleted."""


@dataclass(frozen=True, slots=True)
class PatchedTree:
    """A tree after a patch."""

    entries: tuple[ChangedFile, ...]
    tree_sha: str
    touched: tuple[str, ...]
    """Every path that the diff names, old and new, sorted."""
    files: int
    insertions: int
    deletions: int
    placed: frozenset[str]
    """The existing files in which each hunk has exactly one possible place, and git put it there."""


def apply_patch(
    base: Iterable[TreeEntry],
    fetch: Callable[[str], bytes],
    base_tree: str,
    diff: str,
    policy: PathPolicy | None = None,
) -> PatchedTree:
    """Apply `diff` to the tree `base_tree`, whose recursive listing is `base`.

    The listing may have a folder without its content if the folder has none of `touched_paths(diff)`.

    `fetch` returns a blob's content by its sha. It is called only for the files that the diff names.
    Raises `Permanent` when the diff cannot or may not be applied, `Retry` when git was too slow, and
    the exceptions of `fetch`.
    """
    patch = _read(diff, policy)
    with scratch_repository() as repository:
        return _applied(repository, base, fetch, base_tree, patch)


def touched_paths(diff: str, policy: PathPolicy | None = None) -> tuple[str, ...]:
    """Every path that the diff names, old and new, sorted; raises as `apply_patch` does."""
    patch = _read(diff, policy)
    with scratch_repository() as repository:
        return tuple(_touched(repository, patch)[0])


class _Patch(NamedTuple):
    text: bytes
    headers: Headers
    policy: PathPolicy


def _applied(
    repository: ScratchRepository,
    base: Iterable[TreeEntry],
    fetch: Callable[[str], bytes],
    base_tree: str,
    patch: _Patch,
) -> PatchedTree:
    touched, old, new = _touched(repository, patch)
    before, unread = _read_base(repository, base, base_tree)
    _check_unread(touched, unread)
    for path in before.keys() & touched:
        _check_mode(path, before[path].mode)
    _add_blobs(repository, {before[row.path].sha for row in old if row.path in before}, fetch)
    _apply(repository, patch, "--cached", "--whitespace=nowarn")
    after = repository.index()
    changed = _changed_paths(before, after, touched, patch.headers)
    contents = _contents(repository, sorted({after[path].sha for path in changed if path in after}), patch.policy)
    entries = tuple(
        ChangedFile(path, *after[path], contents[after[path].sha])
        if path in after
        else ChangedFile(path, before[path].mode, None, None)
        for path in changed
    )
    return PatchedTree(
        entries=entries,
        tree_sha=tree_sha(after, unread),
        touched=tuple(touched),
        files=len({row.path for row in new}),
        insertions=sum(row.insertions for row in new),
        deletions=sum(row.deletions for row in new),
        placed=_placed(repository, patch, (old, new), before, {entry.path: entry for entry in entries}),
    )


def _touched(repository: ScratchRepository, patch: _Patch) -> tuple[list[str], list[_Row], list[_Row]]:
    """The paths that a patch names, checked against the policy; its files before and after."""
    old = _numstat(repository, patch, "-R")
    new = _numstat(repository, patch)
    touched = sorted({row.path for row in old + new})
    _check_paths(touched, patch.policy)
    return touched, old, new


def _apply(repository: ScratchRepository, patch: _Patch, *options: str) -> bytes:
    """Run `git apply`; turn its refusal into a sentence."""
    try:
        return repository.run("apply", *options, f"-p{patch.headers.strip}", "-", stdin=patch.text)
    except GitError as refused:
        raise _refusal(refused, patch.text) from None


def _read(diff: str, policy: PathPolicy | None) -> _Patch:
    policy = policy or PathPolicy()
    try:
        patch = diff.encode()
    except UnicodeEncodeError:
        raise malformed("it contains a character that UTF-8 cannot encode") from None
    if len(patch) > policy.max_diff_bytes:
        raise _too_large(f"The patch has {len(patch):,} bytes; at most {policy.max_diff_bytes:,} are allowed")
    return _Patch(patch, read_headers(patch), policy)


class _Row(NamedTuple):
    insertions: int
    deletions: int
    path: str


def _numstat(repository: ScratchRepository, patch: _Patch, *options: str) -> list[_Row]:
    """The patch as git reads it, by the new paths, with `-R` by the old ones. Binary files have no lines."""
    out = _apply(repository, patch, *options, "--numstat", "-z")
    rows = [row.split(b"\t", 2) for row in out.split(b"\0")[:-1]]
    if len(rows) != patch.headers.files:
        raise malformed(f"its headers name {patch.headers.files} files, but git finds {len(rows)}")
    try:
        return [_Row(int(plus.replace(b"-", b"0")), int(minus.replace(b"-", b"0")), path.decode())
                for plus, minus, path in rows]  # fmt: skip
    except UnicodeDecodeError:
        raise malformed("it names a file whose name is not UTF-8") from None


def _check_paths(touched: list[str], policy: PathPolicy) -> None:
    if len(touched) > policy.max_files:
        raise _too_large(f"The patch touches {len(touched):,} files; at most {policy.max_files:,} are allowed")
    for path in touched:
        parts = path.lower().split("/")
        if path.startswith("/"):
            raise _forbidden(path, "an absolute path")
        if ".." in parts:
            raise _forbidden(path, "a path that leaves its directory")
        if any(part.rstrip(" .") in {".git", "git~1"} for part in parts):
            raise _forbidden(path, "a path inside .git")
        if parts[:2] == [".github", "workflows"] and not policy.allow_workflows:
            raise _forbidden(path, "a workflow")
        if len(path.encode()) > MAX_PATH_BYTES:
            raise _forbidden(path, f"a path of more than {MAX_PATH_BYTES:,} bytes")


def _check_mode(path: str, mode: str) -> None:
    if mode not in REGULAR_MODES:
        kinds = {"120000": "a symbolic link", "160000": "a submodule"}
        raise _forbidden(path, kinds.get(mode, "not a regular file"))


def _read_base(
    repository: ScratchRepository, base: Iterable[TreeEntry], base_tree: str
) -> tuple[dict[str, IndexEntry], dict[str, str]]:
    """Put all paths, without contents, into the index. Git needs them to see what exists and what is a symlink.

    Returns the index and, by path, the shas of the folders that the listing does not open.
    """
    entries = list(base)
    folders = {entry.path.rpartition("/")[0] for entry in entries}
    unread = {entry.path: entry.sha for entry in entries if entry.type == "tree" and entry.path not in folders}
    try:
        repository.read_index((entry.mode, entry.sha, entry.path) for entry in entries if entry.type != "tree")
        files = repository.index()
    except GitError:
        files = {}
    if tree_sha(files, unread) != base_tree:
        raise Permanent(
            "GitHub's list of files does not match the base commit's tree (a name is not UTF-8, or a mode is unusual)",
            code="tree_mismatch",
        )
    return files, unread


def _check_unread(touched: list[str], unread: dict[str, str]) -> None:
    """Refuse paths in unopened folders, or in the place of one: git does not see them."""
    for path in touched:
        if path in unread:
            raise malformed(f"{shown(path)} is a folder in the repository")
        if any(path.startswith(f"{folder}/") for folder in unread):
            raise Permanent("GitHub's list of files leaves out a folder that the patch names", code="tree_mismatch")


def _add_blobs(repository: ScratchRepository, shas: set[str], fetch: Callable[[str], bytes]) -> None:
    for sha in sorted(shas):
        if repository.add_blob(fetch(sha)) != sha:
            raise Permanent("GitHub sent a file whose content does not match its sha", code="tree_mismatch")


def _changed_paths(
    before: dict[str, IndexEntry], after: dict[str, IndexEntry], touched: list[str], headers: Headers
) -> list[str]:
    """The changed paths. Raises `Permanent` for changes that a patch may not make."""
    changed = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    if not changed:
        raise Permanent("The patch changes nothing", code="patch_empty")
    if not set(changed) <= set(touched):
        raise malformed("it changes a file that it does not name")
    for path in after.keys() & changed:
        _check_mode(path, after[path].mode)
        if path in before and before[path].mode != after[path].mode and not headers.state_modes:
            raise _forbidden(path, "a file whose mode would change although the patch does not say so")
    return changed


def _placed(
    repository: ScratchRepository,
    patch: _Patch,
    rows: tuple[list[_Row], list[_Row]],
    before: dict[str, IndexEntry],
    changed: dict[str, ChangedFile],
) -> frozenset[str]:
    """The files for `PatchedTree.placed`, without those whose mode changes."""
    old, new = rows
    # Git counts lines only for the files that have hunks.
    written = [row.path for row in new if row.insertions + row.deletions]
    hunks = read_hunks(patch.text)
    if len(hunks) != len(written):
        return frozenset()
    named = {row.path for row in old}
    found = {
        path: of_file
        for path, of_file in zip(written, hunks, strict=True)
        if path in named and path in before and path in changed
        if changed[path].mode == before[path].mode
    }
    contents = repository.blobs([before[path].sha for path in found])
    return frozenset(
        path
        for (path, of_file), content in zip(found.items(), contents, strict=True)
        if placed(content, of_file) == (changed[path].content or b"")
    )


def _contents(repository: ScratchRepository, shas: list[str], policy: PathPolicy) -> dict[str, bytes]:
    size = sum(repository.blob_sizes(shas))
    if size > policy.max_result_bytes:
        raise _too_large(f"The patched files have {size:,} bytes; at most {policy.max_result_bytes:,} are allowed")
    return dict(zip(shas, repository.blobs(shas), strict=True))


def _refusal(refused: GitError, patch: bytes) -> VendorError:
    """Git's last line as a sentence for the card."""
    line = str(refused)
    if MACHINE.search(line):
        return git_failed()
    if match := MISMATCH.fullmatch(line):
        what = re.sub(r" in(?: the)? index", " in the repository", match["what"])
        return Permanent(
            f"{shown(match['path'])} does not match the patch: {what}{_hint(patch)}", code="patch_conflict"
        )
    if line.startswith("Out of memory"):
        return _too_large("git needs more memory for this patch than the bot allows")
    line = re.sub(r" \(allow with .*\)", "", line)
    return malformed(f"{shown(line)}{_hint(patch)}")


def _hint(patch: bytes) -> str:
    """A common reason for a refusal, for the person who sent the patch. The bot never repairs a patch."""
    if patch and not patch.endswith(b"\n"):
        return " (its last line has no line end)"
    if patch and patch.count(b"\n") == patch.count(b"\r\n"):
        return " (all its lines end in CRLF)"
    return ""


def _too_large(reason: str) -> Permanent:
    return Permanent(reason, code="patch_too_large")


def _forbidden(path: str, what: str) -> Permanent:
    return Permanent(f"The patch may not touch {shown(path)}: it is {what}", code="forbidden_path")
