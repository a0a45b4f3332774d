"""The ids that builders and listeners share, and the value that a button carries.

A value names a review and the content that was shown. It grants nothing: the person comes from Slack's payload.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

from bot.domain.review import Review

APPROVE = "apv.approve"
REJECT = "apv.reject"
ESCALATE = "apv.escalate"
DIFF = "apv.diff"
DETAILS = "apv.details"
CLAIM = "apv.claim"
PULL = "apv.pull"
"""A link button: Slack opens the address, and still sends an action that the bot must acknowledge."""
PREVIOUS = "apv.page.previous"
NEXT = "apv.page.next"

VIEW_REJECT = "apv.reject"
VIEW_ESCALATE = "apv.escalate"
VIEW_APPROVE_WHY = "apv.approve_why"
VIEW_DIFF = "apv.diff"
VIEW_DETAILS = "apv.details"

REASON_BLOCK = "apv.reason"
REASON = "apv.reason.choice"
JUSTIFICATION_BLOCK = "apv.justification"
JUSTIFICATION = "apv.justification.text"

REJECT_REASONS: Mapping[str, str] = {
    "breaks": "Breaks the build or tests",
    "not_vulnerable": "Not a real vulnerability here",
    "wrong_fix": "Wrong or incomplete fix",
    "accepted_risk": "Accepted risk",
    "other": "Other",
}
"""The options of the reject modal: value -> words."""

ESCALATE_REASONS: Mapping[str, str] = {
    "judgement": "Needs a lead's judgement",
    "exploited": "Actively exploited",
    "wider": "Wider impact than stated",
    "deadline": "Deadline at risk",
    "other": "Other",
}
"""The options of the escalate modal: value -> words."""

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_PAGE = re.compile(r"(.+):([0-9]{1,6})", re.DOTALL)
_VALUE = re.compile(rf"({_UUID}):([0-9a-f]{{64}})(?::(?:([1-9][0-9]{{0,9}})|[A-Z0-9]{{0,64}}))?")


class ButtonValue(NamedTuple):
    """The review and the content that were shown; `version` is None in values of earlier releases."""

    review_id: UUID
    digest: str
    version: int | None


class NotOurs(ValueError):
    """A value that this bot did not write."""


def encode(review: Review) -> str:
    """The value of a button, and of a modal: the review, the full digest of the content shown, and its version.

    The same content may come back as a later version, and a vote for the earlier one does not count then.
    """
    return f"{review.id}:{review.digest}:{review.version}"


def decode(value: str) -> ButtonValue:
    """Read such a value; raises NotOurs. Modals of earlier releases name a channel in place of the version."""
    match = _VALUE.fullmatch(value)
    if match is None:
        raise NotOurs("not the value of a review")
    return ButtonValue(UUID(match[1]), match[2], int(match[3]) if match[3] else None)


def encode_page(value: str, page: int) -> str:
    """The value of a button that turns to a page (from 0) of the review that `value` names."""
    return f"{value}:{page}"


def decode_page(value: str) -> tuple[str, int]:
    """Read such a value; raises NotOurs."""
    match = _PAGE.fullmatch(value)
    if match is None:
        raise NotOurs("not the value of a page")
    return match[1], int(match[2])
