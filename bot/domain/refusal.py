"""What came of asking for something: accepted with what happened, or refused with a reason, each with its sentence."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.domain.events import Event
    from bot.domain.review import Review


class Reason(StrEnum):
    """Why something was refused; the value is what the audit log holds."""

    UNKNOWN_PERSON = "unknown_person"
    DEACTIVATED = "deactivated"
    BOT = "bot"
    GUEST = "guest"
    OTHER_WORKSPACE = "other_workspace"
    NOT_A_REVIEWER = "not_a_reviewer"
    NOT_A_LEAD = "not_a_lead"
    OWN_REPORT = "own_report"
    OWN_MACHINE = "own_machine"
    FROZEN = "frozen"
    ALREADY_VOTED = "already_voted"
    NOT_VOTED = "not_voted"
    ALREADY_ESCALATED = "already_escalated"
    CLOSED = "closed"
    STALE = "stale"
    CLAIMED = "claimed"
    NOT_CLAIMED = "not_claimed"
    NOT_SNOOZED = "not_snoozed"
    SNOOZE = "snooze"
    JUSTIFICATION = "justification"
    UNKNOWN_REVIEW = "unknown_review"


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing changed. `sentence` is for the person who asked, and for nobody else but the audit log."""

    reason: Reason
    sentence: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The review as it is now and what happened to make it so."""

    review: "Review"
    events: tuple["Event", ...]
    sentence: str


@dataclass(frozen=True, slots=True)
class Repeated:
    """The very same request came before and had its effect then: nothing is done or said again."""


Outcome = Accepted | Refused
