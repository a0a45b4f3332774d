"""Finds out whether the file names of a unified diff have a prefix (`a/`, `b/`) for git to strip.

By default git strips one directory. Without a prefix that is a real one, and the name becomes another file's.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from bot.integrations.errors import Permanent

NO_FILE = b"/dev/null"
HUNK = re.compile(rb"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")
EXTENDED = re.compile(
    rb"(?:old mode|new mode|deleted file mode|new file mode|copy from|copy to|rename from|rename to"
    rb"|similarity index|dissimilarity index|index) "
)
MOVED = re.compile(rb"(?:copy|rename) (?:from|to) (.*)", re.DOTALL)
FIRST_DIRECTORY = re.compile(rb'^("?)[^/]*/')
TIME = re.compile(rb"(?:\t.*|\r| \d{4}-\d\d-\d\d \d\d:\d\d:\d\d.*)$")


class FileHeader(NamedTuple):
    """The header of one file, as written."""

    extended: tuple[bytes, ...]
    """The line `diff --git` and those that belong to it; empty in a traditional header."""
    names: tuple[bytes, bytes] | None
    """The lines `--- <old>` and `+++ <new>`, where there are any."""
    hunk: bytes
    """The line after the header: the first hunk's, unless the file has none."""


class Headers(NamedTuple):
    """What the headers of a diff say together."""

    strip: int
    """How many leading directories git must strip from each name: 0 or 1."""
    found: tuple[FileHeader, ...]
    """Git must find the same number of files, otherwise it reads the diff differently."""
    state_modes: bool
    """Whether any header sets the mode of its file."""

    @property
    def files(self) -> int:
        """The number of headers."""
        return len(self.found)


def read_headers(diff: bytes) -> Headers:
    """Read every file's header and skip the prose around them, as git does.

    Raises `Permanent` when a prefix cannot be distinguished from a name, or only some names have one.
    """
    lines = diff.split(b"\n")
    levels: list[int | None] = []
    found: list[FileHeader] = []
    state_modes = False
    at = 0
    while at < len(lines):
        names = _names(lines, at)
        if lines[at].startswith(b"diff --git "):
            end = at + 1
            while end < len(lines) and EXTENDED.match(lines[end]):
                end += 1
            names = _names(lines, end)
            if names or end > at + 1:  # git considers the line alone as prose
                levels.append(_git_level(lines[at:end], names))
                found.append(_header(lines, at, end, has_names=names is not None))
            state_modes |= any(line.startswith((b"new mode ", b"new file mode ")) for line in lines[at:end])
            at = end + 2 if names else end
        elif names and at + 2 < len(lines) and HUNK.match(lines[at + 2]):
            levels.append(_level(*names))
            found.append(_header(lines, at, at, has_names=True))
            at += 2
        elif hunk := HUNK.match(lines[at]):
            at = _after_hunk(lines, at + 1, int(hunk[1] or 1), int(hunk[2] or 1))
        else:
            at += 1
    if {0, 1} <= set(levels):
        raise malformed("some of its file names have the prefixes a/ and b/, others do not")
    return Headers(strip=0 if 0 in levels else 1, found=tuple(found), state_modes=state_modes)


def _header(lines: list[bytes], at: int, end: int, *, has_names: bool) -> FileHeader:
    names = (lines[end], lines[end + 1]) if has_names else None
    hunk = lines[end + 2 : end + 3] if has_names else lines[end : end + 1]
    return FileHeader(tuple(lines[at:end]), names, hunk[0] if hunk else b"")


def _names(lines: list[bytes], at: int) -> tuple[bytes, bytes] | None:
    """The names in a `---` and a `+++` line at `at`, as written."""
    pair = lines[at : at + 2]
    if len(pair) == 2 and pair[0].startswith(b"--- ") and pair[1].startswith(b"+++ "):
        return TIME.sub(b"", pair[0][4:]), TIME.sub(b"", pair[1][4:])
    return None


def _after_hunk(lines: list[bytes], at: int, old: int, new: int) -> int:
    """Where a hunk's body ends, by its counts: a deleted line may look like a header."""
    while at < len(lines) and (old > 0 or new > 0):
        match lines[at][:1]:
            case b" " | b"" | b"\r":
                old, new = old - 1, new - 1
            case b"-":
                old -= 1
            case b"+":
                new -= 1
            case b"\\":
                pass
            case _:
                return at
        at += 1
    return at


def _git_level(header: list[bytes], names: tuple[bytes, bytes] | None) -> int | None:
    """Directories to strip after a `diff --git` line; None when only rename lines, without prefix, name the files.

    `names` are from its `---` and `+++` lines. They must agree with it, because git then uses only them.
    """
    both = header[0].removeprefix(b"diff --git ").removesuffix(b"\r")
    half = len(both) // 2
    same = (both[:half], both[half + 1 :])
    if both[half : half + 1] == b" " and _same_file(*same):
        if names and any(name not in (given, NO_FILE) for name, given in zip(names, same, strict=True)):
            raise _unclear(b" and ".join(names))
        return _level(*same)
    moved = tuple(match[1].removesuffix(b"\r") for line in header if (match := MOVED.match(line)))
    if len(moved) != 2:
        raise _unclear(header[0])
    if names is None:
        return None
    if names == moved:
        return 0
    if tuple(FIRST_DIRECTORY.sub(rb"\1", name) for name in names) == moved:
        return 1
    raise _unclear(b" and ".join(names))


def _level(old: bytes, new: bytes) -> int:
    if NO_FILE in (old, new):
        return int(re.match(rb'"?[ab]/', new if old == NO_FILE else old) is not None)
    if old == new:
        return 0
    if _same_file(old, new) or {old.lstrip(b'"')[:2], new.lstrip(b'"')[:2]} == {b"a/", b"b/"}:
        return 1
    raise _unclear(old + b" and " + new)


def _same_file(old: bytes, new: bytes) -> bool:
    """Whether the names are the same, at least after the first directory (a/ and b/, i/ and w/)."""
    return old == new or (b"/" in old and b"/" in new and old.split(b"/", 1)[1] == new.split(b"/", 1)[1])


def _unclear(text: bytes) -> Permanent:
    return malformed(f"it is not clear which file {shown(text[:160].decode('utf-8', 'replace'))} means")


def malformed(what: str) -> Permanent:
    """The refusal of a patch that git cannot read, or could read in more than one way."""
    return Permanent(f"The patch is malformed: {what}", code="patch_malformed")


def shown(text: str) -> str:
    """Foreign text for use in a sentence: printable and short."""
    return "".join(c if c.isprintable() else "?" for c in text[:200])
