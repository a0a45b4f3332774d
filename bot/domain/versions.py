"""Whether a version bump goes to another major version."""

import re

VERSION = re.compile(
    r"v?(?:(\d{1,18})[!:])?(\d{1,18})(?!\d)(?:\.(\d{1,18})(?!\d))?(?:\.(\d{1,18})(?!\d))?"
    r"(?:[.+~_-]?[0-9a-z][^\s,;|<>=]*)?",
    re.ASCII | re.IGNORECASE,
)
"""An epoch (PEP 440 `1!2.0`, Debian `1:2.0`), up to three numbers, and the rest."""


def may_be_major(old: str | None, new: str | None) -> bool:
    """Whether a bump goes to another major version; True if a version cannot be read.

    Below 1.0 the leftmost number that is not zero counts as the major one (Cargo's and npm's caret: 0.3 is not 0.4).
    """
    before, after = _major(old), _major(new)
    return before is None or after is None or before != after


def _major(version: str | None) -> tuple[int, ...] | None:
    """The epoch, and the numbers up to the leftmost that is not zero; None if the version cannot be read."""
    found = VERSION.fullmatch((version or "").strip())
    if found is None:
        return None
    epoch, *numbers = (int(number or 0) for number in found.groups())
    leading = next((place for place, number in enumerate(numbers) if number), None)
    return None if leading is None else (epoch, *numbers[: leading + 1])
