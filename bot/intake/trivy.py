"""Trivy's JSON report (`trivy … --format json`) becomes one submission for each vulnerability of each package.

Misconfigurations, secrets, licences and findings that Trivy suppressed are ignored.
"""

import re
from collections.abc import Iterator
from typing import Final

from pydantic import BaseModel, TypeAdapter

from bot.domain.apv import Severity, Submission
from bot.domain.faults import Loc
from bot.intake.apv_json import SEVERITIES
from bot.intake.bounds import ITEM_LIMIT
from bot.intake.report import Finding, cut, fixed_version, submissions, validated
from bot.intake.trivy_ecosystems import ecosystem
from bot.scores import base_score


class Vectors(BaseModel):
    """One source's CVSS vectors."""

    V2Vector: str | None = None
    V3Vector: str | None = None
    V40Vector: str | None = None


class Identifier(BaseModel):
    """Trivy's name of the package; older reports have none."""

    PURL: str | None = None


class DetectedVulnerability(BaseModel):
    """A `DetectedVulnerability`; Trivy omits empty fields."""

    VulnerabilityID: str
    VendorIDs: list[str] | None = None
    PkgName: str
    PkgPath: str | None = None
    PkgIdentifier: Identifier | None = None
    InstalledVersion: str | None = None
    FixedVersion: str | None = None
    Status: str | None = None
    SeveritySource: str | None = None
    PrimaryURL: str | None = None
    Title: str | None = None
    Description: str | None = None
    Severity: str | None = None
    CweIDs: list[str] | None = None
    CVSS: dict[str, Vectors | None] | None = None
    References: list[str] | None = None


class Result(BaseModel):
    """One scanned file or set of OS packages. The oldest reports have no `Type`."""

    Target: str = ""
    Type: str = ""
    Vulnerabilities: list[DetectedVulnerability] | None = None


class Resource(BaseModel):
    """One object of a cluster."""

    Results: list[Result] | None = None


class Report(BaseModel):
    """`Results` of an image, file system or repository; the other lists come from `trivy kubernetes`."""

    Results: list[Result] | None = None
    Resources: list[Resource] | None = None
    Findings: list[Resource] | None = None
    Vulnerabilities: list[Resource] | None = None


REPORT: Final = TypeAdapter(Report)
RESULTS: Final = TypeAdapter(list[Result])
KUBERNETES_LISTS: Final = ("Resources", "Findings", "Vulnerabilities")

SOURCES: Final = ("nvd", "ghsa", "redhat")
"""Preferred sources of a CVSS vector, after the source of the severity."""


def recognises(document: object) -> bool:
    """Whether it is a report: the object of schema version 2, of `trivy kubernetes`, or the bare list of version 1."""
    if isinstance(document, dict):
        return isinstance(document.get("SchemaVersion"), int) or bool(
            document.keys() & {"ArtifactName", "ClusterName", "Results"}
        )
    return isinstance(document, list) and any(isinstance(result, dict) and "Target" in result for result in document)


def parse(document: object, *, default_repository: str) -> list[Submission]:
    """The report's vulnerabilities, one for each package, version and advisory. Raises `NotAccepted`."""
    return submissions(_findings(document), scanner="trivy", default_repository=default_repository)


def _findings(document: object) -> Iterator[Finding]:
    for loc, result in _results(document):
        for i, vulnerability in enumerate(result.Vulnerabilities or ()):
            yield _finding(vulnerability, result, (*loc, "Vulnerabilities", i))


def _results(document: object) -> Iterator[tuple[Loc, Result]]:
    if isinstance(document, list):
        results: list[Result] = validated(RESULTS, document)
        yield from (((i,), result) for i, result in enumerate(results))
        return
    report = validated(REPORT, document)
    yield from ((("Results", i), result) for i, result in enumerate(report.Results or ()))
    for name in KUBERNETES_LISTS:
        for i, resource in enumerate(getattr(report, name) or ()):
            yield from (((name, i, "Results", j), result) for j, result in enumerate(resource.Results or ()))


def _finding(found: DetectedVulnerability, result: Result, loc: Loc) -> Finding:
    severity = SEVERITIES.get((found.Severity or "").strip().lower())
    purl = found.PkgIdentifier.PURL if found.PkgIdentifier else None
    fixes = _versions(found.FixedVersion or "")
    references = dict.fromkeys(url for url in (found.PrimaryURL, *(found.References or ())) if url)
    return Finding(
        loc=loc,
        ecosystem=ecosystem(result.Type, purl or "", result.Target),
        package=found.PkgName,
        version=found.InstalledVersion,
        ids=(found.VulnerabilityID,),
        apv={
            "severity": severity or Severity.MEDIUM,
            "severity_assumed": severity is None,
            "cvss_vector": _vector(found),
            "cve_title": cut(found.Title),
            "cve_description": cut(found.Description),
            "cwe_ids": found.CweIDs,
            "purl": purl,
            "fixed_version": fixed_version(found.InstalledVersion, fixes),
            "references": list(references)[:ITEM_LIMIT],
        },
        extra={
            "fix_versions": fixes,
            "pkg_path": found.PkgPath,
            "status": found.Status,
            "severity_source": found.SeveritySource,
            "vendor_ids": found.VendorIDs,
        },
        found_in=(result.Target,) if result.Target else (),
    )


def _versions(fixed: str) -> list[str]:
    """The versions in `FixedVersion`: mostly "3.1.0, 2.6.9"; in old reports requirements such as ">=4.17.11"."""
    parts = (part.strip() for part in re.split(r",|\|\|", fixed))
    return [part.lstrip("^~>= ") for part in parts if part.lstrip("^~>= ") and not part.startswith("<")]


def _vector(found: DetectedVulnerability) -> str | None:
    """The first valid CVSS vector: version 3, which Trivy's severities follow, then 4, then 2."""
    sources = found.CVSS or {}
    order = dict.fromkeys((found.SeveritySource or "", *SOURCES, *sorted(sources)))
    vectors = [vectors for source in order if (vectors := sources.get(source))]
    candidates = (*(v.V3Vector for v in vectors), *(v.V40Vector for v in vectors), *(v.V2Vector for v in vectors))
    return next((vector for vector in candidates if vector and base_score(vector) is not None), None)
