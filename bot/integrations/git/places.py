"""Reads the hunks of a diff and finds the one place of each in a file.

Git takes the place nearest to the hunk's line number. If the file has the same lines twice and has changed, that may be
another place than people saw.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bot.integrations.git.patch_headers import HUNK


class Hunk(NamedTuple):
    """The lines of a hunk with their line ends: `old` has context and deleted lines, `new` context and added ones."""

    old: bytes
    new: bytes


def read_hunks(diff: bytes) -> list[list[Hunk]]:
    """The hunks of each file that has any, in order. Files without hunks (renamed, binary, empty) are left out."""
    lines = diff.split(b"\n")
    files: list[list[Hunk]] = []
    at = body_end = 0
    while at < len(lines):
        header = HUNK.match(lines[at])
        if header is None:
            at += 1
            continue
        # A hunk's own lines may look like names.
        if at - 2 >= body_end and lines[at - 2].startswith(b"--- ") and lines[at - 1].startswith(b"+++ "):
            files.append([])
        hunk, at = _read_hunk(lines, at + 1, int(header[1] or 1), int(header[2] or 1))
        body_end = at
        if files:
            files[-1].append(hunk)
    return files


def _read_hunk(lines: Sequence[bytes], at: int, old_left: int, new_left: int) -> tuple[Hunk, int]:
    """One hunk, read by its line counts, and the line after its body."""
    old, new = list[bytes](), list[bytes]()
    in_old = in_new = False
    while at < len(lines):
        line = lines[at]
        if line.startswith(b"\\"):  # the line before has no end
            for side, has in ((old, in_old), (new, in_new)):
                if has:
                    side[-1] = side[-1].removesuffix(b"\n")
            in_old = in_new = False
        elif (old_left <= 0 and new_left <= 0) or line[:1] not in (b" ", b"-", b"+", b""):
            break
        else:
            in_old, in_new = line[:1] != b"+", line[:1] != b"-"
            old += [line[1:] + b"\n"] * in_old
            new += [line[1:] + b"\n"] * in_new
            old_left, new_left = old_left - in_old, new_left - in_new
        at += 1
    return Hunk(b"".join(old), b"".join(new)), at


def placed(content: bytes, hunks: Sequence[Hunk]) -> bytes | None:
    """The content with each hunk at its only place; None unless it has each hunk's old lines exactly once."""
    places = []
    for hunk in hunks:
        start = _only_place(content, hunk.old)
        if start is None:
            return None
        places.append((start, hunk))
    parts, at = [], 0
    for start, hunk in sorted(places):
        if start < at:
            return None
        parts += [content[at:start], hunk.new]
        at = start + len(hunk.old)
    return b"".join((*parts, content[at:]))


def _only_place(content: bytes, old: bytes) -> int | None:
    """The offset of the lines `old` in `content`; None if they are not there or more than once."""
    if not old:
        return None
    # With a line end in front of both, every match begins a line.
    haystack, needle = b"\n" + content, b"\n" + old
    if not old.endswith(b"\n"):
        return len(content) - len(old) if haystack.endswith(needle) else None
    first = haystack.find(needle)
    return first if first >= 0 and haystack.find(needle, first + 1) < 0 else None
