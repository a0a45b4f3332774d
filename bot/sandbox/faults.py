"""Planned faults: what goes wrong with the next calls to a stand-in. Each call uses up the fault that hits it."""

from dataclasses import dataclass
from typing import Generic, TypeVar

FaultKind = TypeVar("FaultKind", bound=str)


@dataclass(slots=True)
class PlannedFault(Generic[FaultKind]):
    """A fault for the next `times` calls (None: until cleared) of one call by name, or of any (`*`)."""

    call: str
    kind: FaultKind
    times: int | None = 1
    after: int = 0
    """How many calls succeed first."""
    seconds: float = 0.0
    """How long a slow call waits, or how long GitHub's rate limit asks the caller to wait."""
    retry_after: str = "1"
    """The Retry-After header of Slack's 429, as written."""
    hits: int = 0
    """How many calls it has hit so far."""


class FaultPlan(Generic[FaultKind]):
    """The faults still to come; the first one planned is the first one used."""

    def __init__(self) -> None:
        self.planned: list[PlannedFault[FaultKind]] = []

    def clear(self, kind: str | None = None) -> None:
        """Drop all faults, or those of one kind."""
        self.planned = [fault for fault in self.planned if kind not in {None, fault.kind}]

    def take(self, call: str) -> PlannedFault[FaultKind] | None:
        """Use up and return the fault that hits this call; None when there is none."""
        for fault in self.planned:
            if fault.call not in (call, "*"):
                continue
            if fault.after > 0:
                fault.after -= 1
                continue
            fault.hits += 1
            if fault.times is not None:
                fault.times -= 1
                if fault.times <= 0:
                    self.planned.remove(fault)
            return fault
        return None
