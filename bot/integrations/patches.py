"""From a unified diff and a tree to the tree that the diff makes of it, as git itself applies it.

The diff is applied character for character or refused with a sentence; nothing is guessed, nothing half applied.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from bot.integrations.errors import Permanent
from bot.integrations.git import GitError, ScratchRepository
from bot.integrations.patch_headers import Headers, read_headers

REGULAR_MODES = frozenset({"100644", "100755"})
NO_MODE = "000000"
MISMATCH = re.compile(
    r"(?P<path>.+): (?P<what>patch does not apply|(?:already exists|does not exist|does not match) in(?: the)? index"
    r"|wrong type|has type \d+, expected \d+|.*removal patch leaves file contents)"
)


class TreeEntry(NamedTuple):
    """One row of a recursive tree listing, as GitHub gives it."""

    mode: str
    type: str
    """`blob`, `tree` or `commit` (a submodule)."""
    sha: str
    path: str


@dataclass(frozen=True, slots=True)
class PathPolicy:
    """What a patch may touch; `.git`, paths out of the repository, symlinks and submodules never."""

    allow_workflows: bool = False
    """Whether files below `.github/workflows` may change: they run with the repository's secrets."""
    max_files: int = 300
    max_diff_bytes: int = 1 << 20
    max_result_bytes: int = 32 << 20
    """All new contents together: what one API client can reasonably upload."""


class ChangedFile(NamedTuple):
    """One path whose content or mode the patch changes; a rename is a deletion and a new file."""

    path: str
    mode: str
    """The new mode; of a deleted file, the one it had."""
    sha: str | None
    """The new blob's sha, None when the file is deleted."""
    content: bytes | None
    """The new content, None when the file is deleted."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a patch makes of a tree."""

    entries: tuple[ChangedFile, ...]
    tree_sha: str
    touched: tuple[str, ...]
    """Every path that the diff names, old and new, sorted."""
    files: int
    insertions: int
    deletions: int


def build_change(
    base: Iterable[TreeEntry],
    fetch: Callable[[str], bytes],
    base_tree: str,
    diff: str,
    policy: PathPolicy | None = None,
) -> Change:
    """Apply `diff` to the tree `base_tree`, whose full recursive listing is `base`.

    `fetch` gives a blob's content by its sha; it is asked only for the files that the diff names.
    Raises `Permanent` when the diff cannot or may not be applied, `Retry` when git was too slow, and whatever
    `fetch` raises.
    """
    policy = policy or PathPolicy()
    patch = _encoded(diff, policy)
    headers = read_headers(patch)
    files = {entry.path: entry for entry in base if entry.type != "tree"}
    with ScratchRepository() as repository:
        old = _named_paths(repository, patch, headers, "-R")
        touched = sorted({*old, *_named_paths(repository, patch, headers)})
        _check_paths(touched, files, policy)
        _read_base(repository, files, base_tree)
        _add_blobs(repository, {files[path].sha for path in old if path in files}, fetch)
        try:
            repository.run("apply", f"-p{headers.strip}", "--cached", "--whitespace=nowarn", "-", stdin=patch)
        except GitError as refused:
            raise _refusal(refused, patch) from None
        try:
            return _change(repository, base_tree, touched, headers, policy)
        except GitError:
            raise Permanent("git could not read back what the patch made", code="git_failed") from None


def _encoded(diff: str, policy: PathPolicy) -> bytes:
    try:
        patch = diff.encode()
    except UnicodeEncodeError:
        raise _malformed("it holds a character that UTF-8 cannot write") from None
    if len(patch) > policy.max_diff_bytes:
        raise Permanent(
            f"The patch has {len(patch):,} bytes; at most {policy.max_diff_bytes:,} are allowed", code="patch_too_large"
        )
    return patch


def _named_paths(repository: ScratchRepository, patch: bytes, headers: Headers, *options: str) -> list[str]:
    """The paths after the patch as git reads them; with `-R` before it."""
    try:
        out = repository.run("apply", *options, f"-p{headers.strip}", "--numstat", "-z", "-", stdin=patch)
    except GitError as refused:
        raise _refusal(refused, patch) from None
    rows = out.split(b"\0")[:-1]
    if len(rows) != headers.files:
        raise _malformed(f"its headers name {headers.files} files, git finds {len(rows)}")
    try:
        return [row.split(b"\t", 2)[2].decode() for row in rows]
    except UnicodeDecodeError:
        raise _malformed("it names a file whose name is not UTF-8") from None


def _check_paths(touched: list[str], files: dict[str, TreeEntry], policy: PathPolicy) -> None:
    if len(touched) > policy.max_files:
        raise Permanent(
            f"The patch touches {len(touched):,} files; at most {policy.max_files:,} are allowed",
            code="patch_too_large",
        )
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
        if path in files:
            _check_mode(path, files[path].mode)


def _check_mode(path: str, mode: str) -> None:
    if mode == "120000":
        raise _forbidden(path, "a symbolic link")
    if mode == "160000":
        raise _forbidden(path, "a submodule")
    if mode not in REGULAR_MODES:
        raise _forbidden(path, "not a regular file")


def _read_base(repository: ScratchRepository, files: dict[str, TreeEntry], base_tree: str) -> None:
    """All paths without any content: only so does git see what exists and what lies beyond a symlink."""
    try:
        repository.read_index((entry.mode, entry.sha, entry.path) for entry in files.values())
        made = repository.write_tree()
    except GitError:
        made = ""
    if made != base_tree:
        raise Permanent(
            "The listing of the base's files does not add up to its tree (a name that is not UTF-8, or an odd mode)",
            code="tree_mismatch",
        )


def _add_blobs(repository: ScratchRepository, shas: set[str], fetch: Callable[[str], bytes]) -> None:
    for sha in sorted(shas):
        if repository.add_blob(fetch(sha)) != sha:
            raise Permanent("A file of the base arrived with other content than its name says", code="tree_mismatch")


def _change(
    repository: ScratchRepository, base_tree: str, touched: list[str], headers: Headers, policy: PathPolicy
) -> Change:
    """Read back what the patch did, and refuse what it may not have done."""
    tree_sha = repository.write_tree()
    fields = repository.run("diff-tree", "-r", "--raw", "-z", "--no-renames", base_tree, tree_sha).decode().split("\0")
    changed: list[tuple[str, str, str | None]] = []
    for meta, path in zip(fields[:-1:2], fields[1::2], strict=True):
        old_mode, new_mode, _, new_sha, _ = meta.removeprefix(":").split(" ")
        for mode in {old_mode, new_mode} - {NO_MODE}:
            _check_mode(path, mode)
        if path not in touched:
            raise _malformed("it changes a file that it does not name")
        if NO_MODE not in (old_mode, new_mode) and old_mode != new_mode and not headers.state_modes:
            raise _forbidden(path, "a file whose mode would change unasked")
        changed.append((path, old_mode, None) if new_mode == NO_MODE else (path, new_mode, new_sha))
    if not changed:
        raise Permanent("The patch changes nothing", code="patch_empty")
    contents = _contents(repository, sorted({sha for _, _, sha in changed if sha}), policy)
    stat = [
        line.split("\t", 2)
        for line in repository.run("diff-tree", "-r", "-M", "--numstat", base_tree, tree_sha).decode().splitlines()
    ]
    return Change(
        entries=tuple(ChangedFile(path, mode, sha, contents[sha] if sha else None) for path, mode, sha in changed),
        tree_sha=tree_sha,
        touched=tuple(touched),
        files=len(stat),
        insertions=sum(int(row[0]) for row in stat if row[0] != "-"),
        deletions=sum(int(row[1]) for row in stat if row[1] != "-"),
    )


def _contents(repository: ScratchRepository, shas: list[str], policy: PathPolicy) -> dict[str, bytes]:
    size = sum(repository.blob_sizes(shas))
    if size > policy.max_result_bytes:
        raise Permanent(
            f"The patch makes files of {size:,} bytes; at most {policy.max_result_bytes:,} are allowed",
            code="patch_too_large",
        )
    return dict(zip(shas, repository.blobs(shas), strict=True))


def _refusal(refused: GitError, patch: bytes) -> Permanent:
    """Git's last word as a sentence for the card."""
    if match := MISMATCH.fullmatch(refused.line):
        what = re.sub(r" in(?: the)? index", " in the repository", match["what"])
        return Permanent(
            f"{_shown(match['path'])} does not match the patch: {what}{_hint(patch)}", code="patch_conflict"
        )
    line = re.sub(r" \(allow with .*\)", "", refused.line)
    return _malformed(f"{_shown(line)}{_hint(patch)}")


def _hint(patch: bytes) -> str:
    """What often explains a refusal, for the person who sent the patch; never repaired here."""
    if patch and not patch.endswith(b"\n"):
        return " (its last line has no line end)"
    if patch and patch.count(b"\n") == patch.count(b"\r\n"):
        return " (all its lines end in CRLF)"
    return ""


def _malformed(what: str) -> Permanent:
    return Permanent(f"The patch is malformed: {what}", code="patch_malformed")


def _forbidden(path: str, what: str) -> Permanent:
    return Permanent(f"The patch may not touch {_shown(path)}: it is {what}", code="forbidden_path")


def _shown(text: str) -> str:
    """Foreign text inside a sentence: printable, of bounded length."""
    return "".join(c if c.isprintable() else "?" for c in text[:200])
