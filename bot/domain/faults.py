"""The faults of a submission, each with its place and a sentence.

No fault contains the input itself, so it may be shown and logged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

Loc: TypeAlias = tuple[str | int, ...]
"""A place in a JSON document: object keys and list positions, from the outside in."""

FAULT_LIMIT = 10_000
"""Further faults are dropped: a response must not be many times larger than its request."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: a stable code for programs, its place, a sentence for people."""

    type: str
    loc: Loc
    msg: str

    def __str__(self) -> str:
        where = ".".join(str(part) for part in self.loc)
        return f"{where}: {self.msg}" if where else self.msg


class NotAccepted(ValueError):
    """The input has faults, and nothing of it is stored."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults[:FAULT_LIMIT])
        super().__init__("; ".join(str(fault) for fault in self.faults))
