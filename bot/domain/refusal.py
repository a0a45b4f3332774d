"""A refusal: nothing changed; it has a reason for programs and a sentence for people."""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why something was refused; the value is what the audit log holds."""

    UNKNOWN_PERSON = "unknown_person"
    DEACTIVATED = "deactivated"
    BOT = "bot"
    GUEST = "guest"
    OTHER_WORKSPACE = "other_workspace"
    NOT_A_REVIEWER = "not_a_reviewer"
    NOT_A_READER = "not_a_reader"
    NOT_A_LEAD = "not_a_lead"
    OWN_REPORT = "own_report"
    OWN_MACHINE = "own_machine"
    MACHINE = "machine"
    FROZEN = "frozen"
    ALREADY_VOTED = "already_voted"
    NOT_VOTED = "not_voted"
    ALREADY_ESCALATED = "already_escalated"
    CLOSED = "closed"
    NOT_REJECTED = "not_rejected"
    STALE = "stale"
    CLAIMED = "claimed"
    NOT_CLAIMED = "not_claimed"
    NOT_SNOOZED = "not_snoozed"
    SNOOZE = "snooze"
    JUSTIFICATION = "justification"
    UNKNOWN_REVIEW = "unknown_review"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing changed. Only the person who asked and the audit log get the `sentence`."""

    reason: Reason
    sentence: str
