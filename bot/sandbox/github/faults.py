"""Faults on demand: what goes wrong with the next calls of an operation, each used up as it happens."""

import time
from dataclasses import dataclass
from enum import StrEnum

from bot.sandbox.github.call import Answer
from bot.sandbox.github.errors import ApiError


class Fault(StrEnum):
    """What goes wrong. `before`: nothing was done; `after`: the work was done and the caller does not hear of it."""

    ERROR_500_BEFORE = "500_before"
    ERROR_500_AFTER = "500_after"
    ERROR_502_BEFORE = "502_before"
    ERROR_502_AFTER = "502_after"
    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"
    SECONDARY_RATE_LIMIT = "secondary_rate_limit"
    PRIMARY_RATE_LIMIT = "primary_rate_limit"
    SLOW = "slow"

    @property
    def after(self) -> bool:
        """Tell whether the work is done all the same."""
        return self.value.endswith("_after")

    @property
    def drops(self) -> bool:
        """Tell whether the connection is cut instead of an answer."""
        return self.value.startswith("drop_")


@dataclass
class PlannedFault:
    """A fault waiting for `times` calls (None: until cleared) of an operation (`*`: any).

    `seconds` is a wait, where the fault has one; `hits` counts the calls that it has hit so far.
    """

    operation: str
    fault: Fault
    times: int | None
    seconds: float
    hits: int = 0


class FaultPlan:
    """The faults still to come, first planned first."""

    def __init__(self) -> None:
        self.planned: list[PlannedFault] = []

    def add(self, operation: str, fault: Fault, times: int | None, seconds: float) -> None:
        """Plan a fault."""
        self.planned.append(PlannedFault(operation, fault, times, seconds))

    def clear(self) -> None:
        """Let everything go well again."""
        self.planned.clear()

    def take(self, operation: str) -> PlannedFault | None:
        """Use up and return the fault that hits this call, None when it goes well."""
        for planned in self.planned:
            if planned.operation in ("*", operation):
                planned.hits += 1
                if planned.times is not None:
                    planned.times -= 1
                    if planned.times == 0:
                        self.planned.remove(planned)
                return planned
        return None


def refusal(planned: PlannedFault) -> Answer:
    """Return what the caller is told of a fault (of a cut connection, nothing reaches it)."""
    headers = {}
    match planned.fault:
        case Fault.SECONDARY_RATE_LIMIT:
            sentence = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
            error, headers = ApiError(403, sentence), {"Retry-After": str(int(planned.seconds))}
        case Fault.PRIMARY_RATE_LIMIT:
            reset = str(int(time.time() + planned.seconds))
            headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
            error = ApiError(403, "API rate limit exceeded for user ID 1.")
        case Fault.ERROR_502_BEFORE | Fault.ERROR_502_AFTER:
            error = ApiError(502, "Server Error")
        case _:
            error = ApiError(500, "Server Error")
    return Answer(error.status, error.body(), headers)
