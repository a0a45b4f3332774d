"""What Slack and an app exchange: JSON objects, Slack's errors, ids and timestamps.

Ids look like Slack's and count up, so that each run has the same ids.
"""

import itertools
import time
from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]
"""One JSON object as it was sent. Its shape is checked on arrival (`blockkit`), not typed."""


class SlackError(Exception):
    """Slack's `{"ok": false, "error": code}`; `problems` become `response_metadata.messages`."""

    def __init__(self, code: str, problems: Sequence[str] = (), **extra: object) -> None:
        super().__init__(code)
        self.code = code
        self.problems = tuple(problems)
        self.extra = extra

    def as_json(self) -> Json:
        """Return the body of the answer."""
        body: Json = {"ok": False, "error": self.code, **self.extra}
        if self.problems:
            body["response_metadata"] = {"messages": [f"[ERROR] {problem}" for problem in self.problems]}
            if self.code == "invalid_blocks":
                body["errors"] = list(self.problems)
        return body


class SlackIds:
    """Makes ids in Slack's format: a letter for the kind, then upper-case letters and digits."""

    def __init__(self) -> None:
        self._counts = itertools.count(1)

    def make(self, kind: str) -> str:
        """Return a new id such as `V0000000A2F`; `kind` is the letter in front."""
        return f"{kind}0{base36(next(self._counts)).rjust(9, '0')}"

    def short(self) -> str:
        """Return a new five-letter id, as Slack gives to blocks without an id."""
        return base36(next(self._counts)).lower().rjust(5, "x")


class Timestamps:
    """Message timestamps: seconds with six decimals, unique and increasing."""

    def __init__(self) -> None:
        self._last = 0

    def make(self) -> str:
        """Return the next `ts`."""
        self._last = max(self._last + 1, time.time_ns() // 1000)
        return f"{self._last // 1_000_000}.{self._last % 1_000_000:06d}"


def base36(number: int) -> str:
    """Write a number with the digits 0-9 and A-Z."""
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    written = ""
    while True:
        number, rest = divmod(number, 36)
        written = digits[rest] + written
        if not number:
            return written
