"""Classifies the failures of vendors: retry, or give up.

Every sentence is the bot's own and safe to show. It never contains a vendor's text.
"""

import math


class VendorError(Exception):
    """A call to Slack, GitHub or git failed, or nobody knows whether it had its effect."""

    def __init__(self, reason: str, *, code: str = "unknown") -> None:
        super().__init__(reason)
        self.reason = reason
        """One sentence for the card, the incident channel and `jobs list`."""
        self.code = code
        """The vendor's error code or a short word of the bot's, from a bounded set: safe as a metric label."""


class Retry(VendorError):
    """Retry: a rate limit, an outage, a time-out. `after` is in seconds, None when the vendor gave no time."""

    def __init__(self, reason: str, *, code: str = "unknown", after: float | None = None) -> None:
        super().__init__(reason, code=code)
        self.after = after


class Stopped(Retry):
    """An operator paused it. It is retried until they resume it, for any length of time."""


class Permanent(VendorError):
    """A retry cannot help: the job is held at once and a person hears of it."""


def number(header: str | None) -> float | None:
    """The number in a header; None when it is missing, another text or not finite."""
    try:
        value = float(header or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
