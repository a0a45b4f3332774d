"""A unified diff for people: its size, its first lines, and pages of it.

Nothing in it stays invisible except line ends.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from bot.blocks.text import ELLIPSIS, visible

_HUNK = re.compile(r"@@ -[0-9]{1,9}(?:,([0-9]{1,9}))? \+[0-9]{1,9}(?:,([0-9]{1,9}))? @@")


@dataclass(frozen=True, slots=True)
class Stat:
    """What a diff changes: paths in their order, and the numbers of lines added and removed."""

    files: tuple[str, ...]
    added: int
    removed: int


def stat(diff: str) -> Stat:
    """Count a diff's lines hunk by hunk, so that a removed line `-- x` does not count as a file name."""
    files: dict[str, None] = {}
    added = removed = old = new = 0
    former = ""
    for line in diff.split("\n"):
        if old > 0 or new > 0:
            match line[:1]:
                case "+":
                    added, new = added + 1, new - 1
                case "-":
                    removed, old = removed + 1, old - 1
                case "\\":
                    pass
                case _:
                    old, new = old - 1, new - 1
        elif line.startswith("@@ ") and (hunk := _HUNK.match(line)):
            old, new = int(hunk[1] or 1), int(hunk[2] or 1)
        elif line.startswith("--- "):
            former = _path(line)
        elif line.startswith("+++ "):
            path = _path(line)
            files[former if path == "/dev/null" else path] = None
    return Stat(tuple(files), added, removed)


def _path(line: str) -> str:
    path = line[4:].partition("\t")[0].strip()
    return path[2:] if path.startswith(("a/", "b/")) else path


def excerpt(diff: str, most: int, width: int = 160) -> tuple[str, int]:
    """The first `most` lines, each at most `width` characters, and the number of lines left out."""
    head = "\n".join(diff.removesuffix("\n").split("\n", most)[:most])
    shown = visible(f"{head}\n").removesuffix("\n").split("\n")
    kept = [line if len(line) <= width else line[: width - 1] + ELLIPSIS for line in shown]
    return "\n".join(kept) or " ", max(0, _count(diff) - most)


def pages(diff: str, *, size: int, most: int, budget: int) -> tuple[list[str], int]:
    """The diff in at most `most` pages of `size` characters and `budget` characters of JSON, and the lines left out."""
    made: list[str] = []
    # Nothing past the budget can be shown: a character takes at least one character of JSON.
    for number, line in enumerate(visible(diff[: budget + 1]).removesuffix("\n").split("\n")):
        for part in _parts(line, size):
            budget -= len(json.dumps(part))
            if budget < 0:
                return made, _count(diff) - number
            if made and len(made[-1]) + 1 + len(part) <= size:
                made[-1] += f"\n{part}"
            elif len(made) < most:
                made.append(part)
            else:
                return made, _count(diff) - number
    return made, 0


def _count(diff: str) -> int:
    """The number of lines; a line feed at the end does not start another one."""
    return diff.count("\n") + (not diff.endswith("\n"))


def _parts(line: str, size: int) -> Iterator[str]:
    # A page may consist of one empty line, and Slack refuses empty text.
    yield from (line[start : start + size] for start in range(0, len(line), size)) if line else (" ",)
