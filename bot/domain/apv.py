"""An APV: one advisory in one package, the proposed patch and the evidence, as reported.

Values only. `digest()` covers everything that a reviewer judges; `identity()` is equal for two reports of one APV.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import lru_cache
from typing import TypeAlias

from bot.domain.patch import Readings

Json: TypeAlias = bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"] | None

CODE_PATTERN = re.compile(r"APV-(\d{4})-(\d{1,9})")
"""An `apv_code`: the year of submission and a number that is unique within it."""


class Severity(StrEnum):
    """The severity, worst first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class PatchStrategy(StrEnum):
    """The kind of change that the patch makes."""

    VERSION_BUMP = "version_bump"
    CODE_REWRITE = "code_rewrite"
    CONFIG_CHANGE = "config_change"
    MANUAL = "manual"


class WargameVerdict(StrEnum):
    """The result of running the exploit against the patch."""

    SUCCESS = "success"
    PARTIAL = "partial"
    FAILURE = "failure"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Apv:
    """A report with its defaults filled in: severity and repository are set (repository is empty only without GitHub).

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
        """The best-known id: the CVE, else the first alias, else empty."""
        return self.cve_id or (self.aliases[0] if self.aliases else "")

    @property
    def has_patch(self) -> bool:
        """Whether there is a patch to open a pull request with."""
        return bool(self.patch_diff)

    @property
    def wants_bump(self) -> bool:
        """Whether the report names a fixed version but has no diff, so that the bot should make one."""
        return self.patch_strategy is PatchStrategy.VERSION_BUMP and bool(self.fixed_version) and not self.has_patch


@dataclass(frozen=True, slots=True)
class Submission:
    """A submitted APV."""

    apv: Apv
    apv_code: str | None = None
    """The requested code; None takes the year's next free one."""
    metadata: Mapping[str, Json] = field(default_factory=dict)
    """Unknown fields, kept as submitted."""
    readings: Readings = field(default_factory=dict)
    """What git reads in its patch."""


NOT_JUDGED = frozenset({"reporter"})
"""Fields of `Apv` that a reviewer does not judge."""


def content(apv: Apv) -> dict[str, Json]:
    """What a reviewer judges, as plain JSON values: one key per field of `Apv`, except the reporter."""
    return {f.name: getattr(apv, f.name) for f in fields(apv) if f.name not in NOT_JUDGED}


def digest(apv: Apv) -> str:
    """64 lower-case hex digits (SHA-256) over `content()` as canonical JSON: sorted keys, no white space, UTF-8."""
    canonical = json.dumps(content(apv), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def identity(apv: Apv) -> str:
    """SHA-256 hex over repository, ecosystem, package, version and advisory: equal for two reports of one APV.

    Repository, ecosystem and advisory are compared case-insensitively, package names are not.
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


@lru_cache(maxsize=64)
def strictest(stated: Severity, vector: Severity | None, *, kev: bool) -> Severity:
    """The highest of the stated severity, the CVSS vector's band, and high for what is known to be exploited."""
    found = {stated, *([vector] if vector else ()), *([Severity.HIGH] if kev else ())}
    return next(severity for severity in Severity if severity in found)


BASE_PRIORITY = {Severity.CRITICAL: 9, Severity.HIGH: 7, Severity.MEDIUM: 4, Severity.LOW: 1}


def priority(apv: Apv) -> int:
    """1-10, 10 most urgent: by severity, plus one if it is known to be exploited (CISA KEV)."""
    return BASE_PRIORITY[apv.severity] + (1 if apv.kev else 0)
