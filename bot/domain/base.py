"""The base that a patch was shown against: the state of the files that the patch touches."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BaseFile:
    """A file of the base branch: its mode as git writes it (`100644`), its blob's sha."""

    mode: str
    sha: str


@dataclass(frozen=True, slots=True)
class Base:
    """A commit of the base branch, and the files there that the patch names."""

    commit: str
    files: Mapping[str, BaseFile | None]
    """By path; None: it does not exist."""

    def has(self, path: str, file: BaseFile | None) -> bool:
        """Whether this base was read with the file in exactly this state."""
        return path in self.files and self.files[path] == file
