"""What is wrong with a submission: every fault, each with its place and a sentence.

No fault holds the input itself, so it may be shown and logged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from bot.domain.apv import Json

Loc: TypeAlias = tuple[str | int, ...]
"""Where: object keys and list positions, from the outside in."""

FAULT_LIMIT = 10_000
"""More are not told: an answer must not be many times the size of what was sent."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: a stable machine word, its place, a sentence for people."""

    type: str
    loc: Loc
    msg: str

    def as_json(self) -> dict[str, Json]:
        """`{"type", "loc", "msg"}`, loc a list."""
        return {"type": self.type, "loc": list(self.loc), "msg": self.msg}

    def __str__(self) -> str:
        where = ".".join(str(part) for part in self.loc)
        return f"{where}: {self.msg}" if where else self.msg


class InvalidApv(ValueError):
    """The input is not an APV, or a list or report not of APVs; nothing of it is used."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = list(faults[:FAULT_LIMIT])
        super().__init__("; ".join(str(fault) for fault in self.faults))


def shown(key: object) -> str:
    """An object's key as part of a `Loc`: kept only if it is short and printable."""
    return key if isinstance(key, str) and len(key) <= 64 and key.isprintable() else "(unprintable key)"
