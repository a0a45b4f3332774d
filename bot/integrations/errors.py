"""How a vendor's failure is classified: worth another try, or not.

Every sentence here is written by us and safe to show to a person; a vendor's own text never travels in it.
"""


class VendorError(Exception):
    """A call to Slack, GitHub or git that did not have its effect, or whose effect is unknown."""

    def __init__(self, reason: str, *, code: str = "unknown") -> None:
        super().__init__(reason)
        self.reason = reason
        """One sentence for the card, the incident channel and `jobs list`."""
        self.code = code
        """The vendor's error code or a short word of ours, from a bounded set: safe as a metric label."""


class Retry(VendorError):
    """Try again: a rate limit, an outage, a time-out. `after` is in seconds, None when the vendor gave no time."""

    def __init__(self, reason: str, *, code: str = "unknown", after: float | None = None) -> None:
        super().__init__(reason, code=code)
        self.after = after


class Permanent(VendorError):
    """No repetition can help: the job is held at once and a person is told."""
