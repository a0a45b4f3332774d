"""Reads APV JSON, the format of the API: one object becomes one `Submission`.

Input with a fault is refused as a whole, with every fault. Accepted input keeps its digest in the database.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Annotated, Final, LiteralString, TypeVar, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import PydanticCustomError

from bot.domain.apv import (
    CODE_PATTERN,
    Apv,
    Json,
    PatchStrategy,
    Severity,
    Submission,
    WargameVerdict,
    severity_of_score,
)
from bot.domain.faults import Fault, Loc, NotAccepted
from bot.intake.bounds import (
    DIFF_LIMIT,
    ITEM_LIMIT,
    TEXT_LIMIT,
    BoundedText,
    Fraction,
    as_stored,
    faults_in,
    model_faults,
)
from bot.scores import base_score

SERVER_OWNED: Final = frozenset(
    (
        *("apv_id", "status", "version", "digest", "priority", "due_at", "waiting_since", "created_at", "updated_at"),
        *("pr_number", "pr_url", "pr_branch"),
    )
)
"""The API shows these. They are ignored here, so that a client may send back a review as it read it."""

SEVERITIES: Final = {s.value: s for s in Severity} | {
    "moderate": Severity.MEDIUM,
    "negligible": Severity.LOW,
    "info": Severity.LOW,
    "none": Severity.LOW,
}
STRATEGIES: Final = {s.value: s for s in PatchStrategy}
VERDICTS: Final = {v.value: v for v in WargameVerdict} | {
    "patch_effective": WargameVerdict.SUCCESS,
    "patch_insufficient": WargameVerdict.FAILURE,
}

CVE_ID: Final = re.compile(r"CVE-[0-9]{4}-[0-9]{4,19}", re.IGNORECASE)
"""The CVE record format, version 5: four to nineteen digits after the year."""
REPOSITORY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")
NOT_A_BRANCH: Final = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|//|@\{|^(@|HEAD)$|^[-/]|[/.]$|(^|/)\.|\.lock(/|$)")
"""What git-check-ref-format(1) refuses in a branch name, and a leading `-`."""

E = TypeVar("E")


def _one_of(words: Mapping[str, E]) -> Callable[[object], E]:
    *others, last = dict.fromkeys(str(word) for word in words.values())
    accepted = f"{', '.join(others)} or {last}"

    def read(value: object) -> E:
        word = words.get(value.strip().lower()) if isinstance(value, str) else None
        if word is None:
            raise PydanticCustomError("enum", "must be {accepted} (any case)", {"accepted": accepted})
        return word

    return read


def _matching(accepts: Callable[[str], object], kind: LiteralString, sentence: LiteralString) -> AfterValidator:
    def check(value: str) -> str:
        if not accepts(value):
            raise PydanticCustomError(kind, sentence)
        return value

    return AfterValidator(check)


def _is_code(value: str) -> bool:
    # `\d` in the pattern matches the digits of every script.
    return value.isascii() and CODE_PATTERN.fullmatch(value) is not None


def _is_branch(value: str) -> bool:
    return len(value) <= 250 and NOT_A_BRANCH.search(value) is None


Word = Annotated[BoundedText, StringConstraints(strip_whitespace=True)]
Texts = Annotated[list[BoundedText], Field(json_schema_extra={"maxItems": ITEM_LIMIT})]
AdvisoryId = Annotated[Word, _matching(bool, "string_too_short", "must not be empty")]
CveId = Annotated[Word, _matching(CVE_ID.fullmatch, "cve_id", "must be a CVE id such as CVE-2024-12345")]
Code = Annotated[Word, _matching(_is_code, "apv_code", "must be APV-<year>-<number>, such as APV-2026-17")]
Vector = Annotated[
    Word, _matching(lambda v: base_score(v) is not None, "cvss_vector", "must be a CVSS 2.0, 3.0, 3.1 or 4.0 vector")
]
Repository = Annotated[Word, _matching(REPOSITORY.fullmatch, "repository", "must be a repository as owner/name")]
Branch = Annotated[Word, _matching(_is_branch, "base_ref", "must be a branch name that git accepts")]


class ApvSubmission(BaseModel):
    """The fields of a submission. All but the required ones may be absent, null or empty.

    Also required: `cve_id` or an id in `aliases`, and `severity` or `cvss_vector`. EPSS and confidences are 0-1.
    """

    model_config = ConfigDict(
        strict=True, extra="ignore", frozen=True, json_schema_extra={"additionalProperties": True}
    )

    package_name: Word
    package_ecosystem: Word
    apv_code: Code | None = None
    cve_id: CveId | None = None
    aliases: Annotated[list[AdvisoryId], Field(json_schema_extra={"maxItems": ITEM_LIMIT})] = []
    severity: Annotated[Severity | None, BeforeValidator(_one_of(SEVERITIES))] = None
    severity_assumed: bool = False
    cvss_vector: Vector | None = None
    cvss_score: Annotated[float, Field(ge=0, le=10)] | None = None
    epss_score: Fraction | None = None
    epss_percentile: Fraction | None = None
    kev: bool | None = None
    cve_title: BoundedText | None = None
    cve_description: BoundedText | None = None
    cwe_ids: Texts = []
    package_version: Word | None = None
    purl: Word | None = None
    fixed_version: Word | None = None
    references: Texts = []
    repository: Repository | None = None
    base_ref: Branch | None = None
    reporter: Word | None = None

    vulnerable_code_signature: BoundedText | None = None
    vulnerable_code_type: BoundedText | None = None
    affected_files: Texts = []
    confirmed: bool | None = None
    confirmation_confidence: Fraction | None = None
    confirmation_score: Annotated[float, Field(ge=0, le=100)] | None = None
    static_confidence: Fraction | None = None
    dynamic_confidence: Fraction | None = None
    false_positive_probability: Fraction | None = None

    patch_strategy: Annotated[PatchStrategy | None, BeforeValidator(_one_of(STRATEGIES))] = None
    patch_description: BoundedText | None = None
    patch_diff: Annotated[str, Field(json_schema_extra={"maxLength": DIFF_LIMIT})] | None = None
    patch_confidence: Fraction | None = None
    patch_risk_level: BoundedText | None = None
    validation_passed: bool | None = None
    validation_confidence: Fraction | None = None
    validation_warnings: Texts = []

    wargame_verdict: Annotated[WargameVerdict | None, BeforeValidator(_one_of(VERDICTS))] = None
    wargame_confidence: Fraction | None = None
    wargame_run_url: BoundedText | None = None
    wargame_evidence: object = None


KNOWN: Final = frozenset(ApvSubmission.model_fields)
LISTS: Final = frozenset(f.name for f in fields(Apv) if f.default == ())


def recognises(document: object) -> bool:
    """Whether the document looks like an APV or a list of APVs, valid or not; an empty list does."""
    if isinstance(document, dict):
        return not document.keys().isdisjoint(("package_name", "package_ecosystem", "cve_id", "apv_code"))
    return isinstance(document, list) and (not document or any(isinstance(d, dict) and recognises(d) for d in document))


def parse_any(document: object, *, default_repository: str) -> list[Submission]:
    """One APV or a list of them. Raises `NotAccepted`."""
    if isinstance(document, list):
        return parse_many(document, default_repository=default_repository)
    return [parse(document, default_repository=default_repository)]


def parse(document: object, *, default_repository: str) -> Submission:
    """One APV from its JSON value. Raises `NotAccepted` with every fault."""
    return all_or_faults([check(document, default_repository=default_repository, loc=())])[0]


def parse_many(documents: object, *, default_repository: str) -> list[Submission]:
    """At most 1,000 APVs from a JSON list, in its order. Raises `NotAccepted` with every fault of every item."""
    if not isinstance(documents, list):
        raise NotAccepted([Fault("list_type", (), "must be a list of APVs")])
    if len(documents) > ITEM_LIMIT:
        raise NotAccepted([Fault("too_long", (), f"must have at most {ITEM_LIMIT:,} APVs: split the list")])
    return all_or_faults(check(d, default_repository=default_repository, loc=(i,)) for i, d in enumerate(documents))


def all_or_faults(checked: Iterable[Submission | list[Fault]]) -> list[Submission]:
    """Every submission, in order. Raises `NotAccepted` with the faults of all refused ones."""
    submissions: list[Submission] = []
    faults: list[Fault] = []
    for one in checked:
        if isinstance(one, Submission):
            submissions.append(one)
        else:
            faults += one
    if faults:
        raise NotAccepted(faults)
    return submissions


def check(document: object, *, default_repository: str, loc: Loc) -> Submission | list[Fault]:
    """One APV from the JSON value at `loc`, or everything that is wrong with it."""
    if not isinstance(document, dict):
        return [Fault("dict_type", loc, "must be a JSON object")]
    faults = _bounds(document, loc)
    given = {name: value for name, value in document.items() if name in KNOWN and not _absent(name, value)}
    try:
        fields_given = ApvSubmission.model_validate(given)
    except ValidationError as error:
        faults += model_faults(error, loc, faults)
    faults += _missing(given, loc)
    if faults:
        return faults
    return Submission(
        apv=_apv(fields_given, default_repository), apv_code=fields_given.apv_code, metadata=_metadata(document)
    )


def _bounds(document: dict[object, object], loc: Loc) -> list[Fault]:
    faults: list[Fault] = []
    unknown = {}
    for name, value in document.items():
        if name in KNOWN or name in SERVER_OWNED or name == "metadata":
            limit = DIFF_LIMIT if name == "patch_diff" else TEXT_LIMIT
            faults += faults_in(value, (*loc, str(name)), text_limit=limit)
        else:
            unknown[name] = value
    return faults + faults_in(unknown, loc)


def _absent(name: str, value: object) -> bool:
    """Null and blank strings count as absent; a diff only when it is empty."""
    if not isinstance(value, str):
        return value is None
    if name == "severity" and value.strip().lower() == "unknown":
        return True
    return not (value if name == "patch_diff" else value.strip())


def _missing(given: Mapping[str, object], loc: Loc) -> list[Fault]:
    faults = []
    if "cve_id" not in given and not given.get("aliases"):
        faults.append(Fault("missing", (*loc, "cve_id"), "cve_id, or another advisory id in aliases, is required"))
    if "severity" not in given and "cvss_vector" not in given:
        faults.append(Fault("missing", (*loc, "severity"), "severity or cvss_vector is required"))
    return faults


def _apv(given: ApvSubmission, default_repository: str) -> Apv:
    values = {name: getattr(given, name) for name in KNOWN - {"apv_code"}}
    for name in LISTS:
        values[name] = tuple(item for item in values[name] if item.strip())
    for name, value in values.items():
        if isinstance(value, float):
            values[name] = value + 0.0  # -0.0 becomes 0.0, as in the database
    score = base_score(given.cvss_vector) if given.cvss_vector else None
    if given.severity is None:
        assert score is not None, "a submission without a severity has a valid vector"
        values["severity"] = severity_of_score(score)
    if given.cvss_score is None:
        values["cvss_score"] = score
    if given.patch_strategy is None:
        values["patch_strategy"] = _strategy(given)
    values["cve_id"] = given.cve_id and given.cve_id.upper()
    values["repository"] = given.repository or default_repository
    values["wargame_evidence"] = as_stored(cast("Json", given.wargame_evidence))
    return Apv(**values)


def _strategy(given: ApvSubmission) -> PatchStrategy:
    if given.patch_diff:
        return PatchStrategy.CODE_REWRITE
    return PatchStrategy.VERSION_BUMP if given.fixed_version else PatchStrategy.MANUAL


def _metadata(document: Mapping[str, object]) -> dict[str, Json]:
    """The unknown fields, and those of `metadata` if it is an object; an unknown field wins."""
    kept = document.get("metadata")
    unknown = {k: v for k, v in document.items() if k not in KNOWN and k not in SERVER_OWNED and k != "metadata"}
    if not isinstance(kept, dict):
        kept = {} if kept is None else {"metadata": kept}
    return cast("dict[str, Json]", as_stored(cast("Json", {**kept, **unknown})))
