"""The bodies of the API as pydantic models: what is asked for is read by them, and the document is made from them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal, Protocol
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue
from pydantic_core import PydanticCustomError

from bot.domain.apv import Json, PatchStrategy, Severity
from bot.domain.decisions import JUSTIFICATION_MIN
from bot.domain.pull import Checks
from bot.domain.review import Action, Choice, Status
from bot.intake.apv_json import ApvSubmission
from bot.intake.bounds import TEXT_LIMIT


def _choice(value: object) -> object:
    word = value.strip().lower() if isinstance(value, str) else None
    if word not in set(Choice):
        raise PydanticCustomError("enum", "one of approve, reject, modify, escalate is expected, in any case")
    return Choice(word)


def _given(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("string_too_short", "a name is expected")
    return value.strip()


def _justified(value: str) -> str:
    if len(value.strip()) < JUSTIFICATION_MIN:
        raise PydanticCustomError("string_too_short", "at least 10 characters without outer white space are expected")
    return value


Text = Annotated[str, Field(json_schema_extra={"maxLength": TEXT_LIMIT})]
Fraction = Annotated[float, Field(ge=0, le=1)]


class _DecisionAsked(BaseModel):
    model_config = ConfigDict(
        strict=True, extra="ignore", frozen=True, json_schema_extra={"additionalProperties": True}
    )

    apv_id: Text
    """The UUID or the `apv_code`."""
    decision: Annotated[Choice, BeforeValidator(_choice)]
    reviewer_name: Annotated[Text, AfterValidator(_given), Field(json_schema_extra={"minLength": 1})]
    reviewer_email: Text | None = None
    modifications: JsonValue = None
    digest: Text | None = None
    """Of the content that was judged; refused when it is not the current one."""


class NewDecision(_DecisionAsked):
    """A decision as it is asked for today."""

    justification: Annotated[
        Text, AfterValidator(_justified), Field(json_schema_extra={"minLength": JUSTIFICATION_MIN})
    ]
    confidence: Fraction = 1.0


class OlderDecision(_DecisionAsked):
    """The body of older clients: a comment of any length, or none."""

    comments: Text | None = None
    confidence_override: Fraction | None = None


class Decision(BaseModel):
    """A decision record. `action_taken` is null while what follows is under way."""

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
    """False when the name came from the client and not from Slack or a token."""
    cve_id: str | None
    severity: Severity
    patch_strategy: PatchStrategy
    wargame_verdict: str | None
    action_taken: Action | None
    outcome_notes: str | None
    decided_at: datetime
    action_completed_at: datetime | None
    source: str


class Review(ApvSubmission):
    """A review: what was submitted, and where it stands."""

    apv_id: UUID
    apv_code: str
    priority: int
    """10 is most urgent."""
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
    """Hours."""
    created_at: datetime
    updated_at: datetime
    metadata: dict[str, JsonValue]


class ReviewPage(BaseModel):
    """A page of reviews, most urgent first; `total` counts those that match on all pages."""

    reviews: list[Review]
    total: int
    skip: int
    limit: int
    offset: int
    next_cursor: str | None


class Statistics(BaseModel):
    """Numbers over all reviews and decisions; day and week (from Monday) in UTC, rates 0-1."""

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
    """What an older console asks before anything else."""

    status: Literal["healthy"]
    timestamp: datetime
    mode: Literal["LIVE"]


class Refusal(BaseModel):
    """Why the answer is not the one asked for."""

    detail: str


class FaultShown(BaseModel):
    """One fault and where it is; never what was sent."""

    type: str
    loc: list[str | int]
    msg: str


class Unprocessable(BaseModel):
    """Every fault of what was sent."""

    detail: list[FaultShown]


class Fault(Protocol):
    """Something wrong with a value, and its place."""

    @property
    def type(self) -> str: ...  # noqa: D102
    @property
    def loc(self) -> tuple[int | str, ...]: ...  # noqa: D102
    @property
    def msg(self) -> str: ...  # noqa: D102


def as_detail(faults: Iterable[Fault]) -> list[Json]:
    """The `detail` of a 422."""
    return [{"type": f.type, "loc": ["body", *f.loc], "msg": f.msg} for f in faults]
