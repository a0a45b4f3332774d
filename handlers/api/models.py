"""The bodies of the API: the models that read requests and make the OpenAPI document, and the JSON of a review."""

import math
from dataclasses import fields
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue
from pydantic_core import PydanticCustomError

from bot.domain.apv import Apv, Json, PatchStrategy, Severity
from bot.domain.decisions import JUSTIFICATION_MIN
from bot.domain.pull import Checks
from bot.domain.review import Action, Choice, Dossier, Status
from bot.intake.apv_json import ApvSubmission
from bot.intake.bounds import BoundedText, Fraction

REPORTED = tuple(f.name for f in fields(Apv))


def _choice(value: object) -> object:
    word = value.strip().lower() if isinstance(value, str) else None
    if word not in set(Choice):
        raise PydanticCustomError("enum", "must be approve, reject, modify or escalate (any case)")
    return Choice(word)


def _given(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("string_too_short", "must not be blank")
    return value.strip()


def _justified(value: str) -> str:
    if len(value.strip()) < JUSTIFICATION_MIN:
        sentence = "must have at least {least} characters, not counting outer white space"
        raise PydanticCustomError("string_too_short", sentence, {"least": JUSTIFICATION_MIN})
    return value


class _DecisionAsked(BaseModel):
    model_config = ConfigDict(
        strict=True, extra="ignore", frozen=True, json_schema_extra={"additionalProperties": True}
    )

    apv_id: BoundedText
    """The UUID or the `apv_code`."""
    decision: Annotated[Choice, BeforeValidator(_choice)]
    reviewer_name: Annotated[BoundedText, AfterValidator(_given), Field(json_schema_extra={"minLength": 1})]
    reviewer_email: BoundedText | None = None
    modifications: JsonValue = None
    digest: BoundedText | None = None
    """The digest of the content that was judged. If it is not the current one, the decision is refused. An approval
    names it here or in `If-Match`."""


class NewDecision(_DecisionAsked):
    """A decision to record."""

    justification: Annotated[
        BoundedText, AfterValidator(_justified), Field(json_schema_extra={"minLength": JUSTIFICATION_MIN})
    ]
    confidence: Fraction = 1.0


class OlderDecision(_DecisionAsked):
    """The body of older clients: a comment of any length, or none."""

    comments: BoundedText | None = None
    confidence_override: Fraction | None = None


class Decision(BaseModel):
    """A decision record. `action_taken` is null until the follow-up ends, for example the pull request."""

    decision_id: UUID
    apv_id: UUID
    apv_code: str
    decision: Choice
    justification: str
    confidence: float
    modifications: JsonValue
    reviewer_name: str
    reviewer_email: str | None
    reviewer_verified: bool
    """False if the client gave the name, and not Slack or a token."""
    cve_id: str | None
    severity: Severity
    patch_strategy: PatchStrategy
    wargame_verdict: str | None
    action_taken: Action | None
    outcome_notes: str | None
    decided_at: datetime
    action_completed_at: datetime | None
    source: str
    version: int
    digest: str
    """The version and the digest of the content that was judged."""


class Review(ApvSubmission):
    """A review: the submitted APV and its state."""

    apv_id: UUID
    apv_code: str
    priority: int
    """10 is the most urgent."""
    status: Status
    version: int
    digest: str
    severity: Severity
    patch_strategy: PatchStrategy
    repository: str
    pr_number: int | None
    pr_url: str | None
    pr_branch: str | None
    pr_checks: Checks | None
    due_at: datetime | None
    waiting_since: float
    """Hours from creation until now, or until the review closed."""
    created_at: datetime
    updated_at: datetime
    metadata: dict[str, JsonValue]


class ReviewPage(BaseModel):
    """A page of reviews, most urgent first. `total` counts the matches on all pages."""

    reviews: list[Review]
    total: int
    skip: int
    limit: int
    offset: int
    next_cursor: str | None


class Statistics(BaseModel):
    """Counts, times and rates over all reviews and decisions. Days and weeks (from Monday) are in UTC; rates 0-1."""

    total: int
    pending_reviews: int
    total_decisions: int
    decisions_today: int
    decisions_this_week: int
    approved_count: int
    rejected_count: int
    modified_count: int
    escalated_count: int
    average_review_time_seconds: float
    median_review_time_seconds: float
    fastest_review_seconds: float
    slowest_review_seconds: float
    human_ai_agreement_rate: float
    auto_merge_prevention_rate: float
    critical_pending: int
    high_pending: int
    medium_pending: int
    low_pending: int


class Live(BaseModel):
    """The health of the API, for older consoles."""

    status: Literal["healthy"]
    timestamp: datetime
    mode: Literal["LIVE"]


class ErrorResponse(BaseModel):
    """An error."""

    detail: str
    """A sentence that says why."""


class FieldError(BaseModel):
    """One fault and its place, without the input."""

    type: str
    loc: list[str | int]
    msg: str


class ValidationErrorResponse(BaseModel):
    """Every fault of the request."""

    detail: list[FieldError]


def review_json(dossier: Dossier, now: datetime) -> dict[str, Json]:
    """A review as `Review` describes it, with `severity_assumed`, so that a review sent back is the same content."""
    apv, review = dossier.apv, dossier.review
    waited = (review.closed_at or now) - review.created_at
    return {
        "apv_id": str(review.id),
        "apv_code": review.code,
        "priority": dossier.priority,
        "status": review.status,
        "version": review.version,
        "digest": review.digest,
        **{name: _finite(getattr(apv, name)) for name in REPORTED},
        "pr_number": review.pr_number,
        "pr_url": review.pr_url,
        "pr_branch": review.pr_branch,
        "pr_checks": review.pull.checks if review.pull else None,
        "due_at": None if "due_at" in review.unreadable else utc(review.due_at),
        "waiting_since": round(waited.total_seconds() / 3600, 4),
        "created_at": utc(review.created_at),
        "updated_at": utc(dossier.updated_at),
        "metadata": dict(dossier.metadata) | ({"unreadable": review.unreadable} if review.unreadable else {}),
    }


def utc(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC, with `Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None


def _finite(value: Json) -> Json:
    """Null in place of NaN, which another program may have inserted and JSON does not have."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
