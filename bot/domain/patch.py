"""What a patch does to which files, as git reads it, and what is unusual about it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

EXECUTABLE = "100755"
SYMLINK = "120000"
SUBMODULE = "160000"


class ChangeKind(StrEnum):
    """What happens to a file."""

    CHANGED = "changed"
    ADDED = "added"
    DELETED = "deleted"
    RENAMED = "renamed"
    COPIED = "copied"


class Oddity(StrEnum):
    """A change that a reviewer of a security patch does not expect; the value is what people see."""

    MADE_EXECUTABLE = "made executable"
    MODE_CHANGED = "mode changed"
    SYMLINK = "symbolic link"
    SUBMODULE = "submodule"
    BINARY = "binary, its content cannot be shown"
    RENAMED = "renamed"
    COPIED = "copied"
    DELETED = "deleted"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file of a patch. Modes are six octal digits, None where the patch does not state them."""

    path: str
    """The new name, or the name of a deleted file."""
    kind: ChangeKind
    was: str | None = None
    """The old name of a renamed file, the source of a copied one."""
    old_mode: str | None = None
    new_mode: str | None = None
    binary: bool = False
    insertions: int = 0
    """Lines; 0 for a binary file, like `deletions`."""
    deletions: int = 0


Readings: TypeAlias = Mapping[str, tuple[FileChange, ...] | None]
"""What git reads in each diff; None: git cannot read the diff; missing: git has not read it yet."""


def paths(files: Iterable[FileChange]) -> tuple[str, ...]:
    """Every path, old and new, sorted."""
    return tuple(sorted({path for file in files for path in (file.path, file.was) if path is not None}))


def oddities(file: FileChange) -> tuple[Oddity, ...]:
    """What is unusual about this change; empty for an ordinary one."""
    modes = {file.old_mode, file.new_mode}
    before, after = file.old_mode, file.new_mode
    # A file that already was executable is ordinary.
    switched = after is not None and after != before
    found = {
        Oddity.MADE_EXECUTABLE: switched and after == EXECUTABLE,
        Oddity.MODE_CHANGED: switched and before is not None and after != EXECUTABLE,
        Oddity.SYMLINK: SYMLINK in modes,
        Oddity.SUBMODULE: SUBMODULE in modes,
        Oddity.RENAMED: file.kind is ChangeKind.RENAMED,
        Oddity.COPIED: file.kind is ChangeKind.COPIED,
        Oddity.DELETED: file.kind is ChangeKind.DELETED,
        Oddity.BINARY: file.binary,
        Oddity.EMPTY: file.kind is ChangeKind.ADDED and not file.binary and file.insertions == 0,
    }
    return tuple(oddity for oddity, is_so in found.items() if is_so)
