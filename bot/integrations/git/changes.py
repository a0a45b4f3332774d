"""Reads the files of a patch with git: what happens to which path.

Git answers in three ways (`--numstat` forward and backward, `--summary`), and all must agree with our reading of the
headers. Otherwise the patch counts as unreadable.
"""

import asyncio
import re
import tempfile
from collections import Counter
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import structlog

from bot.domain.patch import ChangeKind, FileChange
from bot.integrations.errors import Permanent, Retry, VendorError
from bot.integrations.git.command import GitError, run_git
from bot.integrations.git.patch_headers import FIRST_DIRECTORY, HUNK, NO_FILE, TIME, FileHeader, Headers, read_headers

log = structlog.get_logger(__name__)

MOST_FILES = 1_000
"""Over three times what a patch may touch (`PathPolicy`); every click reads the list with the review."""
_AT_ONCE = 4
"""Diffs read at the same time: git keeps one core busy for each."""
_THREADS = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="git-read")

_EPOCH = re.compile(rb"\t(?:1970-01-01|1969-12-31) \d\d:\d\d:00(?:\.0+)? [+-]\d\d:?\d\d\r?$")
"""The time by which `diff -N` marks a file that does not exist."""
_ESCAPE = re.compile(rb'\\([abtnvfr"\\]|[0-3][0-7]{2})')
_LETTERS = dict(zip(b'abtnvfr"\\', b'\a\b\t\n\v\f\r"\\', strict=True))


async def read_all(diffs: Collection[str]) -> dict[str, tuple[FileChange, ...] | None]:
    """`read_changes` of each diff, in threads; a diff is missing if git could not run."""
    loop, wanted = asyncio.get_running_loop(), list(dict.fromkeys(diffs))
    found = await asyncio.gather(
        *(loop.run_in_executor(_THREADS, read_changes, diff) for diff in wanted), return_exceptions=True
    )
    read: dict[str, tuple[FileChange, ...] | None] = {}
    for diff, outcome in zip(wanted, found, strict=True):
        if isinstance(outcome, VendorError | OSError):
            log.warning("patch.not_read", error=type(outcome).__name__)
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            read[diff] = outcome
    return read


def read_changes(diff: str) -> tuple[FileChange, ...] | None:
    """The files of a diff in its order.

    None when git cannot read it, or reads it differently from its headers, or it has more than `MOST_FILES`.

    Runs git twice, without a repository. Raises `Permanent` or `OSError` when git cannot be run.
    """
    if not diff:
        return ()
    try:
        patch = diff.encode()
        headers = read_headers(patch)
        if headers.files > MOST_FILES:
            return None
        files = [_file(header, headers.strip) for header in headers.found]
        rows, summary = _numstat(patch, headers, "--summary")
        back, _ = _numstat(patch, headers, "-R")
    except (GitError, Retry, ValueError):
        return None  # refused, too slow, or a name is not UTF-8
    except Permanent as refused:
        if refused.code == "git_missing":
            raise
        return None
    if summary != b"".join(_summary(file) for file in files):
        return None
    if [row.path for row in rows] != [file.path for file in files]:
        return None
    # Newer releases of git list the files backwards under -R.
    expected = Counter(
        (file.was or file.path, row.deletions, row.insertions) for file, row in zip(files, rows, strict=True)
    )
    if Counter((row.path, row.insertions, row.deletions) for row in back) != expected:
        return None
    return tuple(_change(file, row) for file, row in zip(files, rows, strict=True))


class _File(NamedTuple):
    """One header, read; modes are numbers, 0 when not stated."""

    path: bytes
    kind: ChangeKind
    was: bytes | None
    old_mode: int
    new_mode: int
    score: bytes
    """The percentage of a rename, copy or rewrite."""


class _Row(NamedTuple):
    insertions: bytes
    deletions: bytes
    path: bytes


def _numstat(patch: bytes, headers: Headers, option: str) -> tuple[list[_Row], bytes]:
    """The rows of `--numstat`, and what git prints after them."""
    out = run_git(
        ("apply", "--numstat", "-z", option, f"-p{headers.strip}", "-"),
        patch,
        directory=tempfile.gettempdir(),
        git_dir="/nonexistent",
    )
    *rows, rest = out.split(b"\0", headers.files)
    return [_Row(*row.split(b"\t", 2)) for row in rows], rest


def _change(file: _File, row: _Row) -> FileChange:
    binary = row.insertions == b"-"
    return FileChange(
        file.path.decode(),
        file.kind,
        file.was.decode() if file.was is not None else None,
        f"{file.old_mode:06o}" if file.old_mode else None,
        f"{file.new_mode:06o}" if file.new_mode else None,
        binary,
        0 if binary else int(row.insertions),
        0 if binary else int(row.deletions),
    )


def _file(header: FileHeader, strip: int) -> _File:
    """What a header says. Raises ValueError for nonsense; the comparison with git's summary finds the rest."""
    return _git_file(header, strip) if header.extended else _traditional_file(header, strip)


def _git_file(header: FileHeader, strip: int) -> _File:
    said: dict[bytes, bytes] = {}
    for line in (line.removesuffix(b"\r") for line in header.extended[1:]):
        for word in (b"old mode", b"new mode", b"new file mode", b"deleted file mode", b"index", b"rename from",
                     b"rename to", b"copy from", b"copy to", b"similarity index", b"dissimilarity index"):  # fmt: skip
            if line.startswith(word + b" "):
                said[word] = line[len(word) + 1 :]
    both = header.extended[0].removeprefix(b"diff --git ").removesuffix(b"\r")
    old, new = header.names or (both[: len(both) // 2], both[len(both) // 2 + 1 :])
    kind, was = ChangeKind.CHANGED, None
    _, _, index_mode = said.get(b"index", b"").partition(b" ")
    old_mode, new_mode = said.get(b"old mode", index_mode), said.get(b"new mode", b"")
    if b"new file mode" in said:
        kind, old_mode, new_mode = ChangeKind.ADDED, b"", said[b"new file mode"]
    elif b"deleted file mode" in said:
        kind, old_mode, new = ChangeKind.DELETED, said[b"deleted file mode"], old
    path = _name(new, strip, header.names is not None)
    for moved, verb in ((ChangeKind.RENAMED, b"rename"), (ChangeKind.COPIED, b"copy")):
        if verb + b" to" in said:
            kind, path, was = moved, _unquoted(said[verb + b" to"]), _unquoted(said[verb + b" from"])
    score = said.get(b"dissimilarity index", said.get(b"similarity index", b"0%"))
    return _File(path, kind, was, _mode(old_mode), _mode(new_mode), score.removesuffix(b"%"))


def _traditional_file(header: FileHeader, strip: int) -> _File:
    assert header.names is not None, "only names make a traditional header"
    old, new = header.names
    hunk = HUNK.match(header.hunk)
    kind, name = ChangeKind.CHANGED, new
    if _bare(old) == NO_FILE or _EPOCH.search(old) or (hunk and hunk[1] == b"0"):
        kind = ChangeKind.ADDED
    elif _bare(new) == NO_FILE or _EPOCH.search(new) or (hunk and hunk[2] == b"0"):
        kind, name = ChangeKind.DELETED, old
    return _File(_name(name, strip, is_line=True), kind, None, 0, 0, b"0")


def _bare(line: bytes) -> bytes:
    return TIME.sub(b"", line[4:])


def _name(written: bytes, strip: int, is_line: bool) -> bytes:
    name = _bare(written) if is_line else written
    return _unquoted(FIRST_DIRECTORY.sub(rb"\1", name) if strip else name)


def _unquoted(name: bytes) -> bytes:
    """The name without git's C-style quotes and escapes, if it has them."""
    if len(name) < 2 or not name.startswith(b'"') or not name.endswith(b'"'):
        return name
    return _ESCAPE.sub(lambda m: bytes([_LETTERS[m[1][0]] if len(m[1]) == 1 else int(m[1], 8)]), name[1:-1])


def _mode(written: bytes) -> int:
    return int(written or b"0", 8)


def _summary(file: _File) -> bytes:
    """The lines of `git apply --summary` for one file (git's apply.c, `summary_patch_list`)."""
    match file.kind:
        case ChangeKind.ADDED:
            return _with_mode(b"create", file.new_mode, file.path)
        case ChangeKind.DELETED:
            return _with_mode(b"delete", file.old_mode, file.path)
        case ChangeKind.RENAMED | ChangeKind.COPIED:
            verb = b"rename" if file.kind is ChangeKind.RENAMED else b"copy"
            line = b" %s %s (%s%%)\n" % (verb, _arrow(file.was or b"", file.path), file.score)
            return line + _mode_change(file, b"")
        case ChangeKind.CHANGED if int(file.score):
            return b" rewrite %s (%s%%)\n" % (file.path, file.score) + _mode_change(file, b"")
        case ChangeKind.CHANGED:
            return _mode_change(file, b" " + file.path)


def _with_mode(verb: bytes, mode: int, path: bytes) -> bytes:
    return b" %s mode %06o %s\n" % (verb, mode, path) if mode else b" %s %s\n" % (verb, path)


def _mode_change(file: _File, name: bytes) -> bytes:
    if not file.old_mode or not file.new_mode or file.old_mode == file.new_mode:
        return b""
    return b" mode change %06o => %06o%s\n" % (file.old_mode, file.new_mode, name)


def _arrow(old: bytes, new: bytes) -> bytes:
    """Both names, with the directories that they share only once: `a/{b => c}`."""
    first, second, shared = old.split(b"/"), new.split(b"/"), 0
    while shared < min(len(first), len(second)) - 1 and first[shared] == second[shared]:
        shared += 1
    if not shared:
        return b"%s => %s" % (old, new)
    common = b"".join(part + b"/" for part in first[:shared])
    return b"%s{%s => %s}" % (common, b"/".join(first[shared:]), b"/".join(second[shared:]))
