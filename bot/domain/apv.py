"""An APV: one advisory in one package, the proposed patch and the evidence, as it was reported.

Values only. `digest()` covers all that a reviewer judges; `identity()` says when two reports are of the same thing.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import TypeAlias

Json: TypeAlias = bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"] | None

CODE_PATTERN = re.compile(r"APV-(\d{4})-(\d{1,9})")
"""An `apv_code`: the year of submission and a number that is unique in it."""


class Severity(StrEnum):
    """How bad it is, worst first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class PatchStrategy(StrEnum):
    """What kind of change is proposed."""

    VERSION_BUMP = "version_bump"
    CODE_REWRITE = "code_rewrite"
    CONFIG_CHANGE = "config_change"
    MANUAL = "manual"


class WargameVerdict(StrEnum):
    """What the trial of the patch against the exploit showed."""

    SUCCESS = "success"
    PARTIAL = "partial"
    FAILURE = "failure"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Apv:
    """What was reported, with defaults resolved: severity known, repository filled in (empty only without GitHub).

    Scores: CVSS 0-10, EPSS and all confidences 0-1. `patch_diff` is kept character for character.
    """

    severity: Severity
    package_name: str
    package_ecosystem: str = ""
    package_version: str | None = None
    repository: str = ""
    """`owner/name`."""
    base_ref: str | None = None
    """The branch the patch is for; None is the repository's default branch."""
    reporter: str | None = None
    severity_assumed: bool = False
    """The report gave no severity; `medium` stands in for it and the card says so."""

    cve_id: str | None = None
    aliases: tuple[str, ...] = ()
    cve_title: str | None = None
    cve_description: str | None = None
    cvss_score: float | None = None
    cvss_vector: str | None = None
    epss_score: float | None = None
    epss_percentile: float | None = None
    kev: bool | None = None
    cwe_ids: tuple[str, ...] = ()
    purl: str | None = None
    fixed_version: str | None = None
    references: tuple[str, ...] = ()

    vulnerable_code_signature: str | None = None
    vulnerable_code_type: str | None = None
    affected_files: tuple[str, ...] = ()
    confirmed: bool | None = None
    confirmation_confidence: float | None = None
    confirmation_score: float | None = None
    static_confidence: float | None = None
    dynamic_confidence: float | None = None
    false_positive_probability: float | None = None

    patch_strategy: PatchStrategy = PatchStrategy.MANUAL
    patch_description: str | None = None
    patch_diff: str | None = None
    patch_confidence: float | None = None
    patch_risk_level: str | None = None
    validation_passed: bool | None = None
    validation_confidence: float | None = None
    validation_warnings: tuple[str, ...] = ()

    wargame_verdict: WargameVerdict | None = None
    wargame_confidence: float | None = None
    wargame_run_url: str | None = None
    wargame_evidence: Json = None

    @property
    def advisory(self) -> str:
        """The id people know it by: the CVE, else the first alias, else empty."""
        return self.cve_id or (self.aliases[0] if self.aliases else "")

    @property
    def has_patch(self) -> bool:
        """Whether an approval has something to open."""
        return bool(self.patch_diff)

    @property
    def wants_bump(self) -> bool:
        """Whether only a version is named where a diff could be, so that the bot is to make one."""
        return self.patch_strategy is PatchStrategy.VERSION_BUMP and bool(self.fixed_version) and not self.has_patch


@dataclass(frozen=True, slots=True)
class Submission:
    """An APV as somebody handed it in."""

    apv: Apv
    apv_code: str | None = None
    """The code asked for; None takes the next free one of the year."""
    metadata: Mapping[str, Json] = field(default_factory=dict)
    """Fields that we do not know, kept as they came."""


NOT_JUDGED = frozenset({"reporter"})
"""Known of an APV, but no part of what a reviewer judges."""


def content(apv: Apv) -> dict[str, Json]:
    """What a reviewer judges, as plain JSON values, one key for each field of `Apv` but the reporter."""
    return {f.name: getattr(apv, f.name) for f in fields(apv) if f.name not in NOT_JUDGED}


def digest(apv: Apv) -> str:
    """64 lower-case hex digits (SHA-256) over `content()` as canonical JSON: sorted keys, no white space, UTF-8."""
    canonical = json.dumps(content(apv), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def identity(apv: Apv) -> str:
    """SHA-256 hex over repository, ecosystem, package, version and advisory: equal for two reports of one APV.

    Repository, ecosystem and advisory ids are compared without case, as their owners do; package names are not.
    """
    parts = (
        apv.repository.casefold(),
        apv.package_ecosystem.casefold(),
        apv.package_name,
        apv.package_version or "",
        apv.advisory.casefold(),
    )
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def severity_of_score(score: float) -> Severity:
    """CVSS v3.1 section 5, qualitative scale: 9.0 critical, 7.0 high, 4.0 medium, below low (0.0 "none" too)."""
    if score >= 9.0:
        return Severity.CRITICAL
    if score >= 7.0:
        return Severity.HIGH
    return Severity.MEDIUM if score >= 4.0 else Severity.LOW


BASE_PRIORITY = {Severity.CRITICAL: 9, Severity.HIGH: 7, Severity.MEDIUM: 4, Severity.LOW: 1}


def priority(apv: Apv) -> int:
    """1-10, 10 most urgent: by severity, one more when it is known to be exploited (CISA KEV)."""
    return BASE_PRIORITY[apv.severity] + (1 if apv.kev else 0)
