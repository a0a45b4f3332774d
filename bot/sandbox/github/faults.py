"""The faults of the GitHub stand-in, and how the caller sees them."""

import time
from enum import StrEnum

from bot.sandbox.faults import PlannedFault
from bot.sandbox.github.call import Answer
from bot.sandbox.github.errors import ApiError


class GitHubFault(StrEnum):
    """What goes wrong. `before`: nothing is done. `after`: the work is done, but the caller does not learn of it."""

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
        """Whether the work is done all the same."""
        return self.value.endswith("_after")

    @property
    def drops(self) -> bool:
        """Whether the connection is cut and no answer is sent."""
        return self.value.startswith("drop_")


def refusal(planned: PlannedFault[GitHubFault]) -> Answer:
    """Return the answer for a fault. When the connection is cut, the caller never gets it."""
    headers = {}
    match planned.kind:
        case GitHubFault.SECONDARY_RATE_LIMIT:
            sentence = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
            error, headers = ApiError(403, sentence), {"Retry-After": str(int(planned.seconds))}
        case GitHubFault.PRIMARY_RATE_LIMIT:
            reset = str(int(time.time() + planned.seconds))
            headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
            error = ApiError(403, "API rate limit exceeded for user ID 1.")
        case GitHubFault.ERROR_502_BEFORE | GitHubFault.ERROR_502_AFTER:
            error = ApiError(502, "Server Error")
        case _:
            error = ApiError(500, "Server Error")
    return Answer(error.status, error.body(), headers)
